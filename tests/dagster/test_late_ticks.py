"""Ticks that could not run at their minute, and runs that died: nothing is lost in silence."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.definitions.selector import InstigatorSelector
from dagster._core.scheduler.instigation import TickData, TickStatus
from pydantic import SecretStr
from sqlalchemy import text

from schedules import predecessors
from schedules.entry_schedule import TICK, TRIED_AGAIN
from tests.dagster.runs import execute
from tests.scene import Scene
from waldur_dagster import clock
from waldur_dagster.billing.monthly import ENTRY as BILLING
from waldur_dagster.catalog import entry
from waldur_dagster.definitions import build_definitions
from waldur_dagster.deployment import Deployment
from waldur_dagster.deployment_sections import Database
from waldur_dagster.outbox.tables import message
from waldur_dagster.resources import NOT_BEGUN
from waldur_dagster.site import Site

NOON = datetime(2025, 4, 1, 12, tzinfo=UTC)
TICKED = datetime(2025, 4, 1, tzinfo=UTC)
AWAY = "postgresql://waldur:hidden-word@127.0.0.1:1/waldur"
AT_WORK_STILL = dg.DagsterRunStatus.STARTED


@dataclass
class Watch:
    """The daemon's part: it evaluates a sensor, again and again, with its cursor."""

    instance: dg.DagsterInstance
    deployment: Deployment
    cursors: dict[str, str | None] = field(default_factory=dict)

    def look(self, name: str) -> Any:
        repository = build_definitions(self.deployment).get_repository_def()
        with dg.build_sensor_context(
            self.instance, cursor=self.cursors.get(name), repository_def=repository, repository_name="__repository__"
        ) as context:
            seen = repository.get_sensor_def(name).evaluate_tick(context)
        self.cursors[name] = seen.cursor
        return seen

    def tick(self, name: str, reason: str, when: datetime = TICKED) -> None:
        """The daemon's note of a skipped tick."""
        selector = InstigatorSelector(
            location_name="", repository_name="__repository__", name=entry(name).dagster_name
        ).get_id()
        self.instance.create_tick(
            TickData(
                instigator_origin_id=selector,
                instigator_name=entry(name).dagster_name,
                instigator_type=InstigatorType.SCHEDULE,
                status=TickStatus.SKIPPED,
                timestamp=when.timestamp(),
                selector_id=selector,
                skip_reason=reason,
            )
        )


@pytest.fixture
def watch(
    scene: Scene, instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Watch]:
    monkeypatch.setattr(clock, "now", lambda: NOON)
    assert instance.schedule_storage is not None
    instance.schedule_storage.wipe()  # the ticks too
    yield Watch(instance, scene.deployment(alerts={"to": ["ops@x.org"]}, mail={"directory": str(tmp_path)}))


def _away(watch: Watch) -> Deployment:
    database = Database(url=SecretStr(AWAY), connect_timeout=1)
    return watch.deployment.model_copy(update={"database": database})


def test_a_tick_that_found_the_database_away_runs_when_it_is_back_and_somebody_is_told_once(
    watch: Watch, tmp_path: Path
) -> None:
    there = watch.deployment
    watch.tick(BILLING, f"No connection.{TRIED_AGAIN}")
    watch.deployment = _away(watch)
    for _ in range(2):
        assert not watch.look("late_ticks").run_requests
    (mail,) = tmp_path.glob("*.eml")
    written = mail.read_text()
    assert "1 entry could not run" in written and BILLING in written and "hidden-word" not in written
    watch.deployment = there
    (request,) = watch.look("late_ticks").run_requests
    assert (request.job_name, request.partition_key) == (entry(BILLING).dagster_name, "2025-04-01")
    assert request.run_config["resources"]["site"]["config"] == {"as_of": TICKED.isoformat()}
    assert request.tags[TICK] == TICKED.isoformat()


@pytest.mark.parametrize(
    ("name", "reason", "when"),
    [
        (BILLING, "Run 1 of it is queued still.", TICKED),
        ("update-invoices-total-cost", f"No connection.{TRIED_AGAIN}", NOON - timedelta(days=2)),
    ],
    ids=["skipped for good reason", "the next tick has come"],
)
def test_other_skipped_ticks_stay_skipped(watch: Watch, name: str, reason: str, when: datetime) -> None:
    watch.tick(name, reason, when)
    assert not watch.look("late_ticks").run_requests


