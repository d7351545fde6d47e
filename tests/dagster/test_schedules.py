"""Schedules: what a tick asks for, and when it rather skips."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from sqlalchemy import Engine, text

from schedules import predecessors
from tests.scene import Scene
from waldur_dagster import clock
from waldur_dagster.catalog import ADDED, CATALOG, entry
from waldur_dagster.definitions import build_definitions, implemented_entries
from waldur_dagster.deployment import ConfigurationError, Deployment, load_deployment, parse_deployment
from waldur_dagster.site import Site

BILLING = "waldur-create-invoices"
REMINDERS = "send-notifications-about-upcoming-ends"
TICK = datetime(2025, 3, 31, 21, tzinfo=UTC)  # the first of April in Tallinn
ELSEWHERE = {"first_month": "2024-01", "database": {"url": "postgresql://waldur:hidden-word@127.0.0.1:1/waldur"}}


def _tick(deployment: Deployment, name: str, instance: dg.DagsterInstance) -> Any:
    """What one tick of an entry's schedule comes to: its run requests, or the reason to skip."""
    definitions = build_definitions(deployment)
    repository = definitions.get_repository_def()
    with dg.build_schedule_context(instance, scheduled_execution_time=TICK, repository_def=repository) as context:
        return repository.get_schedule_def(entry(name).dagster_name).evaluate_tick(context)


def _run_of_billing(status: dg.DagsterRunStatus) -> dg.DagsterRun:
    job, location = entry(BILLING).dagster_name, RegisteredCodeLocationOrigin("waldur")
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(location, "__repository__"), job)
    tags = entry(BILLING).tags | {"dagster/partition": "2025-03-01"}  # the month of TICK in UTC
    return dg.DagsterRun(job, str(uuid.uuid4()), status=status, tags=tags, remote_job_origin=origin)


def _schedules(**document: Any) -> dict[str, dg.ScheduleDefinition]:
    repository = build_definitions(parse_deployment(ELSEWHERE | document)).get_repository_def()
    return {schedule.name: schedule for schedule in repository.schedule_defs}


@pytest.mark.parametrize("name", [BILLING, REMINDERS])
def test_a_tick_asks_for_a_run_of_its_instant_under_a_key_of_its_own(
    scene: Scene, instance: dg.DagsterInstance, name: str
) -> None:
    (request,) = _tick(scene.deployment(time_zone="Europe/Tallinn"), name, instance).run_requests
    tick = datetime.fromisoformat(request.run_config["resources"]["site"]["config"]["as_of"])
    assert (tick, tick.tzinfo is not None) == (TICK, True)
    assert request.run_key == f"{name} {tick.isoformat()}"
    assert request.tags.items() >= entry(name).tags.items()
    assert set(entry(name).tags) == {"waldur/entry", "waldur/task", "waldur/family"}


def test_billing_is_asked_for_the_month_that_the_tick_falls_into_at_the_site(
    scene: Scene, instance: dg.DagsterInstance
) -> None:
    for zone, partition in (("Europe/Tallinn", "2025-04-01"), ("UTC", "2025-03-01")):
        (request,) = _tick(scene.deployment(time_zone=zone), BILLING, instance).run_requests
        assert request.partition_key == partition
        assert request.tags["dagster/partition"] == partition


def test_a_tick_skips_while_a_run_of_the_same_work_waits(scene: Scene, instance: dg.DagsterInstance) -> None:
    run = _run_of_billing(dg.DagsterRunStatus.QUEUED)
    instance.add_run(run)
    skipped = _tick(scene.deployment(), BILLING, instance)
    assert not skipped.run_requests
    assert skipped.skip_message == f"Run {run.run_id} of {BILLING} is queued still."
    assert _tick(scene.deployment(), REMINDERS, instance).run_requests, "other entries are not held up"


def test_a_started_run_holds_up_ticks_only_while_it_holds_its_lock(
    scene: Scene, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment, run = scene.deployment(), _run_of_billing(dg.DagsterRunStatus.STARTED)
    instance.add_run(run)
    assert _tick(deployment, BILLING, instance).skip_message == f"Run {run.run_id} of {BILLING} is started still.", (
        "it has begun a moment ago"
    )
    monkeypatch.setattr(predecessors, "BEGINNING", 0)
    with Site(deployment, run_id=run.run_id) as site:
        site.hold(BILLING)
        assert "started still" in _tick(deployment, BILLING, instance).skip_message
    assert _tick(deployment, BILLING, instance).run_requests, "its host has died"


@pytest.mark.parametrize("changed", ["another month", "a dry run"])
@pytest.mark.parametrize("status", [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTED])
def test_a_tick_is_not_skipped_for_other_work_of_its_entry(
    scene: Scene, instance: dg.DagsterInstance, status: dg.DagsterRunStatus, changed: str
) -> None:
    deployment, run = scene.deployment(), _run_of_billing(status)
    if changed == "another month":
        run = run.with_tags({**run.tags, "dagster/partition": "2025-01-01"})
    else:
        run = dg.DagsterRun(
            run.job_name,
            run.run_id,
            {"resources": {"site": {"config": {"dry_run": True}}}},
            status=status,
            tags=run.tags,
            remote_job_origin=run.remote_job_origin,
        )
    instance.add_run(run)
    with Site(deployment, run_id=run.run_id) as site:
        site.hold(BILLING)
        assert _tick(deployment, BILLING, instance).run_requests


def test_a_tick_for_a_day_that_is_over_is_skipped_with_the_reason(
    scene: Scene, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    daily = "waldur-sync-daily-quotas"
    monkeypatch.setattr(clock, "now", lambda: TICK + timedelta(hours=2))
    assert _tick(scene.deployment(), daily, instance).run_requests
    monkeypatch.setattr(clock, "now", lambda: TICK + timedelta(days=1))
    skipped = _tick(scene.deployment(), daily, instance)
    assert not skipped.run_requests and skipped.skip_message.startswith("2025-03-31 is over")


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE])
def test_a_finished_predecessor_holds_up_nothing(
    scene: Scene, instance: dg.DagsterInstance, status: dg.DagsterRunStatus
) -> None:
    instance.add_run(_run_of_billing(status))
    assert _tick(scene.deployment(), BILLING, instance).run_requests


