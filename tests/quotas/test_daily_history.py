"""The daily history of quotas: what is taken, what is dropped, what is refused."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from tests.scene import Scene
from tests.statements import counted
from waldur_dagster.quotas.daily_history import ENTRY, keep_daily_quotas
from waldur_dagster.schema import analytics, quotas
from waldur_dagster.work import Refused

NOW = datetime.fromisoformat("2025-03-10T23:30:00+00:00")
TODAY = date(2025, 3, 10)
CUSTOMER, PROJECT, OFFERING = 1, 2, 3


def _log(scene: Scene, name: str, scope: int, *deltas: int, content_type: int = PROJECT) -> None:
    for delta in deltas:
        scene.add(quotas.quotausage, name=name, delta=delta, object_id=scope, content_type_id=content_type)


def _kept(scene: Scene, day: date, name: str = "old") -> None:
    scene.add(analytics.dailyquotahistory, name=name, usage=1, object_id=1, content_type_id=OFFERING, date=day)


def _take(scene: Scene, day: date = TODAY, **document: Any) -> None:
    with scene.site(**document) as site, site.work(ENTRY, NOW) as work:
        keep_daily_quotas(work, day)


def test_sums_of_customers_and_projects_are_kept_once_a_day(scene: Scene) -> None:
    project = scene.project(scene.customer(), is_removed=True)
    _log(scene, "cores", project, 5, -7)
    _log(scene, "any", project, 3, -3)
    _log(scene, "cores", 9999, 1)
    _log(scene, "order_count", 1, 1, content_type=OFFERING)
    _take(scene)
    _log(scene, "any", project, 4)
    _take(scene)
    kept = {(row.name, row.object_id, row.usage, row.date) for row in scene.rows(analytics.dailyquotahistory)}
    assert kept == {("cores", project, -2, TODAY), ("any", project, 4, TODAY)}


def test_user_counts_that_a_change_of_roles_has_written_are_brought_up_to_date_with_the_rest(scene: Scene) -> None:
    customer = scene.customer()
    _log(scene, "nc_user_count", customer, 2, content_type=CUSTOMER)
    _log(scene, "os_cpu_count", customer, 8, content_type=CUSTOMER)
    scene.add(
        analytics.dailyquotahistory,
        name="nc_user_count",
        usage=1,
        object_id=customer,
        content_type_id=CUSTOMER,
        date=TODAY,
    )
    _take(scene)
    assert {(row.name, row.usage) for row in scene.rows(analytics.dailyquotahistory)} == {
        ("nc_user_count", 2),
        ("os_cpu_count", 8),
    }


def test_a_day_that_was_taken_in_part_is_completed(scene: Scene) -> None:
    first, second = (scene.project(scene.customer()) for _ in range(2))
    _log(scene, "cores", first, 3)
    _log(scene, "cores", second, 4)
    scene.add(analytics.dailyquotahistory, name="cores", usage=1, object_id=second, content_type_id=PROJECT, date=TODAY)
    with scene.site() as site, site.work(ENTRY, NOW) as work:
        keep_daily_quotas(work, TODAY)
        assert work.outcome.rows == {"analytics_dailyquotahistory": {"inserted": 2}}
    assert {(row.object_id, row.usage) for row in scene.rows(analytics.dailyquotahistory)} == {(first, 3), (second, 4)}


@pytest.mark.parametrize("day", [date(2025, 3, 9), date(2025, 3, 11)])
def test_only_the_present_can_be_taken(scene: Scene, day: date) -> None:
    _log(scene, "cores", scene.project(scene.customer()), 1)
    with pytest.raises(Refused, match=f"{day} cannot be taken on 2025-03-10.*Run the partition 2025-03-10"):
        _take(scene, day)
    assert scene.rows(analytics.dailyquotahistory) == []


def test_history_is_dropped_by_the_sites_calendar(scene: Scene) -> None:
    days = [date(2025, 3, 3), date(2025, 3, 4), date(2025, 3, 5)]
    for day in days:
        _kept(scene, day)
    week = {"WALDUR_ANALYTICS": {"DAILY_QUOTA_LIFETIME": 7 * 86400}}
    _take(scene, waldur=week)
    assert [row.date for row in scene.rows(analytics.dailyquotahistory)] == days
    _take(scene, waldur=week, time_zone="Europe/Tallinn")  # the eleventh there
    assert [row.date for row in scene.rows(analytics.dailyquotahistory)] == days[1:]


def test_the_number_of_statements_does_not_grow_with_the_site(scene: Scene) -> None:
    def statements(days: int, projects: int) -> tuple[int, int]:
        """Those of the first run on a later day, and of the second."""
        customer = scene.customer()
        for _ in range(projects):
            _log(scene, "cores", scene.project(customer), 1)
        sent = []
        for _ in range(2):
            with scene.site() as site, site.work(ENTRY, NOW + timedelta(days)) as work:
                work.content_types, work.schema.tables  # noqa: B018
                with counted(work.connection) as seen:
                    keep_daily_quotas(work, TODAY + timedelta(days))
            sent.append(len(seen))
        return sent[0], sent[1]

    assert statements(0, 2) == statements(1, 20)
