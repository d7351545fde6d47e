"""What somebody else is writing costs the bill of one organization, for as long as it is held."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import text

from tests.scene import STEPS, Scene, bill
from waldur_dagster.billing import monthly as billing
from waldur_dagster.outcome import Outcome
from waldur_dagster.platform.month import Month
from waldur_dagster.schema import billing as estimates
from waldur_dagster.schema import django, invoices

APRIL = "2025-04-01T00:00:00+00:00"


@contextmanager
def held(scene: Scene, table: str, row: int) -> Iterator[Any]:
    with scene.engine.connect() as connection:
        connection.execute(text(f"SELECT FROM {table} WHERE id = :id FOR UPDATE"), {"id": row})
        yield connection


def customer(scene: Scene, name: str) -> dict[str, int]:
    """One with an open invoice of March, credits, and a resource that costs 5 a month."""
    offering = scene.offering(owner := scene.customer(name))
    plan = scene.plan(offering)
    scene.price(plan, scene.component(offering), 5)
    project = scene.project(owner)
    scene.resource(project, offering, plan, name)
    invoice = scene.invoice(owner, 2025, 3)
    scene.item(invoice, 10, project_id=project)
    credit = scene.add(invoices.customercredit, customer_id=owner, value=3, minimal_consumption_logic="fixed")
    of_project = scene.add(invoices.projectcredit, project_id=project, value=1)
    estimate = scene.add(
        estimates.priceestimate,
        content_type_id=scene.one(django.content_type, model="customer").id,
        object_id=owner,
        total=0,
    )
    return {
        "invoices_invoice": invoice,
        "invoices_customercredit": credit,
        "invoices_projectcredit": of_project,
        "billing_priceestimate": estimate,
    }


HELD = ["invoices_invoice", "invoices_customercredit", "invoices_projectcredit"]


@pytest.mark.parametrize("table", [*HELD, "billing_priceestimate"])
def test_a_held_row_costs_one_organization_s_bill_which_is_named(scene: Scene, table: str) -> None:
    of_held, of_other = customer(scene, "Held"), customer(scene, "Other")
    with held(scene, table, of_held[table]), scene.site() as site:
        done = bill(site, APRIL)
    assert [(failure.item, "still" in failure.problem) for failure in done.failures] == [("customer Held", True)]
    march = {row.id: row.state for row in scene.rows(invoices.invoice, month=3)}
    assert march[of_other["invoices_invoice"]] == "created"
    assert march[of_held["invoices_invoice"]] == ("pending" if table in HELD else "created")
    assert len(scene.rows(invoices.invoice, month=4)) == 2  # the new month is billed all the same
    totals = {row.id: row.total for row in scene.rows(estimates.priceestimate)}
    assert totals[of_other["billing_priceestimate"]] == 5


@pytest.mark.parametrize("table", [*HELD, "billing_priceestimate"])
def test_what_is_free_again_at_the_end_of_the_run_is_done_in_it(scene: Scene, table: str) -> None:
    rows = customer(scene, "Held")
    now = datetime.fromisoformat(APRIL)
    with held(scene, table, rows[table]) as holder, scene.site() as site:
        for step in STEPS:
            if step is billing.try_held_again:
                holder.rollback()
            with site.work(billing.ENTRY, now) as work:
                step(work, Month.of(now, site.deployment.zone))
        done: Outcome = site.outcome
    assert done.failures == [] and [warning.item for warning in done.warnings] == ["customer Held"]
    assert scene.one(invoices.invoice, month=3).state == "created"
    assert scene.one(estimates.priceestimate, id=rows["billing_priceestimate"]).total == 5