def test_a_run_that_could_not_begin_is_tried_again_after_a_pause_until_one_has_begun(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    tags = entry(BILLING).tags | {TICK: TICKED.isoformat()}
    with Site(watch.deployment) as other:
        other.hold(BILLING)  # a dry run on the command line
        run = execute(
            watch.deployment, BILLING, watch.instance, partition="2025-04-01", tags=tags, as_of=TICKED.isoformat()
        )
    assert not run.success
    record = watch.instance.get_run_record_by_id(run.run_id)
    assert record is not None and record.dagster_run.tags[NOT_BEGUN] == "true"
    # Dagster's own clock wrote down when the run ended.
    assert record.end_time is not None
    ended = datetime.fromtimestamp(record.end_time, UTC)
    monkeypatch.setattr(clock, "now", lambda: ended + timedelta(seconds=10))
    monkeypatch.setattr("sensors.late_ticks.next_tick", lambda *_: ended + timedelta(days=1))
    assert not watch.look("late_ticks").run_requests
    monkeypatch.setattr(clock, "now", lambda: ended + timedelta(seconds=70))
    (request,) = watch.look("late_ticks").run_requests
    assert request.run_key.endswith("attempt 2")
    monkeypatch.setattr(clock, "now", lambda: NOON)
    assert execute(watch.deployment, BILLING, watch.instance, partition="2025-04-01", tags=dict(request.tags)).success
    monkeypatch.setattr(clock, "now", lambda: ended + timedelta(hours=1))
    assert not watch.look("late_ticks").run_requests


def test_a_failure_of_the_work_itself_is_not_tried_again(watch: Watch, scene: Scene) -> None:
    with scene.engine.begin() as connection:
        connection.execute(text("ALTER TABLE invoices_invoice ADD CHECK (customer_id < 0)"))
    scene.customer()
    run = execute(
        watch.deployment,
        BILLING,
        watch.instance,
        partition="2025-04-01",
        tags=entry(BILLING).tags | {TICK: TICKED.isoformat()},
    )
    assert not run.success
    assert not watch.look("late_ticks").run_requests


def test_a_run_that_died_with_its_host_is_marked_as_failed_and_one_at_work_is_not(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predecessors, "BEGINNING", 0)
    runs = {name: str(uuid.uuid4()) for name in ("dead", "at work", "by hand", "asset")}
    for name, run_id in runs.items():
        tags = {} if name == "asset" else entry(BILLING).tags
        assets = frozenset({dg.AssetKey("invoices")}) if name == "asset" else None
        job = "__ASSET_JOB" if name == "asset" else entry(BILLING).dagster_name
        watch.instance.add_run(dg.DagsterRun(job, run_id, status=AT_WORK_STILL, tags=tags, asset_selection=assets))
    other = dg.DagsterRun("another_job", str(uuid.uuid4()), status=AT_WORK_STILL)
    watch.instance.add_run(other)
    with Site(watch.deployment, run_id=runs["at work"]) as one, Site(watch.deployment, run_id=runs["by hand"]) as two:
        one.hold(BILLING)
        two.hold("another entry")
        watch.look("lost_runs")
        assert {run.status for run in watch.instance.get_runs()} == {AT_WORK_STILL}, "it may be ending just now"
        watch.look("lost_runs")
        failed = {run.run_id for run in watch.instance.get_runs() if run.status == dg.DagsterRunStatus.FAILURE}
        assert failed == {runs["dead"], runs["asset"]}
    told = [event.message for event in watch.instance.all_logs(runs["dead"])]
    assert any("its process has died" in (line or "") for line in told)


def test_nothing_is_marked_while_the_database_is_away(
    watch: Watch, monkeypatch: pytest.MonkeyPatch, scene: Scene
) -> None:
    monkeypatch.setattr(predecessors, "BEGINNING", 0)
    run = dg.DagsterRun(entry(BILLING).dagster_name, str(uuid.uuid4()), status=AT_WORK_STILL, tags=entry(BILLING).tags)
    watch.instance.add_run(run)
    watch.deployment = _away(watch)
    for _ in range(3):
        watch.look("lost_runs")
    assert watch.instance.get_runs()[0].status == AT_WORK_STILL
    assert scene.rows(message) == []
