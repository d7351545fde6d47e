"""The assets of quotas and usage: partitions of ticks, refused days, checks, reports with plots."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pandas as pd
import pytest

from assets.partitions import days, months, partition_key
from assets.quota_checks import wrong_counters
from tests.dagster.runs import check_only, execute, troubles
from tests.scene import Scene
from waldur_dagster import clock
from waldur_dagster.definitions import build_definitions
from waldur_dagster.quotas.fields import STANDARD_FIELDS
from waldur_dagster.schema import analytics, marketplace, policy, quotas

DAILY, STANDARD, USAGE = "waldur-sync-daily-quotas", "update-standard-quotas", "waldur-marketplace-calculate-usage"
NOON = "2025-03-10T12:00:00+00:00"
PROJECT, CUSTOMER = 2, 1


def _project(scene: Scene) -> int:
    project = scene.project(scene.customer("University"), "Ocean")
    scene.add(quotas.quotausage, name="cores", delta=9, object_id=project, content_type_id=PROJECT)
    scene.add(quotas.quotalimit, name="cores", value=10, object_id=project, content_type_id=PROJECT)
    scene.add(quotas.quotalimit, name="ram", value=-1, object_id=project, content_type_id=PROJECT)
    return project


@pytest.mark.parametrize(
    ("partitions", "key"),
    [
        (months(ZoneInfo("Europe/Tallinn"), date(2025, 1, 1)), "2025-04-01"),
        (days(date(2025, 1, 1)), "2025-03-31"),
        (None, None),
    ],
)
def test_an_instant_has_the_partition_of_the_sites_month_or_of_the_utc_day(
    partitions: dg.PartitionsDefinition | None, key: str | None
) -> None:
    assert partition_key(partitions, datetime(2025, 3, 31, 22, tzinfo=UTC)) == key


@pytest.fixture(autouse=True)
def _noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The present of these tests."""
    monkeypatch.setattr(clock, "now", lambda: datetime.fromisoformat(NOON))


def test_a_day_is_taken_and_a_past_one_is_refused_with_the_reason(scene: Scene, instance: dg.DagsterInstance) -> None:
    project, deployment = _project(scene), scene.deployment()
    assert execute(deployment, DAILY, instance, partition="2025-03-10", as_of=NOON).success
    (row,) = scene.rows(analytics.dailyquotahistory)
    assert (row.object_id, row.usage, row.date) == (project, 9, date(2025, 3, 10))
    # Whatever instant a run is told to work for: a late tick, somebody's option.
    for options in list[dict[str, Any]]([{}, {"as_of": "2025-03-09T12:00:00+00:00"}]):
        past = execute(deployment, DAILY, instance, partition="2025-03-09", **options)
        assert not past.success
        assert "The quotas of 2025-03-09 cannot be taken on 2025-03-10" in troubles(past)
    assert scene.rows(analytics.dailyquotahistory) == [row]


def test_counters_have_no_partitions_and_their_check_recounts_them(scene: Scene, instance: dg.DagsterInstance) -> None:
    _project(scene)
    result = execute(scene.deployment(), STANDARD, instance, as_of=NOON)
    assert result.success, troubles(result)
    (check,) = result.get_asset_check_evaluations()
    assert (check.check_name, check.passed) == ("counters_equal_a_recount", True)


def test_a_counter_that_is_wrong_is_found(scene: Scene) -> None:
    project = _project(scene)
    scene.add(quotas.quotausage, name="os_cpu_count", delta=2, object_id=project, content_type_id=PROJECT)
    with scene.site() as site, site.work("check", datetime.fromisoformat(NOON)) as work:
        found = {(row.name, row.delta) for row in work.connection.execute(wrong_counters(work, STANDARD_FIELDS))}
    assert found == {("os_cpu_count", -2), ("nc_project_count", 1)}


@pytest.mark.parametrize(("asset", "quota"), [("standard_quotas", "os_cpu_count"), ("custom_quotas", "nc_user_count")])
def test_the_check_of_counters_is_red_for_a_wrong_one_and_shows_it(
    scene: Scene, instance: dg.DagsterInstance, asset: str, quota: str
) -> None:
    customer = scene.customer()
    scene.add(quotas.quotausage, name=quota, delta=2, object_id=customer, content_type_id=CUSTOMER)
    result = check_only(scene.deployment(), asset, "counters_equal_a_recount", instance)
    (check,) = result.get_asset_check_evaluations()
    assert (check.check_name, check.passed) == ("counters_equal_a_recount", False)
    assert f"name {quota}, delta -2" in str(check.metadata["1"].value)


