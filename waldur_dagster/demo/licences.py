"""What only newer versions of Waldur sell: volume discounts, limits by quarter, overage of what is prepaid."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from waldur_dagster.demo.rows import Rows
from waldur_dagster.platform.month import Month
from waldur_dagster.schema import marketplace, structure

DISCOUNT = "15 if usage >= 40 else 5 if usage >= 10 else 0"


@dataclass(frozen=True)
class Licences:
    """A customer's resource, the component of which it has prepaid some, and the time of its plan."""

    resource: int
    prepaid: int
    plan_period: int


def add_licences(rows: Rows, provider: int, customers: list[int], month: Month) -> list[Licences]:
    """An offering with one plan, and a resource of it for each of the customers."""
    suite = _Suite(rows, provider)
    extra = suite.component("extra", "Support beyond that", 90, billing_type="usage")
    # Older versions of Waldur know no quarters.
    quarter = "quarterly" if rows.schema.holds(marketplace.offeringcomponent.c.limit_period, "quarterly") else "month"
    prepaid: dict[str, Any] = {"billing_type": "one", "limit_period": quarter, "is_prepaid": True}
    hours = suite.component("hours", "Support", 70, overage_component_id=extra, **prepaid)
    suite.component("seats", "Seats", 36, billing_type="limit", limit_period=quarter)
    suite.component("tokens", "Floating licences", 12, DISCOUNT, billing_type="limit", limit_period="month")
    made = []
    for customer in customers:
        resource = suite.resource(customer, month)
        period = rows.add(marketplace.resourceplanperiod, resource_id=resource, plan_id=suite.plan)
        made.append(Licences(resource, hours, period))
    return made


def use_support(rows: Rows, licences: list[Licences], month: Month, hours: float) -> None:
    """Reports of a month's use of what is prepaid."""
    for bought in licences:
        rows.add(
            marketplace.componentusage,
            resource_id=bought.resource,
            component_id=bought.prepaid,
            plan_period_id=bought.plan_period,
            usage=hours,
            date=month.start,
            billing_period=month.first,
            missing_usage_policy="none",
        )


class _Suite:
    """An offering with a plan by the month."""

    def __init__(self, rows: Rows, provider: int):
        self._rows = rows
        category = rows.add(marketplace.category, title="Software")
        facts = {"type": "Marketplace.Basic", "customer_id": provider, "category_id": category}
        self._offering = rows.add(marketplace.offering, name="Engineering suite", **facts)
        self.plan = rows.add(marketplace.plan, offering_id=self._offering, name="Campus", unit="month")

    def component(self, type: str, name: str, price: int, formula: str = "", **how: Any) -> int:
        component = self._rows.add(
            marketplace.offeringcomponent, offering_id=self._offering, type=type, name=name, **how
        )
        priced = {"plan_id": self.plan, "component_id": component, "price": price, "amount": 1}
        self._rows.add(marketplace.plancomponent, discount_formula=formula, **priced)
        return component

    def resource(self, customer: int, month: Month) -> int:
        project = self._rows.add(structure.project, customer_id=customer, name="Engineering")
        return self._rows.add(
            marketplace.resource,
            project_id=project,
            offering_id=self._offering,
            plan_id=self.plan,
            name="suite",
            state=2,
            limits={"seats": 12, "hours": 10, "tokens": 24 + customer},
            created=month.previous.start - timedelta(days=10),
        )
