"""Credits of newer Waldur: the worked examples of newer_billing 2.11, with their ledger and what is told."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from tests.scene import Scene
from tests.statements import counted
from waldur_dagster.invoices.closing import close_invoices
from waldur_dagster.invoices.settlement_rows import SettlementWriter
from waldur_dagster.invoices.settling import settle_credits
from waldur_dagster.outcome import Outcome
from waldur_dagster.platform.month import Month
from waldur_dagster.schema import billing, django, invoices, logging, structure

APRIL = datetime(2025, 4, 1, tzinfo=UTC)
NEVER_LESS = {"minimal_consumption_logic": "fixed", "apply_as_minimal_consumption": True}
pytestmark = pytest.mark.generation("8")


class Site:
    """A customer with a resource in a project, a credit, and a March invoice."""

    def __init__(self, scene: Scene, value: float, *, tax: int = 0, name: str = "Org", **facts: Any):
        self.scene = scene
        self.customer = scene.customer(name, default_tax_percent=tax)
        self.project = scene.project(self.customer, "Lab")
        self.offering = scene.offering(self.customer)
        self.resource = scene.resource(self.project, self.offering, None)
        self.credit = scene.add(invoices.customercredit, customer_id=self.customer, value=value, **(NEVER_LESS | facts))
        self.march = scene.invoice(self.customer, 2025, 3, tax_percent=tax)

    def item(self, price: float, name: str = "Machine", **facts: Any) -> int:
        own = {"resource_id": self.resource, "project_id": self.project, "details": {"plan_name": "Small"}}
        return self.scene.item(self.march, price, name=name, **(own | facts))

    def share(self, value: float, project: int | None = None, **facts: Any) -> int:
        return self.scene.add(
            invoices.projectcredit, project_id=project or self.project, value=value, **(NEVER_LESS | facts)
        )

    def close(self, as_of: datetime = APRIL) -> Outcome:
        return close(self.scene, as_of)

    @property
    def left(self) -> Decimal:
        return self.scene.one(invoices.customercredit, id=self.credit).value

    def paid(self) -> list[Decimal]:
        rows = self.scene.rows(invoices.invoiceitem, credit_id=self.credit)
        return [-row.unit_price for row in rows]

    def ledger(self) -> list[tuple[str, Decimal]]:
        """Type and amount of the movements of the organization's credit, those of projects with their names."""
        rows = self.scene.rows(invoices.credittransaction)
        return [(f"{row.project_name} {row.transaction_type}".strip(), row.amount) for row in rows]


def close(scene: Scene, as_of: datetime = APRIL) -> Outcome:
    with scene.site() as site:
        with site.work("waldur-create-invoices", as_of) as work:
            close_invoices(work, Month.of(as_of, work.zone))
        return site.outcome


def events(scene: Scene) -> list[Any]:
    return [event for event in scene.rows(logging.event) if event.event_type != "invoice_created"]


def told(scene: Scene) -> list[str]:
    return [event.event_type for event in events(scene)]


def feeds(scene: Scene, event: int) -> set[str]:
    kinds = {row.id: row.model for row in scene.rows(django.content_type)}
    return {kinds[row.content_type_id] for row in scene.rows(logging.feed, event_id=event)}


def test_the_rest_of_a_credit_pays_a_net_amount_that_with_vat_is_the_rest(scene: Scene) -> None:
    site = Site(scene, 61, tax=22)
    site.item(100)
    site.close()
    closed = scene.one(invoices.invoice, id=site.march)
    assert (site.paid(), site.left, closed.total_price, closed.total_cost) == ([50], 0, 50, 61)
    assert site.ledger() == [("compensation", -61)]


def test_grace_lowers_the_minimum_and_the_ledger_tells_usage_and_tail_apart(scene: Scene) -> None:
    site = Site(scene, 1000, expected_consumption=100, grace_coefficient=20)
    site.item(50)
    site.close()
    assert (site.paid(), site.left) == ([50], 920)
    assert site.ledger() == [("compensation", -50), ("minimal_draw", -30)]


