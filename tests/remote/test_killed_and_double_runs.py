"""Runs that are killed in the middle, and two at once, in processes of their own: nothing is doubled or lost."""

from __future__ import annotations

from typing import Any

import pytest

from tests.processes import kill, started, wait_until
from tests.remote.remote_waldur import RemoteWaldur, serving_remote, stalling
from tests.remote.scenes import ResellerSite, order, remote_item, remote_resource, usage
from tests.remote.test_resources import new_order
from tests.scene import Scene
from waldur_dagster.functions import Function
from waldur_dagster.schema import invoices, logging, marketplace
from waldur_dagster.site import AlreadyRunning

WORK = {
    "waldur-remote-pull-usage": "waldur_dagster.remote.usage:pull_usage",
    "waldur-remote-pull-invoices": "waldur_dagster.remote.invoices:pull_invoices",
    "waldur-remote-pull-orders": "waldur_dagster.remote.orders:pull_orders",
    "waldur-remote-pull-erred-orders": "waldur_dagster.remote.orders:pull_erred_orders",
    "waldur-remote-pull-resources": "waldur_dagster.remote.resources:pull_remote_resources",
}
BY_MONTH = ("waldur-remote-pull-usage", "waldur-remote-pull-invoices")
CHILD = """
import sys
from tests.remote.scenes import NOW
from tests.remote.test_killed_and_double_runs import BY_MONTH, WORK, Function
from waldur_dagster.deployment import parse_deployment
from waldur_dagster.platform.month import Month
from waldur_dagster.site import Site
entry = sys.argv[2]
with Site(parse_deployment({"database": {"url": sys.argv[1]}})) as site:
    month = [Month.of(NOW, site.deployment.zone)] if entry in BY_MONTH else []
    Function(WORK[entry])(site.transactions(entry, NOW), *month)
"""
MANY = 21
ERRED = 4


def fill(scene: Scene, remote: RemoteWaldur, entry: str) -> ResellerSite:
    """One offering that is pulled by its list, one whose resources are asked for singly; all have something new."""
    site = ResellerSite(scene)
    remote.objects |= {
        "marketplace-component-usages": [],
        "invoice-items": [],
        "marketplace-orders": [],
        "marketplace-resources": [],
    }
    number = 0
    for name, count in (("Large", MANY), ("Small", 5)):
        offering = site.offering(remote, name)
        for resource in site.resources(offering, count, state=5, attributes={}, options={}):
            number += 1
            remote.objects["marketplace-component-usages"].append(usage(resource, resource, offering))
            remote.objects["invoice-items"].append(remote_item(resource, resource, offering))
            if entry == "waldur-remote-pull-resources":
                placed = new_order(1000 + number, "done", resource, offering, type="Update")
                remote.objects["marketplace-orders"].append(placed)
                remote.objects["marketplace-resources"].append(remote_resource(resource, offering, "OK"))
            elif number % 5 == 0:
                id = site.order(resource, 3, ERRED if "erred" in entry else 2)
                remote.objects["marketplace-orders"].append(order(id, "done"))
    return site


def state(scene: Scene) -> dict[str, Any]:
    """What the run makes, without what differs from run to run."""
    tables = (marketplace.componentusage, invoices.invoiceitem, marketplace.order)
    return {
        "rows": [len(scene.rows(table)) for table in tables],
        "orders": sorted(row.state for row in scene.rows(marketplace.order)),
        "resources": sorted(row.state for row in scene.rows(marketplace.resource)),
        "totals": [row.total_price for row in scene.rows(invoices.invoice)],
        "events": sorted(row.event_type for row in scene.rows(logging.event)),
        "periods": len(scene.rows(marketplace.resourceplanperiod)),
    }


@pytest.mark.parametrize("entry", WORK)
def test_after_a_kill_the_next_run_does_the_rest_and_nothing_twice(scene: Scene, twin_scene: Scene, entry: str) -> None:
    run = Function(WORK[entry])
    with serving_remote() as remote:
        site = fill(scene, remote, entry)
        remote.fault, go_on = stalling(3)
        child = started(CHILD, scene.engine.url.render_as_string(hide_password=False), entry)
        wait_until(lambda: sum(remote.calls.values()) > 3)
        kill(child, scene.engine)
        go_on.set()
        remote.fault = lambda *_: None
        assert site.run(run, entry, by_month=entry in BY_MONTH).failures == []
        assert dict(site.run(run, entry, by_month=entry in BY_MONTH).rows) == {}
    with serving_remote() as remote:
        undisturbed = fill(twin_scene, remote, entry)
        undisturbed.run(run, entry, by_month=entry in BY_MONTH)
    assert state(scene) == state(twin_scene)
    assert all(not calls.startswith(("POST", "PATCH")) for calls in remote.calls)


@pytest.mark.parametrize("entry", ["waldur-remote-pull-usage", "waldur-remote-pull-resources"])
def test_of_two_runs_at_once_one_works_and_the_other_says_so(scene: Scene, entry: str) -> None:
    with serving_remote() as remote:
        site = fill(scene, remote, entry)
        remote.fault, go_on = stalling(1)
        child = started(CHILD, scene.engine.url.render_as_string(hide_password=False), entry)
        wait_until(lambda: sum(remote.calls.values()) > 1)
        with pytest.raises(AlreadyRunning):
            site.run(Function(WORK[entry]), entry, by_month=entry in BY_MONTH)
        go_on.set()
        assert child.wait(60) == 0
        assert dict(site.run(Function(WORK[entry]), entry, by_month=entry in BY_MONTH).rows) == {}
