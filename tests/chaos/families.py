"""Remote Waldurs, people's systems, Rancher, Keycloak and help desks: how each is reached on a small site.

Where a site can have several of a kind, it has one more, which is well: what is there is done whatever the other does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Any

from tests.chaos.systems import ON_WEB, ON_WIRE, Prepare, System, without
from tests.datacite.server import DataCiteServer
from tests.datacite.test_records import offer
from tests.datacite.test_referrals import refer
from tests.eduteams.scenes import Eduteams, new_key, person, settings_of, store_key
from tests.firecrest.test_pull import Cluster, accounts, jobs
from tests.freeipa.scenes import settings as freeipa_settings
from tests.help_desks.desk_site import jira, zammad
from tests.rabbitmq import PASSWORD as RABBITMQ_PASSWORD
from tests.rancher.keycloak_server import LoopbackKeycloak, serving_keycloak
from tests.rancher.keycloak_site import Realm
from tests.rancher.rancher_server import LoopbackRancher, node, serving_rancher
from tests.rancher.rancher_site import RancherSite
from tests.rancher.test_bindings import empty
from tests.rancher.test_nodes import CREATING, nodes_of
from tests.remote.catalogue_scenes import RemoteSite, component_document, offering_document, plan_document
from tests.remote.remote_waldur import RemoteWaldur, serving_remote
from tests.remote.scenes import ResellerSite, remote_item, remote_resource, usage
from tests.remote.test_offering_users import Accounts
from tests.remote.test_offerings_sync import Market
from tests.remote.test_project_data import project_at, put_there
from tests.remote.test_project_permissions import SWITCH, Teams
from tests.remote.test_resources import new_order
from tests.remote.test_robot_accounts import Robots
from tests.scene import Scene
from tests.site_agents.test_messages import Agents
from tests.stomp_server import serving_stomp
from waldur_dagster.functions import Function
from waldur_dagster.schema import freeipa, rancher, support
from waldur_dagster.schema.generations import Generation

NEWEST = Generation.NEWEST
OUTSIDE = "outside changes"
ERRED = 4
_numbers = count(1)


def at(port: int) -> str:
    return f"http://127.0.0.1:{port}"


# Remote Waldurs. Each function makes what a site has at one remote, and what that remote says.
def used(scene: Scene, remote: RemoteWaldur) -> None:
    site = ResellerSite(scene)
    offering = site.offering(remote)
    for one in site.resources(offering, 2, attributes={}, options={}):
        remote.say("marketplace-component-usages", usage(one, one, offering))
        remote.say("invoice-items", remote_item(one, one, offering))
        remote.say("marketplace-resources", remote_resource(one, offering, attributes={"name": "new"}))


def ordered(scene: Scene, remote: RemoteWaldur, state: int = 2) -> None:
    site = ResellerSite(scene)
    offering = site.offering(remote)
    for one in site.resources(offering, 1, state=5, attributes={}, options={}):
        remote.say("marketplace-orders", new_order(site.order(one, 3, state), "done", one, offering))


def ordered_in_vain(scene: Scene, remote: RemoteWaldur) -> None:
    ordered(scene, remote, ERRED)


def described(scene: Scene, remote: RemoteWaldur) -> None:
    site = RemoteSite(scene)
    offering = site.offering(remote)
    scene.component(offering, "cpu", "usage")
    components = [component_document(type) for type in ("cpu", "ram")]
    remote.say("marketplace-public-offerings", offering_document(components=components, plans=[plan_document()]))


def on_market(scene: Scene, remote: RemoteWaldur) -> None:
    market = Market(scene, remote)
    market.known(1)
    market.offer(1)
    market.offer(2)


def with_accounts(scene: Scene, remote: RemoteWaldur) -> None:
    made, number = Accounts(scene, remote), next(_numbers)
    made.here(f"old{number}")
    made.user(f"new{number}")
    for name in ("old", "new"):
        made.there(f"{name}{number}", "old" if name == "old" else "account")


def with_robots(scene: Scene, remote: RemoteWaldur) -> None:
    robots = Robots(scene, remote)
    robots.here(robots.resource(), 1)
    robots.there(1)
    robots.there(2, "other", "new")


def with_projects(scene: Scene, remote: RemoteWaldur) -> None:
    """Of two projects one is not there, and the other has another name and another member there."""
    teams = Teams(RemoteSite(scene), remote)
    number = next(_numbers)
    for name in ("New", "Known"):
        project = project_at(teams.site, teams.offering, f"{name} {number}")
        teams.member(project, f"{name}-{number}")
        if name == "Known":
            put_there(teams.site, remote, project, name="Old")
            teams.at_remote(project, 1, (f"other-{number}", "PROJECT.MEMBER"))
            remote.objects["projects"].pop()


def _remotes(make: Callable[[Scene, RemoteWaldur], None], **document: Any) -> Prepare:
    @contextmanager
    def prepare(scene: Scene, port: int) -> Iterator[Mapping[str, Any]]:
        with serving_remote(RemoteWaldur({"projects": [], "marketplace-orders": []})) as well:
            for remote in (RemoteWaldur({"projects": []}, url=at(port)), well):
                make(scene, remote)
            yield document

    return prepare


def _remote(entry: str, place: str, make: Callable[[Scene, RemoteWaldur], None], does: str, **how: Any) -> System:
    document = how.pop("document", {})
    do = Function(f"waldur_dagster.remote.{place}")
    return System(f"remote Waldur, {entry}", _remotes(make, **document), ON_WEB, entry, do, does=does, **how)


ORDERED = {"marketplace_order": 1, "marketplace_resource": 1, "marketplace_resourceplanperiod": 1}
SYNCED = {"marketplace_offering": 1, "marketplace_remote_remotelocalcategory": 1}
REMOTES = (
    _remote("waldur-remote-pull-usage", "usage:pull_usage", used, "marketplace_componentusage", by_month=True),
    _remote("waldur-remote-pull-invoices", "invoices:pull_invoices", used, "invoices_invoiceitem", by_month=True),
    _remote(
        "waldur-remote-pull-resources",
        "resources:pull_remote_resources",
        used,
        "marketplace_resource",
        changes={"marketplace_resource": 2},
    ),
    _remote("waldur-remote-pull-orders", "orders:pull_orders", ordered, "marketplace_order", changes=ORDERED),
    _remote(
        "waldur-remote-pull-erred-orders",
        "orders:pull_erred_orders",
        ordered_in_vain,
        "marketplace_order",
        changes=ORDERED,
    ),
    _remote(
        "waldur-remote-pull-offerings",
        "offerings:pull_offerings",
        described,
        "marketplace_offeringcomponent",
        changes={"marketplace_offering": 1},
    ),
    _remote(
        "waldur-remote-offerings-sync",
        "offerings_sync:sync_offerings",
        on_market,
        "marketplace_offering",
        generation=NEWEST,
        changes={"marketplace_remote_remotesynchronisation": 2, **SYNCED},
    ),
    _remote(
        "waldur-remote-pull-offering-users",
        "offering_users:pull_offering_users",
        with_accounts,
        "marketplace_offeringuser",
    ),
    _remote(
        "waldur-remote-pull-robot-accounts",
        "robot_accounts:pull_robot_accounts",
        with_robots,
        "marketplace_robotaccount",
    ),
    _remote("waldur-remote-push-project-data", "project_data:push_project_data", with_projects, OUTSIDE),
    _remote(
        "waldur-remote-sync-remote-project-permissions",
        "project_permissions:sync_project_permissions",
        with_projects,
        OUTSIDE,
        document={"waldur": {SWITCH: True}},
    ),
)


# People's systems, of which a site has one.
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
    _tell_agents(scene)
    yield rabbitmq_at(port, 0)


@contextmanager
def _queues(scene: Scene, port: int) -> Iterator[Mapping[str, Any]]:
    _tell_agents(scene)
    with serving_stomp() as stomp:
        yield rabbitmq_at(stomp.port, port)


def _tell_agents(scene: Scene) -> None:
    """Two agents with something to hear of a resource and of an order, and queues for both."""
    agents = Agents(scene, None)
    for number in range(2):
        agents.subscribe(agents.agent(number), "resource", "order")
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
