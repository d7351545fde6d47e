"""When SLURM policies fire, and on what terms (spec newer_billing 3.4)."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tests.policies.clusters import Cluster, run
from tests.policies.scenes import APRIL, evaluate
from tests.policies.test_newer_policies import fired
from tests.scene import Scene
from waldur_dagster.schema import logging, marketplace, policy

pytestmark = pytest.mark.generation("8")
SLURM = "notify_organization_owners,request_slurm_resource_downscaling,request_slurm_resource_pausing"


@pytest.mark.parametrize(("grace", "flags"), [(0.2, {"downscaled", "paused"}), (0.3, {"downscaled"})])
def test_a_slurm_policy_acts_on_each_resource_at_each_threshold(scene: Scene, grace: float, flags: set[str]) -> None:
    cluster = Cluster(scene, SLURM, grace)
    cluster.use(3200)
    run(scene)
    assert fired(scene, policy.offeringusagepolicy) == [True]
    assert cluster.flags() == flags
    assert "notify_organization_owners" in [event.event_type for event in scene.rows(logging.event)]
    note = scene.one(marketplace.resource, id=cluster.resource).attributes["_policy_attribution"]["downscaled"]
    assert (note["policy_class"], note["grace_ratio"]) == ("SlurmPeriodicUsagePolicy", grace)
    run(scene, APRIL)
    assert (cluster.flags(), fired(scene, policy.offeringusagepolicy)) == (set(), [False])


def test_the_parent_of_a_slurm_policy_is_not_evaluated_by_itself(scene: Scene) -> None:
    cluster = Cluster(scene, "request_slurm_resource_downscaling")
    cluster.use(3200)
    run(scene)
    scene.add(policy.offeringcomponentlimit, policy_id=cluster.policy, component_id=cluster.cpu, limit=10**6)
    run(scene)
    assert fired(scene, policy.offeringusagepolicy) == [True]


@pytest.mark.parametrize(("used", "flags"), [(3199, set()), (3200, {"downscaled"})])
def test_what_was_left_of_the_last_period_is_added_to_an_allocation_as_far_as_the_policy_says(
    scene: Scene, used: int, flags: set[str]
) -> None:
    cluster = Cluster(scene, "request_slurm_resource_downscaling", carryover_enabled=True, carryover_factor=25)
    cluster.use(1000, date(2025, 2, 1))
    cluster.use(used)  # of 2560 and a quarter of it
    run(scene)
    assert cluster.flags() == flags


def test_a_slurm_policy_that_nobody_knows_how_to_measure_is_left_and_reported(scene: Scene) -> None:
    cluster = Cluster(scene, "request_slurm_resource_pausing", tres_billing_enabled=False)
    cluster.use(10**6)
    outcome = run(scene)
    assert (cluster.flags(), fired(scene, policy.offeringusagepolicy)) == (set(), [False])
    assert [warning.item for warning in outcome.warnings] == ["organization Seller"]


@pytest.mark.parametrize(
    "terms",
    [
        {"tres_billing_weights": {"cpu": "x"}},
        {"tres_billing_weights": {"cpu": None}},
        {"tres_billing_weights": [1]},
        {"tres_billing_weights": 1},
        {"tres_billing_weights": {"cpu": 10**400}},
        {"grace": float("inf")},
    ],
)
def test_a_slurm_policy_without_sound_terms_fails_alone(scene: Scene, terms: dict[str, Any]) -> None:
    cluster = Cluster(scene, "request_slurm_resource_downscaling", **terms)
    cluster.use(3200)
    cluster.place.on_project("request_pausing")
    with scene.site() as site:
        (failure,) = evaluate(site).failures
    assert scene.one(policy.offeringusagepolicy).uuid.hex in failure.item
    assert (cluster.flags(), fired(scene)) == ({"paused"}, [True])


def test_a_limit_beyond_all_numbers_measures_nothing(scene: Scene) -> None:
    cluster = Cluster(scene, SLURM, limits={"cpu": 2560, "mem": 10**400})
    cluster.use(3200)
    run(scene)
    assert cluster.flags() == {"downscaled", "paused"}
