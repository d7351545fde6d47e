"""The monthly billing on newer sites: what is billed, how items tell of themselves, who acts (newer_billing 1)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from tests.scene import Scene, bill
from tests.statements import counted
from waldur_dagster.billing import monthly as billing
from waldur_dagster.platform.month import Month
from waldur_dagster.schema import billing as estimates
from waldur_dagster.schema import django, invoices, logging

pytestmark = pytest.mark.generation("8")
APRIL = "2025-04-01T00:00:00+00:00"


def _sold(scene: Scene, *, type: str = "Marketplace.Basic", price: float = 10, amount: int = 3, **offering) -> int:
    """A resource with a fixed price; returns its customer."""
    customer = scene.customer()
    sold = scene.offering(customer, type=type, **offering)
    plan = scene.plan(sold)
    scene.price(plan, scene.component(sold), price, amount)
    scene.resource(scene.project(customer), sold, plan, "vm")
    return customer


def test_offerings_of_any_type_are_billed_but_those_that_are_not_billable(scene: Scene) -> None:
    for kind in ("Marketplace.Basic", "Waldur.RemoteOffering", "VMware.VirtualMachine", "Of.Tomorrow"):
        _sold(scene, type=kind)
    _sold(scene, billable=False)
    with scene.site() as site:
        bill(site, APRIL)
    items = scene.rows(invoices.invoiceitem)
    assert len(items) == 4
    assert {(item.quantity, item.unit_price, item.details["discount_usage"]) for item in items} == {(1, 30, 3)}
    assert all(item.plan_component_id == item.details["plan_component_id"] for item in items)


@pytest.mark.parametrize("charged", [{"billing_type": "one"}, {"billing_type": "few"}, {"is_prepaid": True}])
def test_what_is_charged_once_is_left_to_its_order(scene: Scene, charged: dict) -> None:
    customer = scene.customer()
    offering = scene.offering(customer)
    plan = scene.plan(offering)
    scene.price(plan, scene.component(offering, **({"billing_type": "one"} | charged)), 50, 3)
    scene.resource(scene.project(customer), offering, plan, limits={"cpu": 10})
    with scene.site() as site:
        bill(site, APRIL)
    assert scene.rows(invoices.invoiceitem) == []


def test_an_item_that_was_changed_in_the_month_is_closed_as_it_is(scene: Scene) -> None:
    """Limit 4 for 10 days, then 8 for 10 days: 6 by the month, 120 by the day; both are Waldur's own work."""
    invoice = scene.invoice(scene.customer(), 2025, 3)
    for unit, quantity in (("month", 6), ("day", 120)):
        scene.item(invoice, 10, unit=unit, quantity=quantity)
    before = scene.rows(invoices.invoiceitem)
    with scene.site() as site:
        bill(site, APRIL)
    assert scene.rows(invoices.invoiceitem) == before


def test_every_item_and_every_closing_is_told_of_by_the_robot(scene: Scene) -> None:
    scene.user("", username="system_robot", first_name="System", last_name="Robot", is_staff=True)
    customer = _sold(scene)
    old = scene.invoice(customer, 2025, 3)
    with scene.site() as site:
        bill(site, APRIL)
    closed, made = scene.rows(logging.event)
    assert (closed.event_type, made.event_type) == ("invoice_created", "invoice_item_created")
    invoice, item = scene.one(invoices.invoice, id=old), scene.one(invoices.invoiceitem)
    facts = {"invoice_uuid": invoice.uuid.hex, "invoice_year": "2025", "invoice_month": "3", "year": 2025, "month": 3}
    assert closed.context.items() >= facts.items()
    assert made.context["invoice_item_uuid"] == item.uuid.hex and made.context["invoice_month"] == "4"
    assert {event.context["user_username"] for event in (closed, made)} == {"system_robot"}
    feeds = scene.rows(logging.feed, event_id=made.id)
    assert {feed.object_id for feed in feeds} == {item.invoice_id, customer}


def test_removed_projects_keep_their_estimates_until_they_cost_something(scene: Scene) -> None:
    customer = _sold(scene)
    idle = scene.project(customer, is_removed=True)
    project_type = scene.one(django.content_type, model="project").id
    scene.add(estimates.priceestimate, content_type_id=project_type, object_id=idle, total=7.5)
    with scene.site() as site:
        bill(site, APRIL)
    totals = {(row.content_type_id, row.object_id): row.total for row in scene.rows(estimates.priceestimate)}
    assert totals[project_type, idle] == 7.5 and sorted(totals.values()) == [7.5, 30.0, 30.0]


def test_months_are_those_of_the_sites_own_zone(scene: Scene) -> None:
    _sold(scene)
    with scene.site(time_zone="Europe/Tallinn") as site:
        bill(site, "2025-03-31T21:00:00+00:00")
    invoice = scene.one(invoices.invoice)
    assert (invoice.year, invoice.month, invoice.created.isoformat()) == (2025, 4, "2025-04-01")


def test_fractions_of_limits_are_billed_as_finely_as_they_may_be_sold(scene: Scene) -> None:
    customer = scene.customer()
    for kind, places in (("OpenStack.Tenant", 0), ("OpenStack.Tenant", 1), ("Marketplace.Basic", 1)):
        offering = scene.offering(customer, type=kind)
        plan = scene.plan(offering)
        component = scene.component(offering, "cores", "limit", limit_decimal_places=places)
        scene.price(plan, component, 10)
        scene.resource(scene.project(customer), offering, plan, limits={"cores": 2.5})
    with scene.site() as site:
        bill(site, APRIL)
    assert [item.quantity for item in scene.rows(invoices.invoiceitem)] == [2, Decimal("2.5"), Decimal("2.5")]


def test_more_customers_and_discounts_take_no_more_statements(scene: Scene) -> None:
    seen = []
    for number, month in ((1, 4), (10, 5)):
        for _ in range(number):
            _sold(scene)
        now = datetime(2025, month, 1, tzinfo=ZoneInfo("UTC"))
        with scene.site() as site:
            statements: list[str] = []
            for step in (billing.close_past_invoices, billing.make_new_invoices):
                with site.work(billing.ENTRY, now) as work, counted(work.connection) as asked:
                    step(work, Month.of(now, site.deployment.zone))
                statements += asked
        seen.append(len(statements))
    assert seen[0] == seen[1]
