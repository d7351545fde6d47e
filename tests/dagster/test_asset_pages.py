"""What people see on the pages of assets, beside their runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import dagster as dg
import pytest

from tests.dagster.runs import APRIL, billable, check_only, execute
from tests.scene import Scene
from waldur_dagster.definitions import build_definitions
from waldur_dagster.deployment import parse_deployment
from waldur_dagster.schema import invoices

SOMEWHERE = {"database": {"url": "postgresql://waldur@127.0.0.1:1/waldur_db"}}
HOUR = timedelta(hours=1)


def _specs(**document: Any) -> dict[str, dg.AssetSpec]:
    specs = build_definitions(parse_deployment(SOMEWHERE | document)).resolve_all_asset_specs()
    return {spec.key.to_user_string(): spec for spec in specs}


def test_assets_have_the_owners_of_the_deployment_their_table_and_its_columns() -> None:
    specs = _specs(owners=["team:cloud", "ops@example.org"])
    assert {tuple(spec.owners) for spec in specs.values()} == {("team:cloud", "ops@example.org")}
    for name in (
        "invoices",
        "waldur/structure_customer",
        "daily_quotas",
        "category_component_usage",
        "standard_quotas",
    ):
        assert specs[name].metadata["dagster/table_name"].startswith("waldur_db.public.")
        columns = {column.name: column for column in specs[name].metadata["dagster/column_schema"].columns}
        assert columns["id"].constraints.unique and not columns["id"].constraints.nullable
    columns = {column.name: column.type for column in specs["invoices"].metadata["dagster/column_schema"].columns}
    assert columns["state"].startswith("character varying") and columns["total_cost"].startswith("numeric")


def test_what_has_a_schedule_has_to_be_as_fresh_as_it_promises() -> None:
    entries = {"update-invoices-total-cost": {"schedule": "0 */6 * * *"}, "update-custom-quotas": {"registered": False}}
    specs = _specs(entries=entries)

    def windows(name: str) -> tuple[timedelta, timedelta]:
        policy = specs[name].freshness_policy
        assert policy is not None
        return policy.warn_window.to_timedelta(), policy.fail_window.to_timedelta()  # type: ignore[attr-defined]

    assert windows("invoices") == (timedelta(days=31, hours=1), timedelta(days=32, hours=1))
    assert windows("standard_quotas") == (25 * HOUR, 49 * HOUR)
    assert windows("invoice_totals") == (7 * HOUR, 13 * HOUR)
    assert specs["custom_quotas"].freshness_policy is None and specs["cost_report"].freshness_policy is None


@pytest.mark.parametrize("url", [None, "https://git.example.org/waldur-dagster/blob/main/"])
def test_assets_lead_to_the_source_of_their_steps(url: str | None) -> None:
    specs = _specs(**({} if url is None else {"source_url": url}))
    references = specs["invoices"].metadata["dagster/code_references"].code_references
    assert [one.label for one in references] == [
        "switch_announced_prices",
        "close_past_invoices",
        "make_new_invoices",
        "try_held_again",
        "write_mails",
    ]
    if url is None:
        assert references[0].file_path.endswith("waldur_dagster/billing/monthly.py")
    else:
        assert references[0].url.startswith(f"{url}waldur_dagster/billing/monthly.py#L")


def test_a_check_counts_all_violations_names_its_month_and_shows_the_first(
    scene: Scene, instance: dg.DagsterInstance
) -> None:
    billable(scene)
    assert execute(scene.deployment(), "waldur-create-invoices", instance, partition=APRIL).success
    customer = scene.customer("Late", archived=True)
    for month in range(1, 13):
        for year in (2022, 2023):
            scene.invoice(customer, year, month)
    result = execute(scene.deployment(), "update-invoices-total-cost", instance, partition=APRIL)
    assert result.success
    checked = check_only(scene.deployment(), "invoices", "past_invoices_are_closed", instance)
    (check,) = checked.get_asset_check_evaluations()
    assert check.metadata["violations"].value == 25 and check.description is not None
    assert check.description.startswith("25 violations in 20")
    assert check.metadata["month"].value == check.description.rpartition(" ")[2]
    assert sum(name.isdecimal() for name in check.metadata) == 20
    assert len(scene.rows(invoices.invoice)) == 25


@pytest.mark.parametrize(("written", "status"), [({}, "STOPPED"), ({"refresh_reports": True}, "RUNNING")])
def test_reports_refresh_by_themselves_where_the_deployment_says_so(written: dict[str, bool], status: str) -> None:
    repository = build_definitions(parse_deployment(SOMEWHERE | written)).get_repository_def()
    sensor = repository.get_sensor_def("refresh_reports")
    assert sensor.default_status.name == status
    assert {one.name for one in repository.sensor_defs if isinstance(one, dg.AutomationConditionSensorDefinition)} == {
        "refresh_reports"
    }
