"""The asset checks of credits find what is wrong, and nothing where all is right or nothing is kept."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from assets.checks import CHECKS
from tests.invoices.test_newer_credits import APRIL, Site
from tests.scene import Scene
from waldur_dagster.platform.month import Month
from waldur_dagster.schema import invoices

OF_CREDITS = {check.name: check.violations for check in CHECKS if "assets.credit_checks:" in check.violations.place}
LEDGER_SINCE = datetime(2025, 2, 1, tzinfo=UTC)


def found(scene: Scene, name: str) -> list[Any]:
    violations = OF_CREDITS[name]
    with scene.site() as site, site.work("check", APRIL) as work:
        run: Any = SimpleNamespace(month=Month.of(APRIL, work.zone))
        return list(work.connection.execute(violations(work, run)))


def closed(scene: Scene) -> Site:
    """A site whose ledger is older than its credits, with an invoice that was paid by credit."""
    old = Site(scene, 7, name="Old", created=LEDGER_SINCE)
    booked(scene, old.credit, 3, LEDGER_SINCE)
    site = Site(scene, 61, tax=22, created=LEDGER_SINCE + timedelta(days=1))
    booked(scene, site.credit, 61, LEDGER_SINCE + timedelta(days=1))
    site.item(100)
    site.close()
    return site


def booked(scene: Scene, credit: int, amount: int, created: datetime) -> int:
    facts = {"transaction_type": "staff_grant", "created": created, "project_credit_id": None}
    return scene.add(invoices.credittransaction, credit_id=credit, amount=amount, **facts)


@pytest.mark.generation("8")
@pytest.mark.parametrize("name", OF_CREDITS)
def test_nothing_is_found_where_all_is_right(scene: Scene, name: str) -> None:
    closed(scene)
    assert found(scene, name) == []


@pytest.mark.generation("2024-10")
@pytest.mark.parametrize("name", OF_CREDITS)
def test_older_sites_are_checked_as_far_as_they_go(scene: Scene, name: str) -> None:
    customer = scene.customer()
    scene.add(invoices.customercredit, customer_id=customer, value=40, minimal_consumption_logic="fixed")
    assert found(scene, name) == []


@pytest.mark.generation("8")
def test_a_balance_that_its_ledger_does_not_explain_is_found(scene: Scene) -> None:
    site = closed(scene)
    booked(scene, site.credit, 5, APRIL)
    assert [(row.of, row.id, row.ledger) for row in found(scene, "ledgers_agree_with_balances")] == [
        ("customer", site.credit, 5)
    ]


@pytest.mark.generation("8")
def test_a_credit_that_has_paid_more_than_it_had_is_found(scene: Scene) -> None:
    site = closed(scene)
    share = site.share(-1)
    assert [(row.of, row.id) for row in found(scene, "credits_are_not_overdrawn")] == [("project", share)]


@pytest.mark.generation("8")
def test_a_compensation_above_its_item_or_without_a_booking_is_found(scene: Scene) -> None:
    site = closed(scene)
    paid = scene.rows(invoices.invoiceitem, invoice_id=site.march)[0]
    details = {"is_compensation": True, "compensation_of_item": paid.uuid.hex}
    extra = site.item(-101, credit_id=site.credit, details=details)
    assert [row.id for row in found(scene, "compensations_are_within_their_items")] == [extra]
    (unbooked,) = found(scene, "compensations_are_booked")
    assert (unbooked.id, unbooked.compensations, unbooked.drawn) == (site.march, 151, 61)
    assert date(2025, 3, 1) == scene.rows(invoices.credittransaction, transaction_type="compensation")[0].billing_period
