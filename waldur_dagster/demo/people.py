"""What the demo site has for the jobs about people: invitations, broadcasts, reviews, old logins."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any

from sqlalchemy import Engine, select

from waldur_dagster.demo.rows import Rows
from waldur_dagster.schema import core, notifications, permissions, structure, users, valimo

SEED = 20250405
NOTIFICATIONS = ("invitation_created", "invitation_expired", "invitation_approved")
# Who is invited, the state of the invitation, and how many days ago it was written; the lifetime is seven days.
GUESTS = (
    ("lost", "pending", 9.0),
    ("late", "pending", 8.0),
    ("slow", "pending", 6.5),
    ("quick", "pending", 1.0),
    ("early", "project", 12.0),
    ("eager", "project", 2.0),
)


def add_people(engine: Engine, now: datetime) -> None:
    """Give a demo site that has projects and roles something to do for each job about people.

    Invitations that expire, are about to, and wait for a project that has begun; group invitations past their time;
    two broadcasts that are due; old results of logins. No organization has had a review of its roles yet.
    """
    with engine.begin() as connection:
        rows = Rows(connection, Random(SEED), now - timedelta(days=30))  # noqa: S311  the same every time
        for name in NOTIFICATIONS:
            rows.notification(f"users.{name}")
        project = rows.first(structure.project)
        connection.execute(
            structure.project.update()
            .where(structure.project.c.id == project.id)
            .values(start_date=(now - timedelta(days=1)).date())
        )
        role = connection.scalar(select(permissions.role.c.id).where(permissions.role.c.name == "PROJECT.MANAGER"))
        author = connection.scalar(
            select(core.user.c.id).where(core.user.c.is_active).order_by(core.user.c.id).limit(1)
        )
        scope: dict[str, Any] = {
            "customer_id": project.customer_id,
            "content_type_id": rows.content_type("structure", "project"),
            "object_id": project.id,
            "role_id": role,
            "created_by_id": author,
        }
        for guest, state, days in GUESTS:
            rows.add(
                users.invitation,
                email=f"{guest}@example.org",
                state=state,
                execution_state="Scheduled",
                affiliations=[],
                created=now - timedelta(days=days),
                **scope,
            )
        for days in (3, 10, 20):
            rows.add(users.groupinvitation, is_active=True, created=now - timedelta(days=days), **scope)
        for subject, days in (("Maintenance of the cluster", 0), ("New prices", 1)):
            rows.add(
                notifications.broadcastmessage,
                state="SCHEDULED",
                subject=subject,
                body=f"{subject}: please see the portal.",
                send_at=(now - timedelta(days=days)).date(),
                query={},
                emails=[f"reader{number}@example.org" for number in range(60)],
                author_id=author,
            )
        for days in (1, 8, 40):
            rows.add(valimo.authresult, state="OK", phone="+3725555555", modified=now - timedelta(days=days))
