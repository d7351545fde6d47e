"""The sites of the families with outside systems, with a server on loopback for each system.

What a site has at a system is what its faults are tried with (``families``).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine

from tests import scene as scenes
from tests.chaos import families, remotes
from tests.chaos.outside_state import Outside
from tests.chaos.places import Scene
from tests.datacite.server import DataCiteServer, datacite_server
from tests.datacite.test_records import offer
from tests.datacite.test_referrals import cited, work
from tests.eduteams.scenes import Eduteams, new_key, person
from tests.firecrest.test_pull import Cluster, accounts, jobs
from tests.freeipa.scenes import profile
from tests.freeipa.scenes import settings as freeipa_settings
from tests.freeipa_server import FreeIpaServer, freeipa_server
from tests.help_desks.desk_site import jira, people_of_jira
from tests.help_desks.test_priorities import of_jira
from tests.help_desks.test_request_types import service_desk
from tests.loopback import serving
from tests.openstack.scenes import NOW
from tests.rabbitmq import MISSING, RabbitMq, rabbitmq
from tests.rancher.keycloak_server import LoopbackKeycloak, serving_keycloak
from tests.rancher.keycloak_site import Realm
from tests.rancher.rancher_server import node, serving_rancher
from tests.rancher.rancher_site import RancherSite
from tests.rancher.test_bindings import empty
from tests.rancher.test_nodes import CREATING, nodes_of
from tests.remote.catalogue_scenes import component_document, offering_document
from tests.remote.remote_waldur import RemoteWaldur, serving_remote
from tests.remote.test_project_permissions import SWITCH
from tests.site_agents.conftest import AGENTS, until_stomp_answers
from waldur_dagster.deployment import Deployment
from waldur_dagster.rancher.keycloak_groups import delete_leftover_groups
from waldur_dagster.schema import marketplace, rancher, structure, support
from waldur_dagster.schema.generations import Generation

# What a remote has a list of.
LISTS = (
    *("marketplace-component-usages", "marketplace-component-user-usages", "invoice-items", "marketplace-orders"),
    *("marketplace-resources", "marketplace-public-offerings", "marketplace-offering-users"),
    *("marketplace-robot-accounts", "marketplace-categories", "projects"),
)
AT_REMOTES = (
    remotes.used,
    remotes.ordered,
    remotes.ordered_in_vain,
    remotes.described,
    remotes.on_market,
    remotes.with_accounts,
    remotes.with_robots,
    remotes.with_projects,
)


def of_remotes() -> Scene:
    """Eight remotes, each with what one entry or two have work for."""
    served, outside = [RemoteWaldur({"projects": []}) for _ in AT_REMOTES], Outside()

    def serve(parts: ExitStack) -> Mapping[str, Any]:
        for remote in served:
            parts.enter_context(serving_remote(remote))
            outside.keep(remote, "objects", lambda held: [one for path in held for one in held[path]])
        return {"waldur": {SWITCH: True}, "entries": {"waldur-remote-pull-invoices": {"superseded": "run"}}}

    def fill(engine: Engine, _: Deployment) -> None:
        scene = scenes.Scene(engine)
        for make, remote in zip(AT_REMOTES, served, strict=True):
            make(scene, remote)
            _complete(scene, remote)

    names = [system.entry for system in remotes.REMOTES]
    options = {"first_month": f"{scenes.BORN:%Y-%m}"}
    # Waldur itself may be at work on what a killed run has left as Processing.
    later = {"waldur-remote-offerings-sync": timedelta(days=1)}
    return Scene("remotes", NOW, fill, lambda: names, options, serve, outside=outside, later=later)


def _complete(scene: scenes.Scene, remote: RemoteWaldur) -> None:
    """A remote knows all that is bought there, whatever it was made for."""
    for path in LISTS:
        remote.objects.setdefault(path, [])
    known = {item["uuid"] for items in remote.objects.values() for item in items}
    for offering in scene.rows(marketplace.offering, type="Waldur.RemoteOffering"):
        if offering.secret_options["api_url"] != remote.api_url:
            continue
        if offering.backend_id not in known:
            about = {"uuid": offering.backend_id, "components": [component_document("cpu")]}
            remote.say("marketplace-public-offerings", offering_document(name=offering.name, **about))
        for resource in scene.rows(marketplace.resource, offering_id=offering.id):
            if resource.backend_id and resource.backend_id not in known:
                facts = {"uuid": resource.backend_id, "offering_uuid": offering.backend_id, "state": "OK"}
                remote.say("marketplace-resources", facts | {"report": None, "attributes": {}, "options": {}})


def of_people() -> Scene:
    """FreeIPA, eduTEAMS, DataCite and FirecREST, each with something new."""
    outside, eduteams, cluster = Outside(), Eduteams(), Cluster()
    ipas: list[FreeIpaServer] = []
    catalogues: list[DataCiteServer] = []
    urls: list[str] = []

    def serve(parts: ExitStack) -> Mapping[str, Any]:
        ipas.append(parts.enter_context(freeipa_server()))
        catalogues.append(parts.enter_context(datacite_server()))
        urls.append(parts.enter_context(cluster.serve()))
        for name in ("users", "groups"):
            outside.keep(ipas[-1], name)
        outside.keep(catalogues[-1], "records")
        people = {"WALDUR_AUTH_SOCIAL": parts.enter_context(eduteams.serve())}
        return {"waldur": {"WALDUR_FREEIPA": freeipa_settings(ipas[-1]), **people, **catalogues[-1].settings()}}

    def fill(engine: Engine, _: Deployment) -> None:
        scene = scenes.Scene(engine)
        for number in range(3):
            project = scene.project(scene.customer(f"Org {number}"))
            member = profile(scene, ipas[-1], f"member{number}")
            scene.role(member, "PROJECT.MEMBER", "project", project)
            name = f"{number}@eduteams.org"
            person(scene, eduteams, f"{number}", ssh_public_key=[new_key()])
            eduteams.keys["data"][name] = {"ssh_keys": [new_key()]}
            doi = f"10.5072/{number}"
            offer(scene, doi)
            cited(catalogues[-1], f"10.1/{number}", doi=doi)
            work(catalogues[-1], f"10.1/{number}")
        accounts(scene, urls[-1], "anna", "bert")
        cluster.jobs = {name: jobs(1, 2) for name in ("anna", "bert")}

    names = [*dict.fromkeys(one.entry for one in families.PEOPLE if one.generation is Generation.OCTOBER_2024)]
    return Scene("people", NOW, fill, lambda: names, {}, serve, Generation.OCTOBER_2024, outside)


def of_agents() -> Scene:
    """Agents of sites are told something, where a RabbitMQ is installed."""
    servers: list[RabbitMq] = []

    def serve(parts: ExitStack) -> Mapping[str, Any]:
        servers.append(parts.enter_context(rabbitmq(tuple(agent.hex for agent in AGENTS))))
        until_stomp_answers(servers[-1])
        return families.rabbitmq_at(servers[-1].stomp_port, servers[-1].port)

    def fill(engine: Engine, _: Deployment) -> None:
        families.tell_agents(scenes.Scene(engine), servers[-1])

    names = [] if MISSING else [families.SILENT, families.WAITING]
    return Scene("agents", NOW, fill, lambda: names, {}, serve)


def of_rancher() -> Scene:
    """A Rancher with clusters, roles and groups, in a Keycloak realm with people and leftovers."""
    outside, server, keycloak = Outside(), empty(), LoopbackKeycloak()

    def serve(parts: ExitStack) -> Mapping[str, Any]:
        parts.enter_context(serving_rancher(server))
        parts.enter_context(serving_keycloak(keycloak))
        outside.keep(server, "collections", _bindings)
        for name in ("groups", "members"):
            outside.keep(keycloak, name)
        return {}

    def fill(engine: Engine, _: Deployment) -> None:
        scene = scenes.Scene(engine)
        site = RancherSite(scene)
        realm = Realm(site, keycloak, "with a realm")
        site.change(rancher.cluster, realm.cluster, backend_id="c-0")
        site.change(structure.servicesettings, realm.settings, backend_url=server.url)
        for number in range(3):
            cluster = site.cluster(realm.settings, f"c-{number + 1}")
            site.sold(cluster)
            site.node(cluster, f"n{number}", CREATING)
            nodes_of(server, f"c-{number + 1}", node(f"n{number}"))
            server.add("roletemplates", context="cluster", name=f"Role {number}")
            group = realm.group(f"role-{number}", keycloak.user(f"left{number}"))
            keycloak.user(f"new{number}")
            site.member(group, f"new{number}")
            keycloak.group(site.group_name(rancher.cluster, realm.cluster, f"old{number}"))
        nodes_of(server, "c-0")
        before = NOW - timedelta(hours=1)
        site.run(delete_leftover_groups, "waldur-rancher-delete-leftover-keycloak-groups", at=before)

    names = [system.entry for system in families.RANCHER]
    return Scene("rancher", NOW, fill, lambda: names, {}, serve, outside=outside)


def _bindings(collections: Mapping[str, Any]) -> list[Any]:
    """Bindings as pairs: their names are made anew each time."""
    found = [one for path, items in collections.items() if "bindings" in path for one in items]
    return [{key: value for key, value in one.items() if key not in ("id", "name")} for one in found]


def of_help_desks() -> Scene:
    """A Jira with people, priorities and request types, of which some are new."""
    urls: list[str] = []

    def serve(parts: ExitStack) -> Mapping[str, Any]:
        routes = people_of_jira(["u1", "u2"]) | of_jira("High", "Low") | service_desk(3)
        urls.append(parts.enter_context(serving(routes)))
        return {}

    def fill(engine: Engine, _: Deployment) -> None:
        scene = scenes.Scene(engine)
        jira(scene, urls[-1])
        scene.add(support.supportuser, backend_id="u3", backend_name="atlassian", name="gone", is_active=True)
        scene.add(support.priority, backend_id="9", backend_name="atlassian", name="gone")
        scene.add(support.requesttype, backend_id=9, name="gone", fields=[])

    names = [*dict.fromkeys(system.entry for system in families.HELP_DESKS)]
    return Scene("desks", NOW, fill, lambda: names, {}, serve)


def family_scenes() -> list[Scene]:
    return [of_remotes(), of_people(), of_agents(), of_rancher(), of_help_desks()]
