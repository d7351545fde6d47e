"""Remote Waldurs: what a site has at one of them, and what that remote says; and the entries that visit them.

A site has one more, which is well: what is there is done whatever the other does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Any

from tests.chaos.systems import ON_WEB, OUTSIDE, Prepare, System, at
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
from waldur_dagster.functions import Function
from waldur_dagster.schema.generations import Generation

ERRED = 4
_numbers = count(1)


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
        generation=Generation.NEWEST,
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
