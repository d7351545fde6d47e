"""Alerts: a mail when a job begins to fail and when it works again, and none in between."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import text

from tests.dagster.runs import APRIL_START, billable, execute
from tests.mail_server import mail_server
from tests.scene import Scene
from waldur_dagster.definitions import build_definitions
from waldur_dagster.deployment import ConfigurationError, Deployment, parse_deployment
from waldur_dagster.outbox.tables import message

REMINDERS = "send-notifications-about-upcoming-ends"
TOTALS = "update-invoices-total-cost"
SOMEBODY = {"alerts": {"to": ["ops@x.org"]}, "name": "site"}


class Operator:
    """Runs jobs, and lets the alert sensors see each run as the daemon does."""

    def __init__(self, scene: Scene, instance: dg.DagsterInstance):
        self.scene, self.instance, self.deployment = scene, instance, scene.deployment(**SOMEBODY)

    def run(self, name: str = REMINDERS, *, broken: bool = False, **options: Any) -> bool:
        """Run a job, on a site without its tables when ``broken``; tells whether it succeeded."""
        names = ["core_notification", "out_of_order"] if broken else []
        self._rename(*names)
        result = execute(self.deployment, name, self.instance, **({"as_of": APRIL_START} | options))
        self._rename(*reversed(names))
        look(self.deployment, self.instance, result.run_id)
        return result.success

    def _rename(self, *names: str) -> None:
        if names:
            with self.scene.engine.begin() as connection:
                connection.execute(text(f"ALTER TABLE {names[0]} RENAME TO {names[1]}"))

    @property
    def told(self) -> list[str]:
        return [row.payload["subject"] for row in self.scene.rows(message)]


def look(deployment: Deployment, instance: dg.DagsterInstance, run_id: str) -> None:
    """Evaluate the alert sensor that the end of a run concerns."""
    run = instance.get_run_by_id(run_id)
    assert run is not None
    failed = run.status == dg.DagsterRunStatus.FAILURE
    kind = dg.DagsterEventType.RUN_FAILURE if failed else dg.DagsterEventType.RUN_SUCCESS
    (record,) = instance.all_logs(run_id, of_type=kind)
    assert record.dagster_event is not None
    name = "alert_of_failure" if failed else "alert_of_recovery"
    context = dg.build_run_status_sensor_context(name, record.dagster_event, instance, run)
    sensor = build_definitions(deployment).resolve_sensor_def(name)
    sensor(context.for_run_failure() if failed else context)


@pytest.fixture
def operator(scene: Scene, instance: dg.DagsterInstance) -> Operator:
    return Operator(scene, instance)


def test_the_first_failure_and_the_recovery_are_told_and_nothing_between(operator: Operator) -> None:
    wins = [operator.run(broken=broken) for broken in (False, True, True, False, False)]
    assert wins == [True, False, False, True, True]
    assert operator.told == [f"[site] {REMINDERS} fails", f"[site] {REMINDERS} works again"]


def test_a_job_that_fails_at_its_very_first_run_is_told_and_one_that_succeeds_is_not(operator: Operator) -> None:
    assert operator.run(TOTALS, partition="2025-04-01")
    assert not operator.run(broken=True)
    assert operator.told == [f"[site] {REMINDERS} fails"]


def test_each_job_is_watched_by_itself(operator: Operator) -> None:
    operator.run(broken=True)
    operator.run(TOTALS, partition="2025-04-01")
    operator.run(broken=True)
    assert operator.told == [f"[site] {REMINDERS} fails"]


def test_dry_runs_are_not_told_and_say_nothing_about_the_job(operator: Operator) -> None:
    operator.run(broken=True, dry_run=True)
    assert operator.told == []
    operator.run(broken=True)
    operator.run(dry_run=True)
    operator.run(broken=True)
    assert operator.told == [f"[site] {REMINDERS} fails"]


def test_a_sensor_that_looks_twice_tells_once(operator: Operator) -> None:
    operator.run(broken=True)
    (run,) = operator.instance.get_runs()
    look(operator.deployment, operator.instance, run.run_id)
    assert len(operator.told) == 1


def test_the_mail_says_what_failed_and_why_and_where_to_look(operator: Operator) -> None:
    operator.run(broken=True)
    (run,) = operator.instance.get_runs()
    payload = operator.scene.one(message).payload
    assert payload["to"] == ["ops@x.org"]
    assert "remind_of_upcoming_ends: The site lacks core_notification." in payload["body"]
    assert run.run_id in payload["body"]


def test_assets_that_are_made_without_a_job_are_watched_too(operator: Operator, tmp_path: Path) -> None:
    billable(operator.scene)
    operator.deployment = operator.scene.deployment(reports=str(tmp_path / "file"), **SOMEBODY)
    (tmp_path / "file").write_text("where a folder should be")
    assert not operator.run("", assets=["cost_report"], partition="2025-04-01")
    (tmp_path / "file").unlink()
    assert operator.run("", assets=["cost_report"], partition="2025-04-01")
    assert operator.told == ["[site] cost_report fails", "[site] cost_report works again"]


def test_when_the_database_is_down_the_mail_is_sent_all_the_same(instance: dg.DagsterInstance) -> None:
    with mail_server() as server:
        deployment = parse_deployment(
            SOMEBODY
            | {
                "database": {"url": "postgresql://waldur:hidden-word@127.0.0.1:1/waldur", "connect_timeout": 1},
                "mail": {"host": "127.0.0.1", "port": server.port},
            }
        )
        result = execute(deployment, REMINDERS, instance, as_of=APRIL_START)
        look(deployment, instance, result.run_id)
    ((_, mail),) = server.received
    assert mail["Subject"] == f"[site] {REMINDERS} fails"
    assert "No connection to postgresql+psycopg://***@127.0.0.1:1/waldur" in mail.get_content()
    assert "hidden-word" not in mail.get_content()


def test_without_addresses_there_are_no_alert_sensors_and_with_some_they_run_by_default(scene: Scene) -> None:
    def sensors(**document: Any) -> dict[str, Any]:
        repository = build_definitions(scene.deployment(**document)).get_repository_def()
        return {sensor.name: sensor.default_status for sensor in repository.sensor_defs if "alert" in sensor.name}

    on = dg.DefaultSensorStatus.RUNNING
    assert sensors() == {}
    assert sensors(**SOMEBODY) == {"alert_of_failure": on, "alert_of_recovery": on}


def test_an_alert_address_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"\[alerts.to\] 'operators' is no mail address"):
        parse_deployment({"database": {"url": "postgresql://x/y"}, "alerts": {"to": ["operators"]}})
