"""People's systems, Rancher, Keycloak and help desks: how each is reached on a small site.

Where a site can have several of a kind, it has one more, which is well: what is there is done whatever the other does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Any

from tests.chaos.remotes import REMOTES
from tests.chaos.systems import ON_WEB, ON_WIRE, OUTSIDE, Prepare, System, at, without
from tests.datacite.server import DataCiteServer
from tests.datacite.test_records import offer
from tests.datacite.test_referrals import refer
from tests.eduteams.scenes import Eduteams, new_key, person, settings_of, store_key
from tests.firecrest.test_pull import Cluster, accounts, jobs
from tests.freeipa.scenes import settings as freeipa_settings
from tests.help_desks.desk_site import jira, zammad
from tests.rabbitmq import PASSWORD as RABBITMQ_PASSWORD
from tests.rabbitmq import RabbitMq
from tests.rancher.keycloak_server import LoopbackKeycloak, serving_keycloak
from tests.rancher.keycloak_site import Realm
from tests.rancher.rancher_server import LoopbackRancher, node, serving_rancher
from tests.rancher.rancher_site import RancherSite
from tests.rancher.test_bindings import empty
from tests.rancher.test_nodes import CREATING, nodes_of
from tests.scene import Scene
from tests.site_agents.test_messages import Agents
from tests.stomp_server import serving_stomp
from waldur_dagster.functions import Function
from waldur_dagster.schema import freeipa, rancher, support
from waldur_dagster.schema.generations import Generation

NEWEST = Generation.NEWEST
_numbers = count(1)


@contextmanager
def _freeipa(scene: Scene, port: int) -> Iterator[Mapping[str, Any]]:
    scene.project(scene.customer())
    scene.add(freeipa.profile, user_id=scene.user("a@x.org", first_name="A"), username="waldur_a", is_active=True)
    yield {"waldur": {"WALDUR_FREEIPA": freeipa_settings(at(port))}}


def _eduteams(*broken: str) -> Prepare:
    """These settings of eduTEAMS lead to the port, the others to what is well."""

    @contextmanager
    def prepare(scene: Scene, port: int) -> Iterator[Mapping[str, Any]]:
        eduteams = Eduteams()
        for name in ("alice", "bob"):
            store_key(scene, person(scene, eduteams, name), new_key())
        with eduteams.serve() as well:
            changed = {name: url for name, url in settings_of(at(port)).items() if name.endswith(broken)}
            yield {"waldur": {"WALDUR_AUTH_SOCIAL": well | changed}}

    return prepare


@contextmanager
def _datacite(scene: Scene, port: int) -> Iterator[Mapping[str, Any]]:
    for number in range(2):
        refer(scene, offer(scene, f"10.5072/{number}"), "10.1/known")
    yield {"waldur": DataCiteServer(f"{at(port)}/dois").settings()}


@contextmanager
def _firecrest(scene: Scene, port: int) -> Iterator[Mapping[str, Any]]:
    well = Cluster()
    well.jobs = {"bob": jobs(1)}
    with well.serve() as url:
        accounts(scene, f"{at(port)}/", "alice")
        accounts(scene, url, "bob")
        yield {}


@contextmanager
def _agents(scene: Scene, port: int) -> Iterator[Mapping[str, Any]]:
    tell_agents(scene)
    yield rabbitmq_at(port, 0)


@contextmanager
def _queues(scene: Scene, port: int) -> Iterator[Mapping[str, Any]]:
    tell_agents(scene)
    with serving_stomp() as stomp:
        yield rabbitmq_at(stomp.port, port)


def tell_agents(scene: Scene, server: RabbitMq | None = None) -> None:
    """Two agents with something to hear of resources and orders, in queues that a server has."""
    agents = Agents(scene, server)
    for number in range(2):
        agents.subscribe(agents.agent(number), "resource", "order")
    for _number in range(3):
        agents.resource(12)
        agents.order(12)


def rabbitmq_at(stomp_port: int, amqp_port: int) -> dict[str, Any]:
    rabbit = {"HOST": "127.0.0.1", "STOMP_PORT": stomp_port, "USER": "waldur", "PASSWORD": RABBITMQ_PASSWORD}
    return {"waldur": {"RABBITMQ": rabbit}, "site_agents": {"amqp_port": amqp_port}}


def _person(entry: str, place: str, name: str, prepare: Prepare, **how: Any) -> System:
    return System(name, prepare, entry=entry, do=Function(f"waldur_dagster.{place}"), **how)


SILENT, WAITING = "sync-resources", "send-messages-about-pending-orders"
ASK, REMIND = (
    "site_agents.silent_resources:ask_for_silent_resources",
    "site_agents.pending_orders:remind_of_pending_orders",
)
AGENT = {"generation": NEWEST, "faults": ON_WIRE}
PEOPLE = (
    _person("waldur-freeipa-sync-groups", "freeipa.entries:sync_groups", "FreeIPA, groups", _freeipa),
    _person("waldur-freeipa-sync-names", "freeipa.name_sync:sync_names", "FreeIPA, names", _freeipa),
    _person(
        "waldur-pull-remote-eduteams-users", "eduteams.entries:pull_users", "eduTEAMS, token", _eduteams("TOKEN_URL")
    ),
    _person(  # who cannot be had goes to the end of the queue; 404 means that somebody has gone
        "waldur-pull-remote-eduteams-users",
        "eduteams.entries:pull_users",
        "eduTEAMS, people",
        _eduteams("USERINFO_URL"),
        faults=without("404"),
        changes={"core_user": 2},
    ),
    _person(
        "waldur-pull-remote-eduteams-ssh-keys", "eduteams.entries:pull_ssh_keys", "eduTEAMS, keys", _eduteams("API_URL")
    ),
    _person(
        "waldur-update-all-pid",
        "datacite.records:update_records",
        "DataCite, records",
        _datacite,
        taken=("junk inside",),  # what is written with 200 is written
        changes={"marketplace_offering": 2},
    ),
    _person(
        "waldur-pid-update-all-referrables",
        "datacite.referrals:update_referrals",
        "DataCite, citations",
        _datacite,
        changes={"marketplace_offering": 2},
    ),
    _person(
        "waldur-firecrest-pull-jobs",
        "firecrest.pull_jobs:pull_jobs",
        "FirecREST",
        _firecrest,
        does="waldur_firecrest_job",
    ),
    _person(SILENT, ASK, "RabbitMQ of agents, resources", _agents, **AGENT),
    _person(WAITING, REMIND, "RabbitMQ of agents, orders", _agents, **AGENT),
    _person(SILENT, ASK, "queues of agents, resources", _queues, does="messages", **AGENT),
    _person(WAITING, REMIND, "queues of agents, orders", _queues, does="messages", **AGENT),
)


# Rancher and Keycloak.
@contextmanager
def _ranchers(scene: Scene, port: int) -> Iterator[Mapping[str, Any]]:
    site = RancherSite(scene)
    with serving_rancher(empty()) as well:
        for server in (LoopbackRancher(url=at(port)), well):
            settings = site.server(server, f"rancher {next(_numbers)}")
            cluster = site.cluster(settings)
            site.node(cluster, "a")
            site.node(cluster, "b", CREATING)
            nodes_of(server, "c-1", node("a"), node("b"))
            server.add("roletemplates", context="cluster", name="Owner")
            if scene.schema.has(rancher.keycloakgroup.name):
                site.group(rancher.cluster, cluster, site.role(settings))
        yield {}


@contextmanager
def _realms(scene: Scene, port: int) -> Iterator[Mapping[str, Any]]:
    """In each realm somebody waits for a group, somebody else has no membership, and a group is left over."""
    site = RancherSite(scene)
    with serving_keycloak(LoopbackKeycloak()) as well:
        for keycloak in (LoopbackKeycloak(url=at(port)), well):
            place = Realm(site, keycloak, f"rancher {next(_numbers)}")
            group = place.group("cluster-member", keycloak.user("left"))
            keycloak.user("alice")
            site.member(group, "alice")
            keycloak.group(site.group_name(rancher.cluster, place.cluster, "old"))
        yield {}


def _of_rancher(entry: str, place: str, prepare: Prepare, does: str, **how: Any) -> System:
    name = f"{'Keycloak' if prepare is _realms else 'Rancher'}, {entry}"
    do = Function(f"waldur_dagster.rancher.{place}")
    return System(name, prepare, ON_WEB, entry, do, does=does, generation=NEWEST, **how)


RANCHER = (
    _of_rancher(
        "waldur-rancher-update-clusters-nodes",
        "nodes:update_nodes",
        _ranchers,
        "waldur_rancher_node",
        changes={"waldur_rancher_node": 4},
    ),
    _of_rancher(
        "waldur-rancher-sync-rancher-roles",
        "roles:sync_roles",
        _ranchers,
        "waldur_rancher_roletemplate",
        changes={"waldur_rancher_roletemplate": 1},
    ),
    _of_rancher("waldur-rancher-sync-rancher-group-bindings", "bindings:sync_bindings", _ranchers, OUTSIDE),
    _of_rancher(
        "waldur-rancher-sync-keycloak-users",
        "keycloak_users:sync_users",
        _realms,
        OUTSIDE,
        changes={"waldur_rancher_keycloakusergroupmembership": 2},
    ),
    _of_rancher(
        "waldur-rancher-delete-leftover-keycloak-groups", "keycloak_groups:delete_leftover_groups", _realms, ""
    ),
    _of_rancher(
        "waldur-rancher-delete-leftover-keycloak-memberships",
        "keycloak_memberships:delete_leftover_memberships",
        _realms,
        OUTSIDE,
    ),
)


# Help desks, of which a site has one.
def _desk(configure: Callable[[Scene, str], None], kind: str) -> Prepare:
    @contextmanager
    def prepare(scene: Scene, port: int) -> Iterator[Mapping[str, Any]]:
        configure(scene, at(port))
        scene.add(support.supportuser, backend_id="u", backend_name=kind, name="known", is_active=True)
        scene.add(support.priority, backend_id="1", backend_name=kind, name="known")
        scene.add(support.requesttype, backend_id=1, name="known", fields=[])
        yield {}

    return prepare


def _of_desks(entry: str, place: str, *desks: str) -> list[System]:
    made = {"Jira": _desk(jira, "atlassian"), "Zammad": _desk(zammad, "zammad")}
    do = Function(f"waldur_dagster.help_desks.{place}")
    return [System(f"{desk}, {entry}", made[desk], ON_WEB, entry, do) for desk in desks or made]


HELP_DESKS = (
    *_of_desks("pull-priorities", "priorities:pull_priorities"),
    *_of_desks("pull-support-users", "people:pull_support_users"),
    *_of_desks("sync_request_types", "request_types:sync_request_types", "Jira"),
)
FAMILIES = (*REMOTES, *PEOPLE, *RANCHER, *HELP_DESKS)
