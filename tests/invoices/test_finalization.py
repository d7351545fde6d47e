"""The hours in which last month's invoices still change before they are closed (spec newer_billing 1.1 and 1.2)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.policies.scenes import Place
from tests.scene import Scene, bill
from waldur_dagster.billing import monthly as billing
from waldur_dagster.outbox.tables import message
from waldur_dagster.outcome import Outcome
from waldur_dagster.platform.month import Month
from waldur_dagster.schema import invoices, logging, policy
from waldur_dagster.site import Site

newest = pytest.mark.generation("8")
GRACE = {"WALDUR_INVOICES": {"INVOICE_FINALIZATION_GRACE_PERIOD_HOURS": 48}}
REPORTS = {"INVOICE_REPORTING": {"ENABLE": True}}
MAY = "2025-05-01T00:05:00+00:00"


def _finalize(site: Site, as_of: str) -> Outcome:
    now = datetime.fromisoformat(as_of)
    with site.work(billing.FINALIZATION, now) as work:
        billing.finalize_invoices(work, Month.of(now, site.deployment.zone))
    return site.outcome


def _states(scene: Scene) -> list[str]:
    return [invoice.state for invoice in scene.rows(invoices.invoice)]


def _mails(scene: Scene) -> int:
    return len(scene.rows(message))


@newest
def test_an_invoice_waits_for_the_hours_of_grace_and_is_closed_then(scene: Scene) -> None:
    april = scene.invoice(scene.customer(), 2025, 4)
    scene.item(april, 10)
    settings: dict[str, Any] = {"WALDUR_INVOICES": GRACE["WALDUR_INVOICES"] | REPORTS}
    with scene.site(waldur=settings) as site:
        bill(site, MAY)
        assert _states(scene) == ["pending_finalization", "pending"]
        assert scene.rows(logging.event, event_type="invoice_created") == [] and _mails(scene) == 0
    with scene.site(waldur=settings) as site:
        _finalize(site, "2025-05-02T23:10:00+00:00")
        assert _states(scene) == ["pending_finalization", "pending"]
        _finalize(site, "2025-05-03T00:10:00+00:00")
    assert _states(scene) == ["created", "pending"]
    assert len(scene.rows(logging.event, event_type="invoice_created")) == 1
    assert _mails(scene) == 2  # the report for accounting, and the overview


@newest
def test_nothing_is_closed_while_the_monthly_billing_is_at_work(scene: Scene) -> None:
    scene.invoice(scene.customer(), 2025, 4, "pending_finalization")
    with scene.site() as monthly, scene.site() as site:
        monthly.hold(billing.ENTRY)
        (warning,) = _finalize(site, "2025-05-01T01:00:00+00:00").warnings
        assert "at work" in warning.problem and _states(scene) == ["pending_finalization"]


@newest
def test_hours_count_from_the_sites_own_midnight(scene: Scene) -> None:
    scene.invoice(scene.customer(), 2025, 4, "pending_finalization")
    with scene.site(waldur=GRACE, time_zone="Europe/Tallinn") as site:
        _finalize(site, "2025-05-02T20:59:59+00:00")
        assert _states(scene) == ["pending_finalization"]
        _finalize(site, "2025-05-02T21:00:00+00:00")
    assert _states(scene) == ["created"]


@newest
def test_invoices_of_any_month_that_wait_are_closed_also_after_the_setting_is_gone(scene: Scene) -> None:
    customer = scene.customer()
    for month in (2, 4):
        scene.invoice(customer, 2025, month, "pending_finalization")
    scene.invoice(customer, 2025, 3)
    with scene.site() as site:
        _finalize(site, "2025-05-01T01:00:00+00:00")
    assert _states(scene) == ["created", "created", "pending"]


@newest
def test_more_hours_than_can_be_kept_are_told_and_do_not_leave_invoices_open(scene: Scene) -> None:
    scene.invoice(scene.customer(), 2025, 4, "pending_finalization")
    long = {"WALDUR_INVOICES": {"INVOICE_FINALIZATION_GRACE_PERIOD_HOURS": 100}}
    with scene.site(waldur=long) as site:
        assert _finalize(site, "2025-05-03T22:10:00+00:00").warnings and _states(scene) != ["created"]
        _finalize(site, "2025-05-03T23:10:00+00:00")
    assert _states(scene) == ["created"]


@newest
def test_policies_follow_what_closing_leaves_of_a_credit(scene: Scene) -> None:
    """Of 100 that pay for 200 none are left, and nothing holds the policies back any more."""
    place = Place.make(scene, 0)
    april = scene.invoice(place.customer, 2025, 4, "pending_finalization")
    scene.item(april, 200, resource_id=place.resource, project_id=place.project)
    terms = {"minimal_consumption_logic": "fixed", "apply_as_minimal_consumption": True}
    scene.add(invoices.customercredit, customer_id=place.customer, value=100, **terms)
    place.on_customer("block_creation_of_new_resources", limit_cost=50, period=3)
    place.on_project("block_creation_of_new_resources", limit_cost=50, period=3)
    with scene.site() as site:
        assert _finalize(site, "2025-05-01T01:00:00+00:00").failures == []
    assert [row.has_fired for row in scene.rows(policy.customerestimatedcostpolicy)] == [True]
    assert [row.has_fired for row in scene.rows(policy.projectestimatedcostpolicy)] == [True]


@newest
def test_invoices_are_closed_although_policies_cannot_be_evaluated(scene: Scene) -> None:
    scene.invoice(scene.customer(), 2025, 4, "pending_finalization")
    with scene.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE policy_projectestimatedcostpolicy DROP COLUMN limit_cost")
    with Scene(scene.engine, known=True).site() as site:
        (failure,) = _finalize(site, "2025-05-01T01:00:00+00:00").failures
    assert (failure.item, _states(scene)) == ("policies on closed invoices", ["created"])


@newest
def test_without_anything_to_close_nobody_is_mailed(scene: Scene) -> None:
    scene.invoice(scene.customer(), 2025, 4, "created")
    with scene.site(waldur={"WALDUR_INVOICES": REPORTS}) as site:
        _finalize(site, "2025-05-01T01:00:00+00:00")
    assert _mails(scene) == 0


def test_older_sites_close_at_once_whatever_the_setting_says(scene: Scene) -> None:
    scene.invoice(scene.customer(), 2025, 4)
    with scene.site(waldur=GRACE) as site:
        bill(site, MAY)
    assert _states(scene) == ["created", "pending"]
