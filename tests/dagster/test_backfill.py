"""A range of months billed again changes nothing that is there, and frozen invoices never."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg
import pytest
from sqlalchemy import Table, update

from tests.dagster.runs import billable, execute
from tests.scene import Scene
from waldur_dagster.billing.monthly import ENTRY as BILLING
from waldur_dagster.catalog import entry
from waldur_dagster.definitions import build_definitions
from waldur_dagster.outbox.tables import message
from waldur_dagster.schema import invoices, logging

MONTHS = ["2025-02-01", "2025-03-01", "2025-04-01"]
invoice, item = invoices.invoice, invoices.invoiceitem


def _bill(scene: Scene, instance: dg.DagsterInstance, months: Sequence[str] = MONTHS, name: str = BILLING) -> None:
    for month in months:
        assert execute(scene.deployment(), name, instance, partition=month).success


def _everything(scene: Scene, *tables: Table) -> list[list]:
    return [scene.rows(table) for table in tables or (invoice, item, invoices.customercredit, logging.event, message)]


def test_past_months_are_billed_one_after_the_other_and_a_second_time_changes_nothing(
    scene: Scene, instance: dg.DagsterInstance
) -> None:
    customer = billable(scene, accounting_start_date="2025-01-01")
    _bill(scene, instance)
    billed = scene.rows(invoice, customer_id=customer)
    assert [(row.month, row.state, float(row.total_price)) for row in billed] == [
        (2, "created", 10.0),
        (3, "created", 10.0),
        (4, "pending", 10.0),
    ]
    before = _everything(scene)
    _bill(scene, instance)
    assert _everything(scene) == before


def test_a_month_that_has_its_invoices_is_left_as_it_is_and_a_missing_one_is_filled_in(
    scene: Scene, instance: dg.DagsterInstance
) -> None:
    customer = billable(scene)
    _bill(scene, instance, MONTHS[1:2])
    with scene.engine.begin() as connection:
        connection.execute(update(item).values(unit_price=99, name="agreed with the customer"))
    kept = scene.rows(item)
    _bill(scene, instance)
    assert [row for row in scene.rows(item) if row.id == kept[0].id] == kept
    assert [row.month for row in sorted(scene.rows(invoice, customer_id=customer), key=lambda r: r.month)] == [
        2,
        3,
        4,
    ]


def test_frozen_invoices_are_never_touched(scene: Scene, instance: dg.DagsterInstance) -> None:
    customer = billable(scene)
    states = {"2025-02-01": "paid", "2025-03-01": "created", "2025-04-01": "canceled"}
    for month, state in states.items():
        frozen = scene.invoice(customer, 2025, int(month[5:7]), state, total_price=7, total_cost=8)
        scene.item(frozen, 7)
    before = _everything(scene, invoice, item)
    _bill(scene, instance)
    own = scene.rows(invoice, customer_id=customer)
    assert [own, scene.rows(item)] == before


@pytest.mark.parametrize(("year", "mails"), [(2025, 0), (2999, 1)], ids=["a month since then", "a month of the future"])
def test_a_past_month_writes_mails_unless_a_month_since_then_was_billed(
    scene: Scene, instance: dg.DagsterInstance, year: int, mails: int
) -> None:
    scene.invoice(scene.customer(), year, 3)
    deployment = scene.deployment(waldur={"WALDUR_INVOICES.INVOICE_REPORTING.ENABLE": True})
    assert execute(deployment, BILLING, instance, partition=MONTHS[0], deliver=False).success
    assert len(scene.rows(message)) == mails


def test_runs_of_one_entry_wait_for_each_other_in_backfills_from_the_asset_graph_too(scene: Scene) -> None:
    graph = build_definitions(scene.deployment()).get_repository_def().asset_graph
    pools = {}
    for key in graph.materializable_asset_keys:
        definition = graph.get(key).assets_def
        if name := definition.tags_by_key[key].get("waldur/entry"):
            pools[name] = {op.pool for op in definition.node_def.iterate_op_defs()}
    assert BILLING in pools
    assert pools == {name: {entry(name).dagster_name} for name in pools}
