"""An offering with a SLURM policy, on sites that have such."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from tests.policies.scenes import MARCH, Place, evaluate
from tests.scene import Scene
from waldur_dagster.outcome import Outcome
from waldur_dagster.schema import marketplace, policy

SUPPORTED = {"supports_downscaling": True, "supports_pausing": True, "service_provider_can_create_offering_user": True}


def run(scene: Scene, as_of: datetime = MARCH) -> Outcome:
    with scene.site() as site:
        outcome = evaluate(site, as_of)
    assert outcome.failures == []
    return outcome


class Cluster:
    """An offering with a SLURM policy, and an allocation of 2560 of its component cpu."""

    def __init__(self, scene: Scene, actions: str, grace: float = 0.2, limits: Any = None, **facts: Any):
        self.scene = scene
        self.place = Place.make(scene)
        self.offering = scene.offering(scene.customer("Seller"), "Cluster", plugin_options=SUPPORTED)
        self.cpu = scene.component(self.offering, "cpu", "limit", limit_period="month")
        self.resource = scene.resource(self.place.project, self.offering, None, "hpc", limits=limits or {"cpu": 2560})
        self.policy = scene.add(
            policy.offeringusagepolicy, scope_id=self.offering, actions=actions, period=2, options={}, apply_to_all=True
        )
        terms = {"tres_billing_enabled": True, "tres_billing_weights": {}, "grace_ratio": grace} | facts
        whole = scene.whole(policy.slurmperiodicusagepolicy)
        neutral = {"limit_type": "", "carryover_enabled": False, "raw_usage_reset": True, "qos_strategy": ""}
        row = {"offeringusagepolicy_ptr_id": self.policy, "carryover_factor": 0} | neutral | terms
        with scene.engine.begin() as connection:
            connection.execute(whole.insert().values(row))

    def use(self, amount: int, period: date = date(2025, 3, 1)) -> None:
        facts = {"resource_id": self.resource, "component_id": self.cpu, "billing_period": period, "date": MARCH}
        self.scene.add(marketplace.componentusage, usage=amount, **facts)

    def flags(self) -> set[str]:
        row = self.scene.one(marketplace.resource, id=self.resource)
        return {name for name in ("downscaled", "paused") if getattr(row, name)}
