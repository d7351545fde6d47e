"""Who gets an invoice of the new month, and for which resources (spec invoices, step 3 and 1.4)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.scene import Scene, bill
from waldur_dagster.billing.monthly import ENTRY, make_new_invoices
from waldur_dagster.outcome import Outcome
from waldur_dagster.platform.month import Month
from waldur_dagster.schema import billing, django, invoices, marketplace, structure
from waldur_dagster.site import Site

APRIL = "2025-04-01T00:00:00+00:00"
NOW = datetime.fromisoformat(APRIL)


def _bill(scene: Scene, as_of: str = APRIL, **document: Any) -> Outcome:
    with scene.site(**document) as site:
        return bill(site, as_of)


def _machine(scene: Scene, price: float | str = 10, *, type: str = "Marketplace.Basic", **resource: Any) -> int:
    """A resource with one fixed price of a new customer; returns it."""
    offering = scene.offering(customer := scene.customer("Org", default_tax_percent=20), "Cloud", type=type)
    plan = scene.plan(offering, "Small", article_code="PLAN")
    scene.price(plan, scene.component(offering, name="Cores", measured_unit="core"), price)
    return scene.resource(scene.project(customer, "Lab"), offering, plan, "vm", **resource)


# Who gets an invoice


def test_a_customer_without_resources_gets_an_empty_invoice(scene: Scene) -> None:
    scene.customer(default_tax_percent=20)
    _bill(scene)
    made = scene.one(invoices.invoice)
    assert (made.year, made.month, made.state, made.created) == (2025, 4, "pending", date(2025, 4, 1))
    assert (made.tax_percent, made.total_price, made.total_cost, made.invoice_date) == (20, 0, 0, None)


def test_an_archived_customer_gets_none_and_a_blocked_one_does(scene: Scene) -> None:
    scene.customer(archived=True)
    blocked = scene.customer(blocked=True)
    _bill(scene)
    assert scene.one(invoices.invoice).customer_id == blocked


@pytest.mark.parametrize("enabled", [True, False])
def test_accounting_that_begins_later_counts_only_where_the_site_asks_for_it(scene: Scene, enabled: bool) -> None:
    for name, offset in (("before", -1), ("now", 0), ("later", 1)):
        scene.customer(name, accounting_start_date=NOW + timedelta(seconds=offset))
    _bill(scene, waldur={"WALDUR_CORE.ENABLE_ACCOUNTING_START_DATE": enabled})
    billed = {row.customer_id for row in scene.rows(invoices.invoice)}
    names = {row.name for row in scene.rows(structure.customer) if row.id in billed}
    assert names == ({"before"} if enabled else {"before", "now", "later"})


@pytest.mark.parametrize("enabled", [True, False])
def test_a_past_month_has_neither_customers_nor_resources_that_came_after_it(scene: Scene, enabled: bool) -> None:
    def made(year: int) -> datetime:
        return datetime(year, 1, 1, tzinfo=UTC)

    provider = scene.customer("Provider", archived=True)
    offering = scene.offering(provider)
    plan = scene.plan(offering)
    scene.price(plan, scene.component(offering), 10)
    for name, created, started in (("there", 2024, 2024), ("started later", 2024, 2026), ("came later", 2026, 2024)):
        customer = scene.customer(name, created=made(created), accounting_start_date=made(started))
        project = scene.project(customer)
        for year in (2024, 2026):
            scene.resource(project, offering, plan, f"of {year}", created=made(year))
    settings = {"WALDUR_CORE.ENABLE_ACCOUNTING_START_DATE": enabled}
    april = Month(2025, 4, ZoneInfo("UTC"))
    late = Site(scene.deployment(waldur=settings), present=made(2027))
    with late as site, site.work(ENTRY, april.start) as work:
        make_new_invoices(work, april)
    billed = scene.one(invoices.invoice)
    assert scene.one(structure.customer, id=billed.customer_id).name == "there"
    assert [item.details["resource_name"] for item in scene.rows(invoices.invoiceitem)] == ["of 2024"]


@pytest.mark.parametrize("state", ["pending", "created", "paid", "canceled"])
def test_an_invoice_that_is_there_is_left_alone_whatever_its_state(scene: Scene, state: str) -> None:
    resource = _machine(scene)
    project = scene.one(marketplace.resource, id=resource).project_id
    customer = scene.one(structure.project, id=project).customer_id
    scene.invoice(customer, 2025, 4, state)
    before = scene.rows(invoices.invoice)
    _bill(scene)
    assert scene.rows(invoices.invoice) == before
    assert scene.rows(invoices.invoiceitem) == []


@pytest.mark.generation("8")
def test_a_tax_that_no_invoice_can_hold_is_told_and_the_others_get_their_invoices(scene: Scene) -> None:
    scene.customer("Whole", default_tax_percent=100)
    usual = scene.customer("Usual", default_tax_percent="99.99")
    billed = scene.customer("Billed", default_tax_percent=100)
    scene.invoice(billed, 2025, 4)
    failures = _bill(scene).failures
    assert [failure.item for failure in failures] == ["customer Whole"]
    assert "tax of 100.00 %" in failures[0].problem
    made = scene.one(invoices.invoice, customer_id=usual)
    assert made.tax_percent == Decimal("99.99")
    assert {row.customer_id for row in scene.rows(invoices.invoice)} == {usual, billed}


# For which resources


@pytest.mark.parametrize(("state", "items"), [(1, 0), (2, 1), (3, 1), (4, 1), (5, 1), (6, 0)])
def test_resources_that_are_not_there_yet_or_no_more_cost_nothing(scene: Scene, state: int, items: int) -> None:
    _machine(scene, state=state)
    _bill(scene)
    assert len(scene.rows(invoices.invoiceitem)) == items


@pytest.mark.parametrize(
    ("type", "items"),
    [
        ("Marketplace.Booking", 1),
        ("Marketplace.Rancher", 1),
        ("Marketplace.Script", 1),
        ("Marketplace.Slurm", 1),
        ("Support.OfferingTemplate", 1),
        ("Waldur.RemoteOffering", 0),
        ("OpenStack.Instance", 0),
        ("VMware.VirtualMachine", 0),
    ],
)
def test_only_offerings_that_are_billed_here_have_items(scene: Scene, type: str, items: int) -> None:
    _machine(scene, type=type)
    _bill(scene)
    assert len(scene.rows(invoices.invoiceitem)) == items


def test_resources_of_removed_projects_are_billed(scene: Scene) -> None:
    _machine(scene)
    with scene.engine.begin() as connection:
        connection.execute(structure.project.update().values(is_removed=True))
    _bill(scene)
    assert scene.one(invoices.invoiceitem).project_name == "Lab"


@pytest.mark.parametrize("kind", ["usage", "one", "few"])
def test_other_kinds_of_components_cost_nothing_when_the_month_begins(scene: Scene, kind: str) -> None:
    offering = scene.offering(customer := scene.customer())
    plan = scene.plan(offering)
    scene.price(plan, scene.component(offering, billing_type=kind), 5)
    scene.resource(scene.project(customer), offering, plan, limits={"cpu": 5})
    _bill(scene)
    assert scene.rows(invoices.invoiceitem) == []


@pytest.mark.parametrize(("period", "items"), [("month", 1), ("annual", 1), (None, 1), ("total", 0)])
def test_limits_are_billed_every_month_but_those_for_the_whole_life(
    scene: Scene, period: str | None, items: int
) -> None:
    offering = scene.offering(customer := scene.customer())
    plan = scene.plan(offering)
    scene.price(plan, scene.component(offering, billing_type="limit", limit_period=period), 5)
    scene.resource(scene.project(customer), offering, plan, limits={"cpu": 5})
    _bill(scene)
    assert len(scene.rows(invoices.invoiceitem)) == items


def test_a_price_of_nothing_is_an_item_too(scene: Scene) -> None:
    _machine(scene, 0)
    _bill(scene)
    assert scene.one(invoices.invoiceitem).unit_price == 0


# The item


def test_an_item_tells_what_it_is_about_and_where_it_comes_from(scene: Scene) -> None:
    resource = scene.one(marketplace.resource, id=_machine(scene))
    _bill(scene)
    item = scene.one(invoices.invoiceitem)
    project, offering = scene.one(structure.project), scene.one(marketplace.offering)
    assert (item.name, item.measured_unit, item.article_code) == ("vm (Cloud / Small) / Cores", "core", "PLAN")
    assert (item.project_id, item.project_name, item.project_uuid) == (project.id, "Lab", project.uuid.hex)
    assert item.details == {
        "resource_name": "vm",
        "resource_uuid": resource.uuid.hex,
        "plan_name": "Small",
        "plan_uuid": scene.one(marketplace.plan).uuid.hex,
        "offering_type": "Marketplace.Basic",
        "offering_name": "Cloud",
        "offering_uuid": offering.uuid.hex,
        "service_provider_name": "Org",
        "service_provider_uuid": "",
        "plan_component_id": scene.one(marketplace.plancomponent).id,
        "offering_component_type": "cpu",
        "offering_component_name": "Cores",
    }


def test_a_run_in_the_middle_of_the_month_bills_the_whole_month(scene: Scene) -> None:
    _machine(scene)
    _bill(scene, "2025-04-15T10:00:00+00:00")
    item = scene.one(invoices.invoiceitem)
    assert (item.start.isoformat(), item.end.isoformat()) == (APRIL, "2025-04-30T23:59:59.999999+00:00")


# What cannot be billed (D2)


def test_a_resource_without_a_plan_is_told_and_the_others_are_billed(scene: Scene) -> None:
    resource = scene.one(marketplace.resource, id=_machine(scene))
    scene.resource(resource.project_id, resource.offering_id, None, "planless")
    done = _bill(scene)
    (warning,) = done.warnings
    assert "planless" in warning.item and "has no plan" in warning.problem
    assert scene.one(invoices.invoiceitem).resource_id == resource.id
    assert done.failures == []


def test_a_price_without_a_component_is_told_and_the_other_prices_are_billed(scene: Scene) -> None:
    resource = scene.one(marketplace.resource, id=_machine(scene))
    broken = scene.price(resource.plan_id, None, 99)
    done = _bill(scene)
    (warning,) = done.warnings
    assert warning.problem.startswith(f"price {broken} of its plan has no component")
    assert scene.one(invoices.invoiceitem).unit_price == 10


# Stored sums


def test_the_totals_are_stored_with_the_invoice(scene: Scene) -> None:
    _machine(scene, "0.0875")
    _bill(scene)
    made = scene.one(invoices.invoice)
    assert (str(made.total_price), str(made.total_cost)) == ("0.09", "0.11")  # 0.108 with the tax


def test_the_estimates_of_customer_and_project_are_this_months(scene: Scene) -> None:
    project = scene.one(marketplace.resource, id=_machine(scene)).project_id
    customer = scene.one(structure.project).customer_id
    idle = scene.project(customer, "Idle", is_removed=True)
    kinds = {row.model: row.id for row in scene.rows(django.content_type)}
    scene.add(billing.priceestimate, content_type_id=kinds["project"], object_id=idle, total=99)
    scene.item(scene.invoice(customer, 2025, 3), 1000, project_id=project)
    _bill(scene)
    found = {(row.content_type_id, row.object_id): row.total for row in scene.rows(billing.priceestimate)}
    assert found == {
        (kinds["customer"], customer): 10,
        (kinds["project"], project): 10,
        (kinds["project"], idle): 0,
    }