def test_in_the_month_of_its_end_a_credit_has_no_grace(scene: Scene) -> None:
    site = Site(scene, 1000, expected_consumption=100, grace_coefficient=20, end_date=date(2025, 4, 1))
    site.item(50)
    site.close()
    assert (site.left, site.ledger()) == (900, [("compensation", -50), ("minimal_draw", -50)])


def test_no_minimum_where_it_is_not_applied(scene: Scene) -> None:
    site = Site(scene, 1000, expected_consumption=100, apply_as_minimal_consumption=False)
    site.item(50)
    site.close()
    assert (site.left, site.ledger()) == (950, [("compensation", -50)])


@pytest.mark.parametrize(("expected", "left", "tail"), [(0, 4900, []), (400, 4600, [("minimal_draw", -300)])])
def test_a_project_has_a_tail_of_its_own_that_does_not_touch_the_organization(
    scene: Scene, expected: int, left: int, tail: list[tuple[str, int]]
) -> None:
    site = Site(scene, 5000, expected_consumption=expected)
    share = site.share(3000, expected_consumption=300)
    site.item(100)
    site.close()
    assert (scene.one(invoices.projectcredit, id=share).value, site.left) == (2700, left)
    of_project = [("Lab compensation", -100), ("Lab minimal_draw", -200)]
    assert site.ledger() == [*of_project, ("compensation", -100), *tail]
    row = scene.rows(invoices.credittransaction)[0]
    project = scene.one(structure.project, id=site.project)
    assert (row.project_uuid, row.credit_id, row.project_credit_id) == (project.uuid.hex, None, share)
    assert (row.billing_period, row.object_id, row.comment) == (date(2025, 3, 1), site.march, "")


def test_a_project_that_has_spent_its_own_credit_gets_nothing_of_the_organizations(scene: Scene) -> None:
    site = Site(scene, 1000)
    share = site.share(30)
    site.item(100)
    site.item(120)
    site.close()
    assert (site.paid(), site.left, scene.one(invoices.projectcredit, id=share).value) == ([30], 970, 0)
    assert scene.one(invoices.invoice, id=site.march).total_price == 190


def test_the_cheapest_items_are_paid_first_in_two_rows(scene: Scene) -> None:
    site = Site(scene, 50)
    site.item(100)
    site.item(30)
    site.close()
    assert (site.paid(), site.left, site.ledger()) == ([30, 20], 0, [("compensation", -50)])


def test_an_invoice_that_was_opened_again_gives_back_first(scene: Scene) -> None:
    site = Site(scene, 920, expected_consumption=80)
    paid = site.item(50)
    scene.item(
        site.march,
        -50,
        name="Credit compensation. Machine",
        credit_id=site.credit,
        resource_id=site.resource,
        project_id=site.project,
        details={"is_compensation": True},
    )
    site.close()
    assert (site.paid(), site.left) == ([50], 920)
    assert site.ledger() == [("rollback", 80), ("compensation", -50), ("minimal_draw", -30)]
    assert len(scene.rows(invoices.invoiceitem)) == 2
    made = scene.one(invoices.invoiceitem, credit_id=site.credit)
    original = scene.one(invoices.invoiceitem, id=paid)
    assert made.details == {
        "plan_name": "Small",
        "is_compensation": True,
        "compensation_of_item": original.uuid.hex,
    }
    back, deleted = events(scene)[:2]
    assert (back.event_type, back.context["old_value"], back.context["new_value"]) == (
        "roll_back_customer_credit",
        920,
        1000,
    )
    assert (deleted.event_type, deleted.message) == (
        "invoice_item_deleted",
        "Invoice item Credit compensation. Machine has been deleted.",
    )


def test_a_rollback_wakes_a_credit_that_was_used_up(scene: Scene) -> None:
    site = Site(scene, 0)
    site.item(60)
    scene.item(site.march, -50, credit_id=site.credit, resource_id=site.resource, project_id=site.project)
    site.close()
    assert (site.paid(), site.left) == ([50], 0)
    assert site.ledger() == [("rollback", 50), ("compensation", -50)]


