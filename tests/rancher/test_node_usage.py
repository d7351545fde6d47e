"""What a cluster's nodes cost: the highest number of the month, each run counted once when all states are known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.rancher.rancher_server import LoopbackRancher, node, serving_rancher
from tests.rancher.rancher_site import NOW, RancherSite, told
from tests.rancher.test_nodes import CREATING, ENTRY, ERRED, OK, nodes_of
from tests.scene import Scene
from waldur_dagster.outcome import Outcome
from waldur_dagster.rancher.nodes import update_nodes
from waldur_dagster.schema import invoices, logging, marketplace, rancher

APRIL = datetime(2025, 4, 1, 4, 2, tzinfo=UTC)


def play(site: RancherSite, *runs: tuple[datetime, list[str]], **document: Any) -> Outcome:
    """Runs at some instants; before each Rancher's nodes get the given states."""
    with serving_rancher(LoopbackRancher()) as server:
        clusters = site.scene.rows(rancher.cluster)
        settings = site.server(server)
        if not clusters:
            cluster = site.cluster(settings)
            site.sold(cluster)
            for n in range(len(runs[0][1])):
                site.node(cluster, f"n{n}", CREATING)
        for at, states in runs:
            nodes_of(server, "c-1", *(node(f"n{n}", state) for n, state in enumerate(states)))
            outcome = site.run(update_nodes, ENTRY, at=at, **document)
    return outcome


def used(scene: Scene) -> list[tuple[str, float]]:
    return [(str(row.billing_period), float(row.usage)) for row in scene.rows(marketplace.componentusage)]


def billed(scene: Scene) -> list[float]:
    return [float(row.quantity) for row in scene.rows(invoices.invoiceitem)]


def test_the_months_usage_is_the_highest_and_current_usage_the_last(scene: Scene) -> None:
    site = RancherSite(scene)
    outcome = play(
        site,
        (NOW, ["active", "active", "error"]),
        (NOW + timedelta(days=1), ["active", "error", "error"]),
        (NOW + timedelta(days=2), ["active", "active", "active"]),
    )
    assert told(outcome) == ""
    assert used(scene) == [("2025-03-01", 3.0)] and billed(scene) == [3.0]
    assert scene.one(marketplace.componentusage).date == datetime(2025, 3, 10, tzinfo=UTC)
    assert scene.one(marketplace.resource).current_usages == {"node": 3}


def test_a_higher_report_of_another_source_stays_with_its_words(scene: Scene) -> None:
    site = RancherSite(scene)
    play(site, (NOW, ["active"]))
    row = scene.one(marketplace.componentusage)
    site.change(marketplace.componentusage, row.id, usage=7, description="by hand")
    play_again = [(NOW + timedelta(days=1), ["error"]), (NOW + timedelta(days=2), ["active"])]
    with serving_rancher(LoopbackRancher()) as server:
        site.change(rancher.cluster, scene.one(rancher.cluster).id, settings_id=site.server(server, "again"))
        for at, states in play_again:
            nodes_of(server, "c-1", *(node(f"n{n}", state) for n, state in enumerate(states)))
            site.run(update_nodes, ENTRY, at=at)
    assert used(scene) == [("2025-03-01", 7.0)] and billed(scene) == [1.0]
    row = scene.one(marketplace.componentusage)
    assert (row.description, row.modified) == ("by hand", NOW + timedelta(days=2))


def test_a_month_without_a_change_is_told_and_not_billed(scene: Scene) -> None:
    outcome = play(RancherSite(scene), (NOW, ["active"]), (APRIL, ["active"]))
    assert used(scene) == [("2025-03-01", 1.0)]
    assert "1 clusters: have running nodes and no usage in this month" in told(outcome)
    assert outcome.failures == []


def test_a_month_without_a_change_is_billed_where_the_deployment_says_so(scene: Scene) -> None:
    runs = [(NOW, ["active"]), (APRIL, ["active"]), (APRIL + timedelta(days=1), ["active"])]
    assert told(play(RancherSite(scene), *runs, rancher={"bill_unchanged_months": True})) == ""
    assert used(scene) == [("2025-03-01", 1.0), ("2025-04-01", 1.0)] and billed(scene) == [1.0, 1.0]


def test_usage_of_no_plan_is_kept_and_not_billed(scene: Scene) -> None:
    site = RancherSite(scene)
    with serving_rancher(LoopbackRancher()) as server:
        cluster = site.cluster(site.server(server))
        resource = site.sold(cluster)
        (period,) = scene.rows(marketplace.resourceplanperiod, resource_id=resource)
        site.change(marketplace.resourceplanperiod, period.id, start=NOW.replace(hour=0, minute=5))
        site.node(cluster, "n", CREATING)
        nodes_of(server, "c-1", node("n"))
        site.run(update_nodes, ENTRY)
    assert scene.one(marketplace.componentusage).plan_period_id is None
    assert billed(scene) == []


def test_a_period_that_began_at_midnight_is_the_one(scene: Scene) -> None:
    site = RancherSite(scene)
    with serving_rancher(LoopbackRancher()) as server:
        cluster = site.cluster(site.server(server))
        resource = site.sold(cluster)
        (old,) = scene.rows(marketplace.resourceplanperiod, resource_id=resource)
        midnight = NOW.replace(hour=0, minute=0)
        site.change(marketplace.resourceplanperiod, old.id, end=midnight)
        new = scene.add(
            marketplace.resourceplanperiod, resource_id=resource, plan_id=old.plan_id, start=midnight, end=None
        )
        site.node(cluster, "n", CREATING)
        nodes_of(server, "c-1", node("n"))
        site.run(update_nodes, ENTRY)
    assert scene.one(marketplace.componentusage).plan_period_id == new


@pytest.mark.generation("8")
def test_newer_waldur_bills_nodes_by_plan_period_with_an_event(scene: Scene) -> None:
    assert told(play(RancherSite(scene), (NOW, ["active", "active"]))) == ""
    (item,) = scene.rows(invoices.invoiceitem)
    period = scene.one(marketplace.resourceplanperiod)
    assert float(item.quantity) == 2 and item.details["plan_period_uuid"] == period.uuid.hex
    assert [row.event_type for row in scene.rows(logging.event)] == ["invoice_item_created"]


def test_a_cluster_whose_nodes_cannot_be_deleted_is_erred_and_its_resource_ok(scene: Scene) -> None:
    site = RancherSite(scene)
    with serving_rancher(LoopbackRancher()) as server:
        cluster = site.cluster(site.server(server), state=8)
        resource = site.sold(cluster, state=5)
        site.node(cluster, "n", OK)
        nodes_of(server, "c-1", node("n", "error"))
        assert told(site.run(update_nodes, ENTRY)) == ""
    row = scene.one(rancher.cluster)
    assert (row.state, row.error_message) == (ERRED, "Deleting one or a more nodes have failed.")
    assert scene.one(marketplace.resource, id=resource).state == 2
    kinds = [row.event_type for row in scene.rows(logging.event)]
    assert kinds == ["marketplace_resource_has_been_changed", "marketplace_resource_terminate_failed"]
