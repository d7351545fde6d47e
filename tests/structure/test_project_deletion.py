"""Soft deletion of projects: order and completeness of its effects (spec marketplace 0.8)."""

from __future__ import annotations

from datetime import UTC, date, datetime

from sqlalchemy import select

from tests.scene import Scene
from tests.statements import counted
from waldur_dagster.outbox.tables import message
from waldur_dagster.schema import analytics, billing, logging, permissions, quotas, structure
from waldur_dagster.structure.project_deletion import soft_delete_projects

NOON = datetime(2025, 3, 10, 12, tzinfo=UTC)
ENTRY = "terminate_resources_if_project_end_date_has_been_reached"
CUSTOMER_TYPE, PROJECT_TYPE = 1, 2


def expired_project(scene: Scene, customer: int, name: str, **values: object) -> int:
    """A project past its end date, with an estimate."""
    project = scene.project(customer, name, end_date=date(2025, 3, 9), **values)
    scene.add(billing.priceestimate, content_type_id=PROJECT_TYPE, object_id=project)
    return project


def member(scene: Scene, project: int, email: str, role: str = "PROJECT.MEMBER") -> int:
    user = scene.user(email, first_name="Ann", last_name="Lee")
    scene.role(user, role, "project", project)
    return user


def delete_all(scene: Scene, *, dry_run: bool = False) -> int:
    """Delete every project that has an end date; returns how many statements it took."""
    project = structure.project
    with scene.site(dry_run=dry_run) as site, site.work(ENTRY, NOON) as work, counted(work.connection) as statements:
        chosen = select(project.c.id.label("project_id")).where(project.c.end_date.is_not(None)).subquery("chosen")
        soft_delete_projects(work, chosen)
    return len(statements)


def test_a_deleted_project_is_marked_told_and_no_longer_counted(scene: Scene) -> None:
    customer = scene.customer("Acme")
    project, kept = expired_project(scene, customer, "Alpha"), scene.project(customer, "Beta")
    member(scene, project, "ann@example.com")
    stays = member(scene, kept, "bob@example.com")
    scene.role(stays, "PROJECT.ADMIN", "project", project)
    for name, delta in (("nc_user_count", 2), ("nc_project_count", 2)):
        scene.add(quotas.quotausage, name=name, delta=delta, content_type_id=CUSTOMER_TYPE, object_id=customer)

    delete_all(scene)

    removed = scene.one(structure.project, id=project)
    assert (removed.is_removed, removed.modified) == (True, NOON)
    assert not scene.one(structure.project, id=kept).is_removed
    assert [event.event_type for event in scene.rows(logging.event)] == [
        "project_deletion_triggered",
        "role_revoked",
        "role_revoked",
        "project_update_succeeded",
        "project_deletion_succeeded",
    ]
    first = scene.rows(logging.event)[0]
    assert first.context["project_end_date"] == "2025-03-09"
    assert {(f.content_type_id, f.object_id) for f in scene.rows(logging.feed, event_id=first.id)} == {
        (PROJECT_TYPE, project),
        (CUSTOMER_TYPE, customer),
    }
    assert [(row.name, row.delta) for row in scene.rows(quotas.quotausage)[2:]] == [
        ("nc_user_count", -1),
        ("nc_project_count", -1),
    ]
    assert scene.one(analytics.dailyquotahistory).usage == 1
    assert scene.rows(billing.priceestimate) == []
    with scene.engine.connect() as connection:
        payload = connection.scalars(select(message.c.payload)).one()
    assert payload["task"] == "waldur_mastermind.marketplace_remote.tasks.delete_remote_project"
    assert payload["args"] == [f"structure.project:{project}"]


def test_a_project_that_is_removed_already_is_left_alone(scene: Scene) -> None:
    expired_project(scene, scene.customer(), "Alpha")
    delete_all(scene)
    written = scene.rows(logging.event), scene.rows(quotas.quotausage)
    delete_all(scene)
    assert (scene.rows(logging.event), scene.rows(quotas.quotausage)) == written


def test_a_dry_run_deletes_nothing(scene: Scene) -> None:
    project = expired_project(scene, scene.customer(), "Alpha")
    member(scene, project, "ann@example.com")
    delete_all(scene, dry_run=True)
    assert not scene.one(structure.project).is_removed
    assert scene.one(permissions.userrole).is_active
    assert scene.rows(logging.event) == []
    assert len(scene.rows(billing.priceestimate)) == 1


def test_statements_do_not_grow_with_the_projects(scene: Scene) -> None:

    def delete_many(count: int) -> int:
        for number in range(count):
            project = expired_project(scene, scene.customer(), f"P{count}-{number}")
            member(scene, project, f"{count}-{number}@example.com")
        return delete_all(scene)

    assert delete_many(2) == delete_many(20)
    assert len(scene.rows(logging.event, event_type="project_deletion_succeeded")) == 22