def test_a_linear_credit_expects_this_months_share_even_when_nothing_was_used(scene: Scene) -> None:
    start = datetime(2024, 11, 1, tzinfo=UTC)
    site = Site(scene, 1600, minimal_consumption_logic="linear", end_date=date(2025, 10, 1))
    scene.invoice(site.customer, 2024, 10)
    site.close(start)
    assert scene.one(invoices.customercredit).expected_consumption == Decimal("143.71257")
    (event,) = events(scene)
    assert event.event_type == "reduction_of_customer_expected_consumption"
    assert event.context["consumption"] == "143.71257"


def test_linear_credits_of_projects_go_on_until_they_end(scene: Scene) -> None:
    site = Site(scene, 5000)
    linear: Any = {"minimal_consumption_logic": "linear"}
    going = site.share(1600, end_date=date(2026, 3, 1), **linear)
    ended = site.share(100, scene.project(site.customer), end_date=date(2025, 4, 1), **linear)
    site.item(10)
    site.close()
    value = Decimal(1590) * 30 / 334
    assert scene.one(invoices.projectcredit, id=going).expected_consumption == round(value, 5)
    assert scene.one(invoices.projectcredit, id=ended).expected_consumption == 0
    assert "reduction_of_project_expected_consumption" in told(scene)


def test_a_discount_lowers_the_item_that_it_names(scene: Scene) -> None:
    site = Site(scene, 200)
    lowered = scene.one(invoices.invoiceitem, id=site.item(120))
    site.item(-24, "Discount", details={"is_discount": True, "discount_of_item": lowered.uuid.hex})
    closing = select(invoices.invoice.c.id, invoices.invoice.c.customer_id).subquery("closing")
    with (
        scene.site() as running,
        running.work("waldur-create-invoices", APRIL) as work,
        SettlementWriter(work) as writer,
    ):
        assert settle_credits(work, closing, writer) == []
        writer.write()
    assert (site.paid(), site.left) == ([96], 104)
    assert scene.one(invoices.invoice, id=site.march).total_price == 0


@pytest.mark.parametrize("archived", [True, False])
def test_estimates_follow_what_is_paid_of_customers_who_get_no_invoice_in_the_run(scene: Scene, archived: bool) -> None:
    site = Site(scene, 50)
    if archived:
        with scene.engine.begin() as connection:
            connection.execute(structure.customer.update().values(archived=True))
    else:
        scene.invoice(site.customer, 2025, 4)
    for model, scope in (("customer", site.customer), ("project", site.project)):
        content_type = scene.one(django.content_type, model=model).id
        scene.add(billing.priceestimate, content_type_id=content_type, object_id=scope, total=100)
    site.item(100)
    site.close()
    assert [row.total for row in scene.rows(billing.priceestimate)] == [0, 0]


def test_a_refund_neither_costs_nor_brings_credit(scene: Scene) -> None:
    site = Site(scene, 40)
    site.item(-5)
    site.item(10)
    site.close()
    assert (site.paid(), site.left) == ([10], 30)


# Ends


def test_a_credit_is_used_for_the_month_before_its_end_and_then_set_to_zero(scene: Scene) -> None:
    site = Site(scene, 100, end_date=date(2025, 4, 1))
    other = scene.project(site.customer, "Other")
    share = site.share(10, other, end_date=date(2025, 3, 1))
    site.item(30)
    site.close()
    assert (site.left, scene.one(invoices.projectcredit, id=share).value) == (70, 0)
    april = scene.invoice(site.customer, 2025, 4)
    scene.item(april, 5, resource_id=site.resource, project_id=site.project)
    site.close(datetime(2025, 5, 1, tzinfo=UTC))
    assert site.left == 0
    assert site.ledger() == [("Other expiry", -10), ("compensation", -30), ("expiry", -70)]
    assert [row.billing_period for row in scene.rows(invoices.credittransaction, transaction_type="expiry")] == [
        date(2025, 4, 1),
        date(2025, 5, 1),
    ]
    of_project, of_customer = (e for e in events(scene) if e.event_type == "set_to_zero_overdue_credit")
    assert (of_project.context["project_name"], of_project.context["old_value"]) == ("Other", 10)
    assert of_customer.context["credit_end_date"] == "2025-04-01"
    assert feeds(scene, of_customer.id) == set()


# What is told


