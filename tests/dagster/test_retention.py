"""Old runs, events, ticks and report files are removed; what shows that a month is there stays."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import URL, create_engine, text

from benchmarks.retention import EVENTS, fill
from jobs.retention import NAME
from tests.dagster.runs import APRIL, billable, execute, figures
from tests.scene import Scene
from waldur_dagster import retention
from waldur_dagster.billing.monthly import ENTRY as BILLING
from waldur_dagster.definitions import build_definitions
from waldur_dagster.demo import server
from waldur_dagster.deployment_sections import Retention
from waldur_dagster.retention import forget_history, forget_reports

LATER = timedelta(days=91)


@pytest.fixture(scope="module")
def in_postgresql(postgresql: URL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    """An instance whose storage is that of the server deployment."""
    url = server.create_database(postgresql, "dagster_storage")
    folder = tmp_path_factory.mktemp("dagster")
    address = url.set(drivername="postgresql+psycopg2").render_as_string(hide_password=False)
    (folder / "dagster.yaml").write_text(f'storage:\n  postgres:\n    postgres_url: "{address}"\n')
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        yield instance


def test_old_runs_go_with_their_events_and_what_they_made_stays(
    scene: Scene, in_postgresql: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    billable(scene)
    runs = [execute(scene.deployment(), BILLING, in_postgresql, partition=APRIL) for _ in range(3)]
    assert all(run.success for run in runs)
    waiting = dg.DagsterRun("job", status=dg.DagsterRunStatus.STARTED)
    in_postgresql.add_run(waiting)
    monkeypatch.setattr(retention, "BATCH", 2)
    options, told = Retention(), list[str]()
    young = forget_history(in_postgresql, options, datetime.now(UTC) + LATER - timedelta(days=2), told.append)
    assert young == {"runs": 0, "events": 0, "ticks": 0}
    removed = forget_history(in_postgresql, options, datetime.now(UTC) + LATER, told.append)
    assert removed["runs"] == 3 and removed["events"] > 30 and told == ["2 runs removed", "3 runs removed"]
    assert [run.run_id for run in in_postgresql.get_runs()] == [waiting.run_id]
    assert in_postgresql.get_materialized_partitions(dg.AssetKey("invoices")) == {APRIL}
    kept = {record.event_log_entry.run_id for record in _made(in_postgresql)}
    assert kept == {run.run_id for run in runs}
    left = {line.dagster_event_type for line in in_postgresql.all_logs(runs[0].run_id)}
    assert left <= {dg.DagsterEventType(kind) for kind in retention.KEPT_EVENTS}


def _made(instance: dg.DagsterInstance) -> list[dg.EventLogRecord]:
    return list(instance.fetch_materializations(dg.AssetKey("invoices"), limit=10).records)


def test_nothing_is_removed_that_is_to_be_kept_for_ever(in_postgresql: dg.DagsterInstance) -> None:
    in_postgresql.wipe()
    engine = create_engine(in_postgresql.run_storage.postgres_url)  # type: ignore[attr-defined]
    with engine.begin() as connection:
        fill(connection, 5, 5)
        before = connection.scalar(text("SELECT count(*) FROM job_ticks"))
    forever = Retention(runs_days=0, ticks_days=0, reports_days=0)
    nothing = forget_history(in_postgresql, forever, datetime.now(UTC), lambda _: None)
    assert set(nothing.values()) == {0}
    removed = forget_history(in_postgresql, Retention(), datetime.now(UTC), lambda _: None)
    assert removed == {"runs": 5, "events": 5 * (EVENTS - 1), "ticks": 5} and before == 10
    engine.dispose()


def test_the_job_removes_old_files_of_reports_and_nothing_else(
    scene: Scene, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    (tmp_path / "plots").mkdir()
    for name, age in (("plots/old.png", 800), ("old.parquet", 800), ("new.parquet", 1), ("notes.txt", 800)):
        (tmp_path / name).write_text("x")
        os.utime(tmp_path / name, (time.time() - age * 86400,) * 2)
    job = build_definitions(scene.deployment(reports=str(tmp_path))).resolve_job_def(NAME)
    result = job.execute_in_process(instance=instance)
    assert result.success and figures(result)["report files removed"] == 2
    assert {file.name for file in tmp_path.rglob("*") if file.is_file()} == {"new.parquet", "notes.txt"}
    assert forget_reports(tmp_path / "nowhere", 1) == 0


def test_where_each_run_has_its_own_file_runs_that_made_assets_stay(scene: Scene, instance: dg.DagsterInstance) -> None:
    billable(scene)
    made = execute(scene.deployment(), BILLING, instance, partition=APRIL)
    execute(scene.deployment(), "cancel_expired_group_invitations", instance)
    removed = forget_history(instance, Retention(), datetime.now(UTC) + LATER, lambda _: None)
    assert removed["runs"] == 1
    assert [run.run_id for run in instance.get_runs()] == [made.run_id]
    assert instance.get_materialized_partitions(dg.AssetKey("invoices")) == {APRIL}


def test_it_runs_every_night_where_the_deployment_file_has_the_section(scene: Scene) -> None:
    on, off = dg.DefaultScheduleStatus.RUNNING, dg.DefaultScheduleStatus.STOPPED
    for document, status in (({}, off), ({"retention": {"runs_days": 30}}, on)):
        repository = build_definitions(scene.deployment(**document)).get_repository_def()
        assert repository.get_schedule_def(NAME).default_status == status
