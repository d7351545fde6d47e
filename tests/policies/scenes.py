"""A project with a cost, and policies on it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from tests.scene import Scene
from waldur_dagster.outcome import Outcome
from waldur_dagster.policies import Affected, evaluate_policies
from waldur_dagster.policies.notifications import NOTIFICATION
from waldur_dagster.schema import core, marketplace, permissions, policy
from waldur_dagster.site import Site

ENTRY = "check-polices"
MARCH = datetime(2025, 3, 10, 9, 30, tzinfo=UTC)
APRIL = datetime(2025, 4, 1, 0, 1, tzinfo=UTC)


@dataclass
class Place:
    """A customer's project with a resource that costs 20 in March, VAT included."""

    scene: Scene
    customer: int
    project: int
    offering: int
    resource: int
    invoice: int

    @classmethod
    def make(cls, scene: Scene, cost: int | str = 20, *, group: int | None = None, **customer: Any) -> Place:
        customer_id = scene.member(group, **customer)
        project = scene.project(customer_id)
        offering = scene.offering(scene.customer("Provider"), "Cloud")
        resource = scene.resource(project, offering, None, "vm")
        invoice = scene.invoice(customer_id, 2025, 3)
        scene.item(invoice, cost, resource_id=resource, project_id=project)
        return cls(scene, customer_id, project, offering, resource, invoice)

    def on_project(self, actions: str, **values: Any) -> int:
        return self._add(policy.projectestimatedcostpolicy, self.project, actions, values)

    def on_customer(self, actions: str, **values: Any) -> int:
        return self._add(policy.customerestimatedcostpolicy, self.customer, actions, values)

    def on_offering(self, actions: str, *groups: int, **values: Any) -> int:
        """A policy on what the offering costs the customers of these organization groups."""
        id = self._add(policy.offeringestimatedcostpolicy, self.offering, actions, values)
        for group in groups:
            self.scene.add(
                policy.offeringestimatedcostpolicy_organization_groups,
                offeringestimatedcostpolicy_id=id,
                organizationgroup_id=group,
            )
        return id

    def on_usage(self, actions: str, group: int, limits: dict[str, tuple[int, int]], period: int = 2) -> int:
        """A policy on the offering's usage by the customers of a group; by component (limit, what March has used)."""
        id = self.scene.add(policy.offeringusagepolicy, scope_id=self.offering, actions=actions, period=period)
        self.scene.add(
            policy.offeringusagepolicy_organization_groups, offeringusagepolicy_id=id, organizationgroup_id=group
        )
        for name, (limit, used) in limits.items():
            component = self.scene.component(self.offering, name.lower(), "usage", name=name)
            self.scene.add(policy.offeringcomponentlimit, policy_id=id, component_id=component, limit=limit)
            self.use(component, used, date(2025, 3, 1))
        return id

    def use(self, component: int, amount: int, period: date) -> None:
        self.scene.add(
            marketplace.componentusage,
            resource_id=self.resource,
            component_id=component,
            usage=amount,
            billing_period=period,
            date=MARCH,
        )

    def _add(self, table: Any, scope: int, actions: str, values: dict[str, Any]) -> int:
        return self.scene.add(table, **{"scope_id": scope, "actions": actions, "limit_cost": 10, "period": 2} | values)

    def member(self, email: str, **values: Any) -> int:
        """A user with a role in the project."""
        user = self.scene.user(email, **values)
        role = self.scene.add(permissions.role, name=f"ROLE {uuid.uuid4().hex}", is_active=True, content_type_id=2)
        return self.scene.add(
            permissions.userrole,
            user_id=user,
            role_id=role,
            content_type_id=2,
            object_id=self.project,
            is_active=True,
        )


def allow_mails(scene: Scene) -> None:
    scene.add(core.notification, key=NOTIFICATION, enabled=True)


def evaluate(site: Site, as_of: datetime = MARCH, affected: Affected | None = None) -> Outcome:
    with site.work(ENTRY, as_of) as work:
        evaluate_policies(work, affected)
    return site.outcome
