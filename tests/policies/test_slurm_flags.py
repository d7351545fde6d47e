"""Flags of SLURM policies: taken back where nothing else wants them (spec newer_billing 3.4, 3.5)."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import literal, select, update

from tests.policies.clusters import Cluster, run
from tests.policies.scenes import APRIL, MARCH, Place, evaluate
from tests.scene import Scene
from tests.statements import counted
from waldur_dagster.policies import Affected, evaluate_policies
from waldur_dagster.schema import logging, marketplace, policy, structure

pytestmark = pytest.mark.generation("8")
PAUSE = "request_slurm_resource_pausing"


def change(scene: Scene, table: Any, id: int, **values: Any) -> None:
    with scene.engine.begin() as connection:
        connection.execute(update(table).where(table.c.id == id).values(**values))


def altered(scene: Scene, statement: str) -> Scene:
    with scene.engine.begin() as connection:
        connection.exec_driver_sql(statement)
    return Scene(scene.engine, known=True)


def paused(scene: Scene) -> Cluster:
    cluster = Cluster(scene, PAUSE)
    cluster.use(4000)
    run(scene)
    assert cluster.flags() == {"paused"}
    return cluster


def noted(cluster: Cluster) -> str | None:
    """The class of the policy whose pause it is."""
    notes = cluster.scene.one(marketplace.resource, id=cluster.resource).attributes.get("_policy_attribution", {})
    found: str | None = notes.get("paused", {}).get("policy_class")
    return found


def events(scene: Scene) -> list[str]:
    return [event.event_type for event in scene.rows(logging.event) if event.event_type.endswith("pausing")]


def test_a_flag_is_taken_back_although_waldur_has_released_the_policy(scene: Scene) -> None:
    cluster = paused(scene)
    change(scene, policy.offeringusagepolicy, cluster.policy, has_fired=False)
    run(scene, APRIL)
    assert cluster.flags() == set()


def test_a_flag_is_taken_back_in_the_run_in_which_the_policy_fires_for_another_resource(scene: Scene) -> None:
    cluster = paused(scene)
    change(scene, policy.offeringusagepolicy, cluster.policy, has_fired=False)
    change(scene, marketplace.resource, cluster.resource, limits={"cpu": 10**6})
    other = scene.resource(cluster.place.project, cluster.offering, None, "other", limits={"cpu": 1})
    facts = {"component_id": cluster.cpu, "billing_period": date(2025, 3, 1), "date": MARCH}
    scene.add(marketplace.componentusage, resource_id=other, usage=10, **facts)
    run(scene)
    assert cluster.flags() == set()
    assert scene.one(marketplace.resource, id=other).paused


def test_in_the_days_of_grace_the_pause_of_a_slurm_policy_becomes_the_grace_times(scene: Scene) -> None:
    scene = altered(scene, "ALTER TABLE marketplace_resource ADD paused_by_grace_period boolean NOT NULL DEFAULT false")
    cluster = paused(scene)
    change(scene, structure.project, cluster.place.project, end_date=date(2025, 3, 25), grace_period_days=30)
    run(scene, APRIL)
    row = scene.one(marketplace.resource, id=cluster.resource)
    assert (row.paused, row.paused_by_grace_period, row.attributes) == (True, True, {})


def test_a_limit_on_usage_keeps_what_a_slurm_policy_has_paused(scene: Scene) -> None:
    cluster = paused(scene)
    change(scene, marketplace.resource, cluster.resource, usage_limit_restriction="paused")
    run(scene, APRIL)
    assert (cluster.flags(), noted(cluster)) == ({"paused"}, None)
    assert run(scene, APRIL).rows == {}


def test_a_policy_on_cost_that_goes_on_keeps_what_a_slurm_policy_has_paused(scene: Scene) -> None:
    cluster = paused(scene)
    cluster.place.on_project("request_pausing", has_fired=True, limit_cost=-1)
    run(scene, APRIL)
    assert (cluster.flags(), noted(cluster)) == ({"paused"}, "ProjectEstimatedCostPolicy")
    assert events(scene) == [PAUSE]
    assert run(scene, APRIL).rows == {}


@pytest.mark.parametrize("alone", [False, True], ids=["all policies", "those on a changed cost"])
@pytest.mark.parametrize("by_hand", [False, True], ids=["paused by the policy", "by hand"])
def test_a_slurm_policy_keeps_what_a_policy_on_cost_has_paused(scene: Scene, alone: bool, by_hand: bool) -> None:
    cluster = Cluster(scene, PAUSE)
    cost = cluster.place.on_project("request_pausing", has_fired=by_hand)
    if by_hand:
        change(scene, marketplace.resource, cluster.resource, paused=True)
    run(scene)
    cluster.use(4000)
    cluster.use(4000, date(2025, 4, 1))
    run(scene)
    before = events(scene)
    with scene.site() as site:
        evaluate(site, APRIL, Affected(projects=select(literal(cluster.place.project))) if alone else None)
    assert not scene.one(policy.projectestimatedcostpolicy, id=cost).has_fired
    assert (cluster.flags(), noted(cluster), events(scene)) == ({"paused"}, "SlurmPeriodicUsagePolicy", before)


def test_the_note_of_a_kept_flag_names_the_policy_that_stays(scene: Scene) -> None:
    cluster = Cluster(scene, PAUSE)
    cluster.place.on_project("request_pausing")
    run(scene)
    cluster.place.on_customer("request_pausing", limit_cost=-1)
    run(scene, APRIL)
    assert (cluster.flags(), noted(cluster)) == ({"paused"}, "CustomerEstimatedCostPolicy")


def test_on_sites_between_both_generations_slurm_policies_take_their_flags_back_too(scene: Scene) -> None:
    scene = altered(scene, "ALTER TABLE policy_projectestimatedcostpolicy DROP COLUMN use_credit")
    cluster = paused(scene)
    cluster.place.on_project("request_pausing")
    assert noted(cluster) == "SlurmPeriodicUsagePolicy"
    run(scene)
    assert cluster.flags() == {"paused"}
    run(scene, APRIL)
    assert cluster.flags() == set()


def test_an_idle_evaluation_writes_nothing_and_costs_the_same_however_many_policies_there_are(scene: Scene) -> None:
    def statements(clusters: int) -> int:
        for _ in range(clusters):
            Place.make(scene)
            Cluster(scene, PAUSE).use(4000)
        run(scene)
        with scene.site() as site, site.work("check-polices", MARCH) as work, counted(work.connection) as seen:
            evaluate_policies(work)
        assert work.outcome.rows == {}
        return len(seen)

    assert statements(1) == statements(5)
