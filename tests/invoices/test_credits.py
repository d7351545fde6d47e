"""Credit pays what the invoices that are closed cost (spec invoices 1.11 and the decisions D4 to D7, D14)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from tests.scene import Scene, bill
from waldur_dagster.outcome import Outcome
from waldur_dagster.schema import invoices, logging, structure

APRIL = "2025-04-01T00:00:00+00:00"
MADE = datetime(2025, 4, 1, tzinfo=UTC)


class Site:
    """A customer with a resource in a project, a credit, and a March invoice."""

    def __init__(self, scene: Scene, credit: float, *, tax: int = 0, name: str = "Org", **values: object):
        self.scene = scene
        self.customer = scene.customer(name, default_tax_percent=tax)
        self.tax = tax
        self.project = scene.project(self.customer, "Lab")
        self.offering = scene.offering(self.customer)
        self.resource = scene.resource(self.project, self.offering, None)
        facts = {"minimal_consumption_logic": "fixed"} | values
        self.credit = scene.add(invoices.customercredit, customer_id=self.customer, value=credit, **facts)
        self.march = self.invoice(3)

    def invoice(self, month: int) -> int:
        return self.scene.invoice(self.customer, 2025, month, tax_percent=self.tax)

    def item(self, price: float | str, invoice: int | None = None, **values: object) -> int:
        facts = {"resource_id": self.resource, "project_id": self.project} | values
        return self.scene.item(invoice or self.march, price, **facts)

    def project_credit(self, value: float, project: int | None = None, *, use_organisation_credit: bool = False) -> int:
        return self.scene.add(
            invoices.projectcredit,
            project_id=project or self.project,
            value=value,
            use_organisation_credit=use_organisation_credit,
        )

    def bill(self, as_of: str = APRIL) -> Outcome:
        with self.scene.site() as site:
            return bill(site, as_of)

    @property
    def left(self) -> Decimal:
        return self.scene.one(invoices.customercredit, id=self.credit).value

    def paid(self, invoice: int | None = None) -> list[Decimal]:
        """What the credit pays of an invoice, in the order in which it does."""
        rows = self.scene.rows(invoices.invoiceitem, invoice_id=invoice or self.march, credit_id=self.credit)
        return [-row.unit_price for row in rows]


def test_the_cheapest_items_are_paid_first_until_the_credit_is_used_up(scene: Scene) -> None:
    site = Site(scene, 40)
    for price in (30, 5, 20):
        site.item(price)
    site.bill()
    assert (site.paid(), site.left) == ([5, 20, 15], 0)


def test_what_pays_for_an_item_without_a_name_tells_its_number(scene: Scene) -> None:
    site = Site(scene, 40)
    item = site.item(30, name="")
    site.bill()
    paid = scene.one(invoices.invoiceitem, credit_id=site.credit)
    assert paid.name == f"Credit compensation. <InvoiceItem {item}>"


def test_an_item_without_a_resource_is_never_paid(scene: Scene) -> None:
    site = Site(scene, 40)
    site.item(5, resource_id=None)
    site.bill()
    assert (site.paid(), site.left) == ([], 40)


def test_a_credit_for_some_offerings_pays_for_those_only(scene: Scene) -> None:
    site = Site(scene, 40)
    other = scene.offering(site.customer)
    scene.add(invoices.customercredit_offerings, customercredit_id=site.credit, offering_id=other)
    site.item(5)
    site.item(7, resource_id=scene.resource(site.project, other, None))
    site.bill()
    assert (site.paid(), site.left) == ([7], 33)


def test_a_refund_makes_the_credit_grow(scene: Scene) -> None:
    site = Site(scene, 40)
    site.item(-5)
    site.item(10)
    site.bill()
    assert (site.paid(), site.left) == ([-5, 10], 35)


def test_compensation_is_gross_as_balances_depend_on_it(scene: Scene) -> None:
    site = Site(scene, 500, tax=20)
    site.item(100)
    site.bill()
    closed = scene.one(invoices.invoice, id=site.march)
    assert (site.left, closed.total_price, closed.total_cost) == (380, -20, -24)


# The item that compensates (D6)


def test_a_compensation_lies_in_the_month_of_its_invoice_and_in_the_project_of_the_resource(
    scene: Scene,
) -> None:
    site = Site(scene, 40)
    site.item(5, name="Machine")
    site.bill()
    made = scene.one(invoices.invoiceitem, credit_id=site.credit)
    project = scene.one(structure.project, id=site.project)
    assert (made.name, made.quantity, made.unit) == ("Credit compensation. Machine", 1, "quantity")
    assert (made.project_name, made.project_uuid) == ("Lab", project.uuid.hex)
    assert (made.start, made.end) == (
        datetime(2025, 3, 1, tzinfo=UTC),
        datetime(2025, 3, 31, 23, 59, 59, 999999, tzinfo=UTC),
    )


def test_the_month_of_a_compensation_is_that_of_the_sites_zone(scene: Scene) -> None:
    site = Site(scene, 40)
    site.item(5)
    with scene.site(time_zone="Europe/Tallinn") as tallinn:
        bill(tallinn, "2025-04-01T00:00:00+03:00")
    made = scene.one(invoices.invoiceitem, credit_id=site.credit)
    assert made.start.isoformat() == "2025-02-28T22:00:00+00:00"  # winter time
    assert made.end.isoformat() == "2025-03-31T20:59:59.999999+00:00"  # summer time


def test_the_stored_total_of_the_closed_invoice_knows_what_was_paid(scene: Scene) -> None:
    site = Site(scene, 3)
    site.item(5)
    site.bill()
    assert scene.one(invoices.invoice, id=site.march).total_price == 2


# Which invoice is paid (D5)


def test_the_invoice_that_is_closed_is_paid_though_the_new_one_is_there_already(scene: Scene) -> None:
    site = Site(scene, 40)
    site.item(5)
    april = site.invoice(4)
    site.item(9, april)
    site.bill()
    assert (site.paid(), site.paid(april), site.left) == ([5], [], 35)


def test_of_several_open_invoices_the_oldest_is_paid_first(scene: Scene) -> None:
    site = Site(scene, 12)
    site.item(10)
    february = site.invoice(2)
    site.item(8, february)
    site.bill()
    assert (site.paid(february), site.paid(), site.left) == ([8], [4], 0)


def test_what_a_credit_has_paid_is_never_compensated_itself(scene: Scene) -> None:
    site = Site(scene, 40)
    site.item(10)
    site.item(-10, credit_id=site.credit)
    site.bill()
    assert (site.paid(), site.left) == ([10, 10], 30)


# Credits of projects


@pytest.mark.parametrize(
    ("use_organisation_credit", "paid", "left"), [(False, [6], 34), (True, [10], 30)], ids=["alone", "and the rest"]
)
def test_a_project_pays_with_its_own_credit_and_with_the_organizations_where_it_may(
    scene: Scene, use_organisation_credit: bool, paid: list[int], left: int
) -> None:
    site = Site(scene, 40)
    site.project_credit(6, use_organisation_credit=use_organisation_credit)
    site.item(10)
    site.bill()
    assert (site.paid(), site.left) == (paid, left)
    assert scene.one(invoices.projectcredit).value == 0


def test_what_is_left_of_a_projects_credit_stays(scene: Scene) -> None:
    site = Site(scene, 40)
    site.project_credit(25)
    site.item(10)
    site.bill()
    left = scene.one(invoices.projectcredit)
    assert (site.left, left.value, left.modified) == (30, 15, MADE)


def test_credits_of_projects_above_what_is_left_of_the_organizations_stop_nobody(scene: Scene) -> None:
    site = Site(scene, 40)
    site.project_credit(10)
    site.project_credit(30, scene.project(site.customer, "Rich"))
    site.item(35, project_id=scene.project(site.customer, "Poor"))
    site.item(1)
    other = Site(scene, 40, name="Other")
    other.item(5)
    done = site.bill()
    assert (site.left, other.left) == (4, 35)
    assert done.failures == []


# Minimal consumption (D14 among them)


def test_what_is_missing_to_the_minimal_consumption_is_taken_without_an_item(scene: Scene) -> None:
    site = Site(scene, 40, minimal_consumption=15)
    site.item(10)
    site.bill()
    assert (site.paid(), site.left) == ([10], 25)
    event = scene.one(logging.event, event_type="reduction_of_credit_due_to_minimal_consumption")
    assert event.context["consumption"] == "5.00000"


def test_an_invoice_without_items_consumes_nothing(scene: Scene) -> None:
    site = Site(scene, 40, minimal_consumption=15)
    site.bill()
    assert site.left == 40


@pytest.mark.parametrize(
    ("end", "minimum"),
    [
        (date(2025, 7, 31), "9.75000"),  # April to July, and March, which is closed only now
        (date(2025, 4, 30), "39.00000"),
        (date(2025, 3, 31), "39.00000"),
        (date(2025, 1, 31), "-19.50000"),
    ],
    ids=["in three months", "this month", "last month", "two months ago"],
)
def test_a_linear_minimum_spreads_what_is_left_over_the_months_to_the_end(
    scene: Scene, end: date, minimum: str
) -> None:
    site = Site(scene, 40, minimal_consumption_logic="linear", end_date=end, minimal_consumption=0)
    site.item(1)
    site.bill()
    assert scene.one(invoices.customercredit).minimal_consumption == Decimal(minimum)


def test_the_event_tells_the_minimum_that_was_applied_not_the_next_one(scene: Scene) -> None:
    end = date(2025, 6, 30)
    Site(scene, 40, minimal_consumption_logic="linear", end_date=end, minimal_consumption=10).item(1)
    with scene.site() as site:
        bill(site, APRIL)
    event = scene.one(logging.event, event_type="reduction_of_credit_due_to_minimal_consumption")
    assert event.context["minimal_consumption"] == "10.00000"
    assert scene.one(invoices.customercredit).minimal_consumption == 10  # of 30 that are left, three months


# What is told


def test_the_customers_log_tells_what_became_of_the_credit_and_that_the_invoice_was_closed(
    scene: Scene,
) -> None:
    site = Site(scene, 40)
    site.item(10, name="Machine")
    site.bill()
    told = [event for event in scene.rows(logging.event) if event.context["customer_name"] == "Org"]
    assert [event.event_type for event in told] == [
        "update_of_credit_by_staff",
        "reduction_of_credit",
        "invoice_created",
    ]
    assert told[0].message == "Org credit has been updated from 40 to 30. "
    assert told[1].context["invoice_item"] == "Credit compensation. Machine"


@pytest.mark.parametrize("quantities", [[-1], [-(10**7), 10**7]], ids=["the credit", "its items"])
def test_a_credit_that_would_grow_beyond_its_columns_leaves_its_customer_open_and_the_others_are_closed(
    scene: Scene, quantities: list[int]
) -> None:
    site, other = Site(scene, 40, name="Rich"), Site(scene, 40, name="Usual")
    for quantity in quantities:
        site.item(10**6, quantity=quantity)
    other.item(5)
    done = site.bill()
    assert [failure.item for failure in done.failures] == ["customer Rich"]
    states = {row.id: row.state for row in scene.rows(invoices.invoice, month=3)}
    assert states == {site.march: "pending", other.march: "created"}
    assert (site.left, other.left) == (40, 35)
    assert len(scene.rows(invoices.invoice, month=4)) == 2