def test_a_tick_skips_with_the_reason_when_the_site_lacks_a_table(scene: Scene, instance: dg.DagsterInstance) -> None:
    with scene.engine.begin() as connection:
        connection.execute(text("DROP TABLE promotions_campaign CASCADE"))
    skipped = _tick(scene.deployment(), BILLING, instance)
    assert not skipped.run_requests
    assert skipped.skip_message == "The site lacks promotions_campaign. It is tried again until the next tick."
    assert _tick(scene.deployment(), REMINDERS, instance).run_requests


def test_a_tick_skips_with_the_reason_when_the_outbox_is_not_there(
    database: Engine, instance: dg.DagsterInstance
) -> None:
    assert "waldur-dagster migrate" in _tick(Scene(database).deployment(), REMINDERS, instance).skip_message


def test_a_tick_skips_with_the_reason_when_the_database_is_down(instance: dg.DagsterInstance) -> None:
    skipped = _tick(parse_deployment(ELSEWHERE), BILLING, instance)
    assert not skipped.run_requests
    assert "No connection to postgresql+psycopg://***@127.0.0.1:1/waldur" in skipped.skip_message
    assert "hidden-word" not in skipped.skip_message


def test_every_implemented_entry_has_exactly_one_schedule_and_the_others_have_none() -> None:
    repository = build_definitions(parse_deployment(ELSEWHERE)).get_repository_def()
    targets = sorted(one.job_name for one in repository.schedule_defs if one.job_name != "remove_old_history")
    assert targets == sorted(entry(name).dagster_name for name in implemented_entries() | ADDED.keys())
    to_come = {e.dagster_name for name, e in CATALOG.items() if name not in implemented_entries()}
    assert not to_come & {job.name for job in repository.get_all_jobs()}


def test_schedules_tick_as_documented_in_the_sites_zone_and_are_off_unless_the_file_says_otherwise() -> None:
    schedules = _schedules(
        time_zone="Europe/Tallinn",
        families={"invoices": {"running": True}},
        entries={REMINDERS: {"running": False}, "update-invoices-total-cost": {"schedule": "30 2 * * *"}},
    )
    billing, totals = schedules[entry(BILLING).dagster_name], schedules["update_invoices_total_cost"]
    assert (billing.cron_schedule, billing.execution_timezone) == ("0 0 1 * *", "Europe/Tallinn")
    assert totals.cron_schedule == "30 2 * * *"
    on, off = dg.DefaultScheduleStatus.RUNNING, dg.DefaultScheduleStatus.STOPPED
    assert (billing.default_status, totals.default_status) == (on, on)
    assert schedules[entry(REMINDERS).dagster_name].default_status == off
    assert {schedule.default_status for schedule in _schedules().values()} == {off}


@pytest.mark.parametrize(
    "document",
    [{"entries": {BILLING: {"registered": False}}}, {"families": {"invoices": {"registered": False}}}],
    ids=["the entry", "its family"],
)
def test_what_is_not_registered_has_neither_job_nor_schedule(document: dict) -> None:
    repository = build_definitions(parse_deployment(ELSEWHERE | document)).get_repository_def()
    name = entry(BILLING).dagster_name
    assert name not in {schedule.name for schedule in repository.schedule_defs}
    assert name not in {job.name for job in repository.get_all_jobs()}


def test_an_entry_may_be_registered_in_a_family_that_is_not() -> None:
    names = set(_schedules(families={"invoices": {"registered": False}}, entries={BILLING: {"registered": True}}))
    assert entry(BILLING).dagster_name in names and entry(REMINDERS).dagster_name not in names


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ({"entries": {BILLING: {"schedule": "nightly"}}}, rf"\[entries.{BILLING}.schedule\] 'nightly' is no cron"),
        ({"entries": {"waldur-create-invoice": {}}}, f"has no waldur-create-invoice; did you mean {BILLING}"),
        ({"families": {"invoice": {"running": True}}}, r"\[families\] has no invoice; did you mean invoices"),
    ],
)
def test_a_deployment_that_names_what_does_not_exist_is_refused(document: dict, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        parse_deployment(ELSEWHERE | document)


def test_the_schedules_of_the_example_deployment_can_be_built(monkeypatch: pytest.MonkeyPatch) -> None:
    example = Path(__file__).parents[2] / "deploy" / "waldur.example.toml"
    for name in re.findall(r'env = "(\w+)"', example.read_text()):
        monkeypatch.setenv(name, f"amqp://waldur:word@127.0.0.1/{name}" if name.endswith("_URL") else "word")
    dg.Definitions.validate_loadable(build_definitions(load_deployment(example)))