def test_a_hole_in_the_history_is_found(scene: Scene, instance: dg.DagsterInstance) -> None:
    project = _project(scene)
    for day, name in ((6, "cores"), (7, "nc_user_count"), (8, "cores")):
        scene.add(
            analytics.dailyquotahistory,
            name=name,
            usage=1,
            object_id=project,
            content_type_id=PROJECT,
            date=date(2025, 3, day),
        )
    result = execute(scene.deployment(), DAILY, instance, partition="2025-03-10", as_of=NOON)
    (check,) = result.get_asset_check_evaluations()
    assert not check.passed
    found = {str(value.value) for name, value in check.metadata.items() if name.isdecimal()}
    assert found == {"day 2025-03-07", "day 2025-03-09"}


def test_negative_usage_is_found(scene: Scene, instance: dg.DagsterInstance) -> None:
    category = scene.add(marketplace.category, title="Compute")
    component = scene.add(marketplace.categorycomponent, category_id=category, type="cpu", name="CPU")
    scene.add(
        marketplace.categorycomponentusage,
        content_type_id=CUSTOMER,
        object_id=1,
        component_id=component,
        date=date(2025, 3, 1),
        reported_usage=-1,
    )
    result = execute(scene.deployment(), USAGE, instance, partition="2025-03-01", as_of=NOON)
    assert [c.passed for c in result.get_asset_check_evaluations()] == [False]


def test_reports_are_kept_with_their_plots(scene: Scene, instance: dg.DagsterInstance, tmp_path: Path) -> None:
    _project(scene)
    category = scene.add(marketplace.category, title="Compute")
    component = scene.add(marketplace.categorycomponent, category_id=category, type="cpu", name="CPU")
    scene.add(
        marketplace.categorycomponentusage,
        content_type_id=CUSTOMER,
        object_id=1,
        component_id=component,
        date=date(2025, 2, 1),
        reported_usage=40,
    )
    scene.add(quotas.quotausage, name="cores", delta=3, object_id=1, content_type_id=CUSTOMER)
    deployment = scene.deployment(reports=str(tmp_path))
    daily = ["daily_quotas", "quota_utilisation", "quota_trend"]
    for partition, names in (("2025-03-10", daily), ("2025-03-01", ["usage_report"])):
        result = execute(deployment, "", instance, partition=partition, assets=names, as_of=NOON)
        assert result.success, troubles(result)
    full = pd.read_parquet(tmp_path / "quota_utilisation" / "2025-03-10.parquet")
    assert full.to_dict("records") == [
        {"customer": "University", "project": "Ocean", "quota": "cores", "usage": 9, "limit": 10, "utilisation": 0.9}
    ]
    trend = pd.read_parquet(tmp_path / "quota_trend" / "2025-03-10.parquet")
    assert trend[["quota", "usage", "scopes"]].to_numpy().tolist() == [["cores", 3, 1]]
    usage = pd.read_parquet(tmp_path / "usage_report" / "2025-03-01.parquet")
    assert usage[["category", "component", "reported", "fixed"]].to_numpy().tolist() == [["Compute", "CPU", 40, 0]]
    plots = {path.name for path in (tmp_path / "plots").iterdir() if path.read_bytes().startswith(b"\x89PNG")}
    assert plots == {
        "quota_utilisation-2025-03-10.png",
        "quota_trend-2025-03-10.png",
        "usage_report-2025-03-01.png",
    }


def test_reports_of_an_empty_site_are_empty(scene: Scene, instance: dg.DagsterInstance, tmp_path: Path) -> None:
    deployment = scene.deployment(reports=str(tmp_path))
    for partition, names in (
        ("2025-03-10", ["quota_utilisation", "quota_trend"]),
        ("2025-03-01", ["usage_report", "cost_report"]),
    ):
        result = execute(deployment, "", instance, partition=partition, assets=names, as_of=NOON)
        assert result.success, troubles(result)


def test_policies_follow_from_invoices_and_usage_and_are_new_when_one_of_them_has_changed(
    scene: Scene, instance: dg.DagsterInstance
) -> None:
    deployment, policies = scene.deployment(), dg.AssetKey("policies")
    graph = build_definitions(deployment).resolve_asset_graph()
    assert {key.path[-1] for key in graph.get(policies).parent_keys} == {"invoices", "marketplace_componentusage"}
    scene.add(policy.customerestimatedcostpolicy, scope_id=scene.customer(), actions="", limit_cost=-1, period=2)

    def run(**options: Any) -> list[dg.AssetKey | None]:
        result = execute(deployment, "check-polices", instance, as_of=NOON, **options)
        assert result.success, troubles(result)
        return [e.asset_key for e in result.all_events if e.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION]

    assert [run(dry_run=True), run(), run()] == [[], [policies], []]