def test_events_tell_of_customer_project_and_item_with_the_balance_after_each(scene: Scene) -> None:
    site = Site(scene, 100, expected_consumption=60)
    site.share(50, expected_consumption=45)
    site.item(10, "Small")
    other = scene.project(site.customer, "Other")
    site.item(20, "Big", project_id=other, resource_id=scene.resource(other, site.offering, None))
    site.close()
    assert told(scene) == [
        "reduction_of_customer_credit_due_to_minimal_consumption",
        *["reduction_of_customer_credit", "reduction_of_project_credit", "invoice_item_created"] * 2,
        "reduction_of_project_credit_due_to_minimal_consumption",
    ]
    tail, small, of_lab, created, big, of_other, _, of_project = events(scene)
    assert (tail.context["consumption"], tail.context["credit_balance"]) == ("30.00000", 40)
    assert (small.context["consumption"], small.context["credit_balance"]) == ("-10.00", 90)
    assert (of_lab.context["project_name"], of_lab.context["project_credit_balance"]) == ("Lab", 40)
    assert of_lab.message.startswith("Reduction of Lab credit by -10.00 due to compensation of invoice item")
    assert (of_other.context["project_name"], of_other.context["credit_balance"]) == ("Other", 70)
    assert "project_credit_balance" not in of_other.context
    assert (of_project.context["consumption"], of_project.context["project_credit_balance"]) == ("35.00000", 5)
    assert big.context["invoice_item"] == "Credit compensation. Big"
    made = scene.rows(invoices.invoiceitem, credit_id=site.credit)[0]
    assert (created.message, created.context["invoice_item_uuid"]) == ("Invoice item has been created.", made.uuid.hex)
    assert (created.context["invoice_year"], created.context["invoice_month"]) == ("2025", "3")
    assert feeds(scene, small.id) == {"customer"}
    assert feeds(scene, of_lab.id) == {"customer", "project"}
    assert feeds(scene, created.id) == {"customer", "invoice"}


# Sites in between


def test_credits_of_a_site_without_a_ledger_are_settled_all_the_same(scene: Scene) -> None:
    with scene.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE invoices_credittransaction CASCADE")
    site = Site(scene, 61, tax=22, end_date=date(2025, 5, 1))
    site.item(100)
    assert site.close().failures == []
    assert (site.paid(), site.left) == ([50], 0)


def test_projects_without_terms_of_their_own_have_no_minimum(scene: Scene) -> None:
    with scene.engine.begin() as connection:
        for column in ("expected_consumption", "grace_coefficient", "end_date", "minimal_consumption_logic"):
            connection.exec_driver_sql(f"ALTER TABLE invoices_projectcredit DROP COLUMN {column}")
    scene = Scene(scene.engine, known=True)
    site = Site(scene, 100)
    share = scene.add(invoices.projectcredit, project_id=site.project, value=50)
    site.item(10)
    assert site.close().failures == []
    assert (site.left, scene.one(invoices.projectcredit, id=share).value) == (90, 40)


def test_one_credit_that_cannot_be_settled_leaves_the_others_and_its_own_customers_invoice_open(scene: Scene) -> None:
    bad, good = Site(scene, 99_999_999_999, name="Rich"), Site(scene, 40, name="Usual")
    scene.item(
        bad.march, -(10**6), quantity=10**6, credit_id=bad.credit, resource_id=bad.resource, project_id=bad.project
    )
    good.item(5)
    done = close(scene)
    assert [failure.item for failure in done.failures] == ["customer Rich"]
    assert [row.state for row in scene.rows(invoices.invoice)] == ["pending", "created"]
    assert (good.left, good.ledger()) == (35, [("compensation", -5)])


def test_statements_do_not_grow_with_customers(scene: Scene) -> None:
    def statements(customers: int) -> int:
        for _ in range(customers):
            site = Site(scene, 100, expected_consumption=60)
            site.share(50, expected_consumption=45)
            site.item(10)
        with (
            scene.site() as running,
            running.work("waldur-create-invoices", APRIL) as work,
            counted(work.connection) as seen,
        ):
            close_invoices(work, Month.of(APRIL, work.zone))
        return len(seen)

    assert statements(1) == statements(10)
