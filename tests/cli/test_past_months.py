"""Months that were billed before this program came: suggested by the doctor, shown as there by ``partitions sync``."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest

from tests.cli.conftest import ONLY_INVOICES, Terminal
from tests.scene import Scene
from waldur_dagster import clock
from waldur_dagster.definitions import build_definitions
from waldur_dagster.deployment import ConfigurationError, load_deployment, parse_deployment
from waldur_dagster.schema import analytics, marketplace

ELSEWHERE = {"database": {"url": "postgresql://waldur@127.0.0.1:1/waldur"}}


def _partitions(document: dict) -> list[str]:
    graph = build_definitions(parse_deployment(ELSEWHERE | document)).resolve_asset_graph()
    definition = graph.get(dg.AssetKey("invoices")).partitions_def
    assert definition is not None
    return list(definition.get_partition_keys())


def test_months_begin_where_the_deployment_file_says_else_with_the_year(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: datetime(2025, 4, 2, tzinfo=UTC))
    assert _partitions({"first_month": "2024-11"})[0] == "2024-11-01"
    assert _partitions({})[0] == "2025-01-01"
    for wrong, complaint in (("2025-13", "is no month"), ("May", "is no month"), ("2025-05", "still to come")):
        with pytest.raises(ConfigurationError, match=rf"\[first_month\] .*{complaint}"):
            parse_deployment(ELSEWHERE | {"first_month": wrong})


def test_the_doctor_suggests_the_first_month_of_the_data(terminal: Terminal, scene: Scene) -> None:
    def told(first_month: str) -> str:
        file = terminal.configure(scene.engine, ONLY_INVOICES)
        file.write_text(f"{first_month}\n{file.read_text()}")
        (line,) = [line for line in terminal("doctor").out.splitlines() if "first month" in line]
        return line

    assert "suggest" not in told("")
    customer = scene.customer(accounting_start_date=datetime(2023, 5, 31, 23, tzinfo=UTC))
    assert 'first_month = "2023-05" (the oldest accounting start)' in told("")
    scene.invoice(customer, 2024, 2)
    assert 'first_month = "2024-02" (the first invoice)' in told('first_month = "2023-05"')
    assert "suggest" not in told('first_month = "2024-02"')


def test_what_waldur_has_made_before_is_reported_once_as_there(
    terminal: Terminal, scene: Scene, tmp_path: Path
) -> None:
    file = terminal.configure(scene.engine)
    file.write_text(f'first_month = "2024-01"\n{file.read_text()}')
    customer = scene.customer()
    for year, month in ((2023, 12), (2024, 2), (2024, 3)):
        scene.invoice(customer, year, month, total_price=1)
    category = scene.add(marketplace.category, title="Compute")
    component = scene.add(marketplace.categorycomponent, category_id=category, type="cpu")
    scene.add(
        marketplace.categorycomponentusage,
        content_type_id=1,
        object_id=1,
        component_id=component,
        date=date(2024, 2, 1),
    )
    scene.add(analytics.dailyquotahistory, content_type_id=1, object_id=1, name="cores", usage=1, date=date(2024, 2, 9))
    first, second = terminal("partitions", "sync"), terminal("partitions", "sync")
    assert first.out.splitlines() == [
        "invoices: 2 of 3 reported",
        "invoice_totals: 2 of 3 reported",
        "category_component_usage: 1 of 1 reported",
        "daily_quotas: 1 of 1 reported",
    ]
    assert "invoices: 0 of 3 reported" in second.out
    load_deployment(file)
    with dg.DagsterInstance.get() as instance:
        assert instance.get_materialized_partitions(dg.AssetKey("invoices")) == {"2024-02-01", "2024-03-01"}
        assert instance.get_materialized_partitions(dg.AssetKey("daily_quotas")) == {"2024-02-09"}
