"""Invitations: what releases, delivers, reminds and expires them, in killed and repeated runs too (spec core 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.freeipa_server import freeipa_server
from tests.hook_server import hook_server
from tests.loopback import serving
from tests.mail_server import free_port, mail_server
from tests.scene import Scene
from tests.statements import counted
from waldur_dagster.outbox import delivery, operating
from waldur_dagster.outbox.tables import message
from waldur_dagster.schema import core, freeipa, permissions, users
from waldur_dagster.users.group_invitations import cancel_expired_group_invitations
from waldur_dagster.users.invitation_delivery import note_deliveries, release_project_invitations
from waldur_dagster.users.invitation_expiry import cancel_expired_invitations, remind_of_pending_invitations
from waldur_dagster.work import Work

NOON = datetime(2025, 3, 10, 12, tzinfo=UTC)
WEEK = timedelta(days=7)
ENTRY = "process-pending-project-invitations"
PROJECT_TYPE = 2


@pytest.fixture
def site(scene: Scene) -> Scene:
    """A site that sends every notification about invitations."""
    for name in ("created", "approved", "expired"):
        scene.add(core.notification, key=f"users.invitation_{name}", enabled=True)
    scene.add(permissions.role, name="PROJECT.MEMBER", is_system_role=True, content_type_id=PROJECT_TYPE)
    return scene


def invite(scene: Scene, email: str, project: int, **values: Any) -> int:
    facts = {
        "state": "pending",
        "execution_state": "Scheduled",
        "created": NOON - timedelta(days=1),
        "customer_id": 1,
        "role_id": 1,
        "content_type_id": PROJECT_TYPE,
        "object_id": project,
        "affiliations": [],
    }
    return scene.add(users.invitation, email=email, **(facts | values))


def started(scene: Scene, **values: Any) -> int:
    return scene.project(scene.customer(), start_date=NOON.date(), **values)


def do(scene: Scene, work_of: Callable[[Work], None], as_of: datetime = NOON, **document: Any) -> None:
    dry_run = document.pop("dry_run", False)
    with scene.site(dry_run=dry_run, **document) as site, site.work(ENTRY, as_of) as work:
        work_of(work)


def run(scene: Scene, port: int, **waldur: Any) -> None:
    """One run of process-pending-project-invitations: release, delivery, and the note of what became of it."""
    document: dict[str, Any] = {"mail": {"host": "127.0.0.1", "port": port}, "waldur": waldur}
    do(scene, release_project_invitations, **document)
    for step in (note_deliveries, lambda work: None):
        delivery.deliver(scene.engine, scene.deployment(**document))
        do(scene, step, **document)


def states(scene: Scene) -> list[tuple[str, str]]:
    return [(row.state, row.execution_state) for row in scene.rows(users.invitation)]


def keys(scene: Scene) -> list[str]:
    return [row.payload["to"][0] for row in scene.rows(message)]


def test_the_guest_of_a_project_that_has_started_is_mailed_once_however_often_the_job_runs(site: Scene) -> None:
    invite(site, "guest@x.org", started(site), state="project")
    with mail_server() as server:
        run(site, server.port)
        run(site, server.port)
        assert server.addresses == ["guest@x.org"]
    assert states(site) == [("pending", "OK")]


def test_a_run_that_is_killed_after_the_release_loses_and_doubles_nothing(site: Scene) -> None:
    invite(site, "guest@x.org", started(site), state="project")
    do(site, release_project_invitations)
    assert states(site) == [("pending", "Processing")]
    with mail_server() as server:
        run(site, server.port)
        assert server.addresses == ["guest@x.org"]
    assert states(site) == [("pending", "OK")]


def test_an_invitation_that_was_delivered_late_loses_its_error(site: Scene) -> None:
    invite(site, "guest@x.org", started(site), state="project")
    run(site, free_port())
    assert states(site) == [("pending", "Erred")]
    assert "mail server" in site.one(users.invitation).error_message
    operating.retry(site.engine)
    with mail_server() as server:
        run(site, server.port)
    assert states(site) == [("pending", "OK")]
    assert site.one(users.invitation).error_message == ""


def test_a_refused_guest_has_an_error_and_the_others_get_theirs(site: Scene) -> None:
    project = started(site)
    for name in ("a", "bad", "c"):
        invite(site, f"{name}@x.org", project, state="project")
    with mail_server(refused={"bad@x.org"}) as server:
        run(site, server.port)
        assert server.addresses == ["a@x.org", "c@x.org"]
    assert [execution for _, execution in states(site)] == ["OK", "Erred", "OK"]


def test_invitations_of_removed_projects_and_invitations_without_an_author(site: Scene) -> None:
    invite(site, "removed@x.org", started(site, is_removed=True), state="project")
    invite(site, "orphan@x.org", started(site), state="project", created_by_id=None)
    do(site, release_project_invitations)
    assert states(site) == [("project", "Scheduled"), ("pending", "Processing")]


def test_the_release_needs_no_more_statements_for_more_invitations(site: Scene) -> None:
    counts = []
    for number in (3, 30):
        project = started(site)
        for guest in range(number):
            invite(site, f"g{number}-{guest}@x.org", project, state="project")
        with site.site() as hold, hold.work(ENTRY, NOON) as work, counted(work.connection) as seen:
            release_project_invitations(work)
            note_deliveries(work)
        counts.append(len(seen))
    assert counts[0] == counts[1]


def test_a_dry_run_of_the_release_changes_and_writes_nothing(site: Scene) -> None:
    invite(site, "guest@x.org", started(site), state="project")
    do(site, release_project_invitations, dry_run=True)
    assert states(site) == [("project", "Scheduled")]
    assert site.rows(message) == []


@pytest.mark.parametrize(("status", "execution", "kept"), [(202, "OK", "delivered"), (404, "Erred", "given up")])
def test_a_web_hook_takes_invitations_with_a_bearer_token(site: Scene, status: int, execution: str, kept: str) -> None:
    invite(site, "guest@x.org", started(site, name="Ocean"), state="project")
    with token_server() as token_url, hook_server(status) as hook:
        run(
            site,
            free_port(),
            **{
                "WALDUR_CORE.INVITATION_USE_WEBHOOKS": True,
                "WALDUR_CORE.INVITATION_WEBHOOK_URL": hook.url,
                "WALDUR_CORE.INVITATION_WEBHOOK_TOKEN_URL": token_url,
                "WALDUR_CORE.INVITATION_WEBHOOK_TOKEN_SECRET": "hush",
            },
        )
    assert [call["scope_name"] for call in hook.calls] == ["Ocean"]
    assert states(site) == [("pending", execution)]
    assert site.one(message).state == kept
    assert "hush" not in f"{site.one(message)} {site.one(users.invitation)}"


@contextmanager
def token_server() -> Iterator[str]:
    """An identity provider that gives a token to everybody."""

    token = {"access_token": "T", "expires_in": 300}
    with serving({("POST", "/token"): lambda **_: (200, token)}) as url:
        yield f"{url}/token"


GUESTS = {"WALDUR_CORE.INVITATION_CREATE_MISSING_USER": True}


def test_a_killed_run_asks_freeipa_for_the_same_account_and_mails_the_password_that_holds(site: Scene) -> None:
    invite(site, "new.guest@x.org", started(site), state="project", full_name="New van Guest")
    with freeipa_server() as ipa, mail_server() as server:
        waldur = GUESTS | {"WALDUR_FREEIPA.HOSTNAME": ipa.hostname}
        do(site, release_project_invitations, waldur=waldur)
        delivery.deliver(site.engine, site.deployment(waldur=waldur))
        run(site, server.port, **waldur)
        run(site, server.port, **waldur)
        ((_, mail),) = server.received
        password = ipa.users["waldur_new_guest_x_org"]["userpassword"]
    body = mail.get_body(("plain",))
    assert body is not None and password in body.get_content()
    assert [row.username for row in site.rows(freeipa.profile)] == ["waldur_new_guest_x_org"]
    assert all(password not in str(row.payload) for row in site.rows(message))


@pytest.mark.parametrize("enabled", [True, False])
def test_groups_are_brought_up_to_date_once_an_account_was_made_on_sites_that_have_them(
    site: Scene, enabled: bool
) -> None:
    invite(site, "new.guest@x.org", started(site), state="project", full_name="New van Guest")
    with freeipa_server() as ipa, mail_server() as server:
        for _ in range(2):
            run(
                site,
                server.port,
                **GUESTS,
                **{"WALDUR_FREEIPA.HOSTNAME": ipa.hostname, "WALDUR_FREEIPA.ENABLED": enabled},
            )
    tasks = [row.payload["task"] for row in site.rows(message, kind="handover")]
    assert tasks == ["waldur_freeipa.sync_groups"] * enabled


def test_two_invitations_of_one_guest_make_one_account(site: Scene) -> None:
    for _ in range(2):
        invite(site, "guest@x.org", started(site), state="project", full_name="Some Guest")
    with freeipa_server() as ipa, mail_server() as server:
        run(site, server.port, **(GUESTS | {"WALDUR_FREEIPA.HOSTNAME": ipa.hostname}))
        assert server.addresses == ["guest@x.org", "guest@x.org"]
    assert len(site.rows(core.user)) == len(site.rows(freeipa.profile)) == 1


def test_a_guest_whose_user_name_is_taken_by_an_inactive_account_gets_an_error_and_the_others_get_theirs(
    site: Scene,
) -> None:
    site.user("Gone@x.org", username="gone_x_org", is_active=False)
    project = started(site)
    for name in ("gone", "new"):
        invite(site, f"{name}@x.org", project, state="project", full_name="A Guest")
    with freeipa_server() as ipa, mail_server() as server:
        run(site, server.port, **(GUESTS | {"WALDUR_FREEIPA.HOSTNAME": ipa.hostname}))
        assert server.addresses == ["new@x.org"]
    assert [bool(row.error_message) for row in site.rows(users.invitation)] == [True, False]


def test_addresses_that_differ_in_case_are_one_person(site: Scene) -> None:
    for address in ("Guest@x.org", "guest@X.org"):
        invite(site, address, started(site), state="project", full_name="Some Guest")
    site.user("Known.Guest@X.org", username="known")
    invite(site, "known.guest@x.org", started(site), state="project", full_name="Known Guest")
    with freeipa_server() as ipa, mail_server() as server:
        run(site, server.port, **(GUESTS | {"WALDUR_FREEIPA.HOSTNAME": ipa.hostname}))
        assert len(server.received) == 3
    assert sorted(row.username for row in site.rows(core.user)) == ["guest_x_org", "known"]
    assert len(site.rows(freeipa.profile)) == 2


def test_two_addresses_that_make_the_same_user_name_are_two_people(site: Scene) -> None:
    site.user("a-guest@x.org", username="a_guest_x_org")
    for address in ("a.guest@x.org", "a+guest@x.org", "a_guest@x.org"):
        invite(site, address, started(site), state="project", full_name="Some Guest")
    with freeipa_server() as ipa, mail_server() as server:
        run(site, server.port, **(GUESTS | {"WALDUR_FREEIPA.HOSTNAME": ipa.hostname}))
        assert server.addresses == ["a+guest@x.org", "a.guest@x.org", "a_guest@x.org"]
    people = {row.email: row.username for row in site.rows(core.user)}
    assert people == {
        "a-guest@x.org": "a_guest_x_org",
        "a.guest@x.org": "a_guest_x_org_2",
        "a+guest@x.org": "a_guest_x_org_3",
        "a_guest@x.org": "a_guest_x_org_4",
    }
    assert len({row.username for row in site.rows(freeipa.profile)}) == 3


def test_one_civil_number_is_one_person_whatever_the_address(site: Scene) -> None:
    for address in ("home@x.org", "work@x.org"):
        invite(site, address, started(site), state="project", full_name="Some Guest", civil_number="EE1")
    with freeipa_server() as ipa, mail_server() as server:
        run(site, server.port, **(GUESTS | {"WALDUR_FREEIPA.HOSTNAME": ipa.hostname}))
    assert len(site.rows(core.user)) == 1


def test_only_authors_who_want_notifications_are_told_of_expired_invitations(site: Scene) -> None:
    project = started(site)
    authors = {
        "told": site.user("told@x.org"),
        "inactive": site.user("inactive@x.org", is_active=False),
        "quiet": site.user("quiet@x.org", notifications_enabled=False),
        "nameless": site.user(""),
        "nobody": None,
    }
    for author in authors.values():
        invite(site, "guest@x.org", project, created=NOON - WEEK, created_by_id=author)
    invite(site, "g@x.org", started(site, is_removed=True), created=NOON - WEEK, created_by_id=authors["told"])
    do(site, cancel_expired_invitations)
    assert {state for state, _ in states(site)} == {"expired"}
    assert keys(site) == ["told@x.org"]


def _on_a_removed_and_a_coming_project(site: Scene) -> None:
    """Invitations of a removed project and of one that has not started: due for a reminder, and for their end."""
    coming = site.project(site.customer(), start_date=NOON.date() + timedelta(days=3))
    invite(site, "removed@x.org", started(site, is_removed=True), created=NOON - timedelta(days=6, hours=12))
    invite(site, "coming@x.org", coming, created=NOON - timedelta(days=8), state="project")


@pytest.mark.generation("8")
def test_on_newer_sites_waiting_invitations_expire_and_guests_of_removed_projects_are_not_reminded(site: Scene) -> None:
    _on_a_removed_and_a_coming_project(site)
    for entry in (remind_of_pending_invitations, cancel_expired_invitations):
        do(site, entry)
    assert [state for state, _ in states(site)] == ["pending", "expired"]
    assert keys(site) == []


def test_on_older_sites_waiting_invitations_stay_and_guests_of_removed_projects_are_reminded(site: Scene) -> None:
    _on_a_removed_and_a_coming_project(site)
    for entry in (remind_of_pending_invitations, cancel_expired_invitations):
        do(site, entry)
    assert [state for state, _ in states(site)] == ["pending", "project"]
    assert keys(site) == ["removed@x.org"]


def test_a_guest_is_reminded_once_and_again_after_the_invitation_was_renewed(site: Scene) -> None:
    invitation = invite(site, "guest@x.org", started(site), created=NOON - timedelta(days=6, hours=1))
    for hours in (0, 1, 22):
        do(site, remind_of_pending_invitations, NOON + timedelta(hours=hours))
    assert keys(site) == ["guest@x.org"]
    with site.engine.begin() as connection:
        connection.execute(users.invitation.update().where(users.invitation.c.id == invitation).values(created=NOON))
    do(site, remind_of_pending_invitations, NOON + timedelta(days=6, hours=1))
    assert keys(site) == ["guest@x.org"] * 2


def test_an_invitation_that_has_expired_is_not_reminded_of(site: Scene) -> None:
    invite(site, "late@x.org", started(site), created=NOON - WEEK)
    do(site, remind_of_pending_invitations)
    assert keys(site) == []


def test_group_invitations_end_at_their_lifetime_and_are_not_modified(site: Scene) -> None:
    facts = {"customer_id": site.customer(), "role_id": 1, "is_active": True}
    site.add(users.groupinvitation, created=NOON - WEEK, **facts)
    site.add(users.groupinvitation, created=NOON - WEEK + timedelta(microseconds=1), **facts)
    before = [row.modified for row in site.rows(users.groupinvitation)]
    do(site, cancel_expired_group_invitations)
    assert [row.is_active for row in site.rows(users.groupinvitation)] == [False, True]
    assert [row.modified for row in site.rows(users.groupinvitation)] == before
