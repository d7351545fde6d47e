"""Mails about endings and stale resources, telemetry, robot accounts and dry runs."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from tests.hook_server import hook_server
from tests.loopback import serving
from tests.scene import Scene
from waldur_dagster.marketplace.ending_notices import tell_of_ending_projects, tell_of_ending_resources
from waldur_dagster.marketplace.robot_accounts import remove_deleted_robot_accounts
from waldur_dagster.marketplace.stale_resources import SWITCH, tell_of_stale_resources
from waldur_dagster.marketplace.telemetry import FEATURE, send_telemetry
from waldur_dagster.outbox.tables import message
from waldur_dagster.outcome import Outcome
from waldur_dagster.schema import core, django, logging, marketplace, marketplace_script
from waldur_dagster.script_offerings.dry_runs import remove_old_dry_runs

TEN = datetime(2025, 3, 10, 10, 0, tzinfo=UTC)
TODAY = TEN.date()


def _mails(scene: Scene) -> list[dict[str, Any]]:
    with scene.engine.connect() as connection:
        return list(connection.scalars(select(message.c.payload).order_by(message.c.id)))


def _enable(scene: Scene, *names: str) -> None:
    for name in names:
        scene.add(core.notification, key=f"marketplace.{name}", enabled=True)


def _manager(scene: Scene, project: int, email: str, role: str = "PROJECT.MANAGER") -> int:
    user = scene.user(email, first_name="Ada", last_name="L")
    scene.role(user, role, "project", project)
    return user


def _run(scene: Scene, job: Any, **document: Any) -> Any:
    with scene.site(**document) as site, site.work("entry", TEN) as work:
        job(work)
        return work.outcome


@pytest.mark.parametrize(("days", "told"), [(0, 0), (1, 2), (2, 0), (7, 2), (8, 0)])
def test_manager_and_owner_are_told_a_week_and_a_day_before_a_project_ends(scene: Scene, days: int, told: int) -> None:
    _enable(scene, "notification_about_project_ending")
    customer = scene.customer()
    project = scene.project(customer, "Alpha", end_date=TODAY + timedelta(days=days))
    scene.owner(customer, "owner@example.org")
    _manager(scene, project, "manager@example.org")
    _manager(scene, project, "member@example.org", "PROJECT.MEMBER")
    for _ in range(2):
        _run(scene, tell_of_ending_projects)
    mails = _mails(scene)
    assert len(mails) == told
    assert {mail["to"][0] for mail in mails} <= {"owner@example.org", "manager@example.org"}
    assert all(("tomorrow" if days == 1 else "in 7 days") in mail["body"] for mail in mails)


def test_everybody_of_the_project_is_told_of_a_resource_that_ends_unless_it_ends_already(scene: Scene) -> None:
    _enable(scene, "notification_about_resource_ending")
    customer = scene.customer()
    project, removed = scene.project(customer), scene.project(customer, is_removed=True)
    _manager(scene, project, "member@example.org", "PROJECT.MEMBER")
    _manager(scene, removed, "left@example.org")
    offering = scene.offering(customer)
    tomorrow = TODAY + timedelta(days=1)
    for state in range(1, 7):
        scene.resource(project, offering, None, f"state {state}", state=state, end_date=tomorrow)
    scene.resource(removed, offering, None, "of a removed project", end_date=tomorrow)
    _run(scene, tell_of_ending_resources)
    assert [mail["to"] for mail in _mails(scene)] == [["member@example.org"]] * 4


def test_owners_get_one_mail_with_all_resources_that_cost_nothing(scene: Scene) -> None:
    _enable(scene, "notification_about_stale_resources")
    customer = scene.customer()
    scene.owner(customer, "owner@example.org")
    project, offering = scene.project(customer), scene.offering(customer, billable=True)
    names = ("idle", "free", "busy", "manual")
    idle, free, busy, _ = (scene.resource(project, offering, None, name, created=TEN) for name in names)
    invoice = scene.invoice(customer, 2025, 1)
    scene.item(invoice, "0.0000001", resource_id=busy)
    scene.item(invoice, 0, resource_id=free)
    scene.item(invoice, 5)
    old = scene.invoice(customer, 2024, 12)
    scene.item(old, 5, resource_id=idle)
    on = {"waldur": {SWITCH: True}}
    _run(scene, tell_of_stale_resources)
    assert _mails(scene) == []
    for _ in range(2):
        _run(scene, tell_of_stale_resources, **on)
    (mail,) = _mails(scene)
    assert [name for name in names if name in mail["body"]] == ["idle", "free", "manual"]


def _send(scene: Scene, **document: Any) -> Outcome:
    with scene.site(**document) as site:
        send_telemetry(site.transactions("send_telemetry", TEN))
        return site.outcome


@pytest.mark.parametrize("status", [200, 201, 500])
def test_telemetry_is_sent_once_and_its_server_never_fails_the_run(scene: Scene, status: int) -> None:
    scene.add(core.feature, key=FEATURE, value=True)
    scene.offering(scene.customer(), type="Marketplace.Slurm", state=2)
    with hook_server(status) as server:
        waldur = {"WALDUR_MARKETPLACE.TELEMETRY_URL": server.url}
        outcome = _send(scene, waldur=waldur, telemetry={"waldur_version": "7.0.3"})
    (told,) = server.calls
    assert (told["types_of_offering"], told["version"]) == (["Marketplace.Slurm"], "7.0.3")
    assert "installation_date" not in told
    assert (len(outcome.warnings), outcome.failures) == (0 if status == 200 else 1, [])


def test_telemetry_is_off_unless_the_feature_is_switched_on(scene: Scene) -> None:
    scene.add(core.feature, key=FEATURE, value=False)
    with hook_server() as server:
        _send(scene, waldur={"WALDUR_MARKETPLACE.TELEMETRY_URL": server.url})
    assert server.calls == []


def test_no_transaction_is_open_while_the_telemetry_server_is_waited_for(scene: Scene) -> None:
    scene.add(core.feature, key=FEATURE, value=True)
    open_ones: list[int] = []

    def look(**_: Any) -> tuple[int, Any]:
        with scene.engine.connect() as connection:
            others = "datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
            open_ones.append(connection.scalar(text(f"SELECT count(*) FROM pg_stat_activity WHERE {others}")) or 0)
        return 200, b""

    with serving({("POST", ".*"): look}) as url:
        _send(scene, waldur={"WALDUR_MARKETPLACE.TELEMETRY_URL": f"{url}/"})
    assert open_ones == [0]


def test_an_unreachable_telemetry_server_is_a_warning(scene: Scene) -> None:
    scene.add(core.feature, key=FEATURE, value=True)
    outcome = _send(scene, waldur={"WALDUR_MARKETPLACE.TELEMETRY_URL": "http://127.0.0.1:9/"})
    assert [finding.item for finding in outcome.warnings] == ["telemetry"]


def test_robot_accounts_marked_as_deleted_go_with_an_event_each(scene: Scene) -> None:
    scene.add(django.content_type, app_label="marketplace", model="robotaccount")
    customer = scene.customer()
    resource = scene.resource(scene.project(customer), scene.offering(customer), None)
    gone, kept = (
        scene.add(marketplace.robotaccount, resource_id=resource, username=name, type=name) for name in ("gone", "kept")
    )
    scene.add(marketplace.robotaccount_users, robotaccount_id=gone, user_id=scene.user("robot@example.org"))
    assert "no state" in _run(scene, remove_deleted_robot_accounts).warnings[0].problem
    with scene.engine.begin() as connection:
        connection.execute(text("ALTER TABLE marketplace_robotaccount ADD COLUMN state integer NOT NULL DEFAULT 3"))
        connection.execute(text("UPDATE marketplace_robotaccount SET state = 5 WHERE id = :id"), {"id": gone})
    _run(scene, remove_deleted_robot_accounts)
    assert [row.id for row in scene.rows(marketplace.robotaccount)] == [kept]
    event = scene.one(logging.event, event_type="resource_robot_account_deleted")
    assert event.context == {"robot_account_type": "gone", "robot_account_username": "gone"}
    assert {feed.object_id for feed in scene.rows(logging.feed, event_id=event.id)} == {gone, resource}


@pytest.mark.generation("8")
def test_an_owners_web_hook_tells_of_a_robot_account_that_is_gone(scene: Scene) -> None:
    scene.add(django.content_type, app_label="marketplace", model="robotaccount")
    customer = scene.customer()
    resource = scene.resource(scene.project(customer), scene.offering(customer), None)
    scene.add(marketplace.robotaccount, resource_id=resource, username="bot", type="cicd", state=5)
    for name, on in (("owner", customer), ("stranger", scene.customer("Other"))):
        fields = {"event_types": ["resource_robot_account_deleted"], "event_groups": [], "is_active": True}
        hook = scene.add(logging.basehook, user_id=scene.owner(on, f"{name}@example.org"), **fields)
        scene.add(logging.webhook, basehook_ptr_id=hook, destination_url=f"https://{name}.example.org", content_type=1)
    _run(scene, remove_deleted_robot_accounts)
    assert [row.payload["url"] for row in scene.rows(message)] == ["https://owner.example.org"]


def test_only_dry_runs_that_were_done_over_a_day_ago_are_removed(scene: Scene) -> None:
    day = timedelta(hours=24)
    for state, created in ((3, TEN - day), (3, TEN - day - timedelta(seconds=1)), (4, TEN - 9 * day)):
        scene.add(marketplace_script.dryrun, state=state, created=created)
    outcome = _run(scene, remove_old_dry_runs)
    assert outcome.rows["marketplace_script_dryrun"]["deleted"] == 1
    assert sorted(row.state for row in scene.rows(marketplace_script.dryrun)) == [3, 4]


def test_a_date_is_that_of_the_sites_zone(scene: Scene) -> None:
    _enable(scene, "notification_about_project_ending")
    customer = scene.customer()
    scene.owner(customer, "owner@example.org")
    scene.project(customer, end_date=date(2025, 3, 12))
    late = datetime(2025, 3, 10, 23, 30, tzinfo=UTC)
    with scene.site(time_zone="Europe/Tallinn") as site, site.work("entry", late) as work:
        assert tell_of_ending_projects(work) == 1


@pytest.mark.parametrize(
    ("last", "days", "told"),
    [(1, 5, 0), (3, 5, 1), (3, 7, 1), (8, 1, 1), (8, 0, 1), (2, 0, 1), (1, 0, 0), (8, 2, 1), (30, 8, 0)],
)
def test_what_was_due_on_a_day_without_a_run_is_told_late_and_once(
    scene: Scene, last: int, days: int, told: int
) -> None:
    """The last run was so many days ago; the project ends so many days from now."""
    _enable(scene, "notification_about_project_ending")
    customer = scene.customer()
    with scene.site() as site, site.work("entry", TEN - timedelta(days=last)) as work:
        tell_of_ending_projects(work)
    scene.project(customer, "Alpha", end_date=TODAY + timedelta(days=days))
    scene.owner(customer, "owner@example.org")
    for _ in range(2):
        _run(scene, tell_of_ending_projects)
    assert len(_mails(scene)) == told


def test_a_dry_run_and_the_past_done_again_take_no_reminder_from_anybody(scene: Scene) -> None:
    _enable(scene, "notification_about_resource_ending")
    project = scene.project(customer := scene.customer(), "Alpha")
    scene.resource(project, scene.offering(customer), None, end_date=TODAY + timedelta(days=5))
    _manager(scene, project, "manager@example.org")

    def run(day: datetime, *, dry_run: bool = False) -> None:
        with scene.site(dry_run=dry_run) as site, site.work("entry", day) as work:
            tell_of_ending_resources(work)

    run(TEN - timedelta(days=4))
    run(TEN, dry_run=True)
    assert _mails(scene) == []
    run(TEN)
    run(TEN - timedelta(days=9))
    assert len(_mails(scene)) == 1
