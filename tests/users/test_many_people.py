"""The jobs about people ask the database as much for thirty rows as for three, and their dry runs leave no trace."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.scene import Scene
from tests.statements import counted
from waldur_dagster.outbox.tables import message
from waldur_dagster.schema import core, permissions, structure, users, valimo
from waldur_dagster.structure.permission_reviews import create_customer_permission_reviews
from waldur_dagster.users.group_invitations import cancel_expired_group_invitations
from waldur_dagster.users.invitation_expiry import cancel_expired_invitations, remind_of_pending_invitations
from waldur_dagster.valimo.auth_results import delete_old_auth_results
from waldur_dagster.work import Work

NOON = datetime(2025, 3, 10, 12, tzinfo=UTC)
PROJECT_TYPE = 2
JOBS: list[Callable[[Work], Any]] = [
    cancel_expired_invitations,
    remind_of_pending_invitations,
    cancel_expired_group_invitations,
    create_customer_permission_reviews,
    delete_old_auth_results,
]


def _people(scene: Scene, number: int) -> None:
    """As many rows as ``number`` says for each of the jobs."""
    for name in ("created", "expired"):
        if not scene.rows(core.notification, key=f"users.invitation_{name}"):
            scene.add(core.notification, key=f"users.invitation_{name}", enabled=True)
    for _ in range(number):
        customer = scene.customer()
        project = scene.project(customer)
        author = scene.user("author@example.org")
        role = scene.role(author, "PROJECT.MEMBER", "project", project)
        held = scene.one(permissions.userrole, id=role).role_id
        scope = {"customer_id": customer, "content_type_id": PROJECT_TYPE, "object_id": project, "role_id": held}
        for days in (6.5, 8):
            created = NOON - timedelta(days=days)
            facts = {"state": "pending", "affiliations": [], "email": "guest@example.org", "created_by_id": author}
            scene.add(users.invitation, created=created, **facts, **scope)
            scene.add(users.groupinvitation, is_active=True, created=created, **scope)
        scene.add(valimo.authresult, modified=NOON - timedelta(days=8))


def _run(scene: Scene, job: Callable[[Work], Any], *, dry_run: bool = False) -> tuple[int, Any]:
    with scene.site(dry_run=dry_run) as site, site.work("entry", NOON) as work:
        with counted(work.connection) as statements:
            job(work)
        return len(statements), work.outcome


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.__name__)
def test_statements_do_not_grow_with_rows_and_a_dry_run_leaves_no_trace(
    scene: Scene, job: Callable[[Work], Any]
) -> None:
    _people(scene, 3)
    _, planned = _run(scene, job, dry_run=True)
    assert scene.rows(message) == []
    few, done = _run(scene, job)
    assert (planned.rows, planned.figures) == (done.rows, done.figures)
    assert [*done.rows, *done.figures]
    _people(scene, 30)
    many, _ = _run(scene, job)
    assert many == few


def test_a_review_is_asked_for_when_the_last_one_is_over_90_days_old(scene: Scene) -> None:
    review = structure.customerpermissionreview
    ages = {"never": None, "fresh": 90.0, "old": 90.1}
    customers = {name: scene.customer(name) for name in ages}
    for name, age in ages.items():
        scene.owner(customers[name], f"{name}@example.org")
        if age is not None:
            closed = NOON - timedelta(days=age)
            scene.add(review, customer_id=customers[name], is_pending=False, created=closed, closed=closed)
    scene.customer("without users")
    for _ in range(2):
        _run(scene, create_customer_permission_reviews)
    asked = {row.customer_id for row in scene.rows(review, is_pending=True)}
    assert asked == {customers["never"], customers["old"]}
    assert len(scene.rows(review, is_pending=True)) == 2


def test_results_of_logins_go_after_exactly_seven_days(scene: Scene) -> None:
    week = timedelta(days=7)
    for age in (week, week - timedelta(seconds=1), 2 * week):
        scene.add(valimo.authresult, modified=NOON - age)
    _run(scene, delete_old_auth_results)
    assert [row.modified for row in scene.rows(valimo.authresult)] == [NOON - week + timedelta(seconds=1)]
