"""What the demo site has to be reminded of: a project and a resource that end soon, idle resources, an old dry run."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from sqlalchemy import Engine, select, update

from waldur_dagster.demo.rows import Rows
from waldur_dagster.schema import marketplace, marketplace_script, permissions, structure
from waldur_dagster.script_offerings.dry_runs import DONE

SEED = 20250406
NOTIFICATIONS = (
    "notification_about_project_ending",
    "notification_about_resource_ending",
    "notification_about_stale_resources",
)


def add_reminders(engine: Engine, now: datetime) -> None:
    """Give a demo site that has projects, resources and roles something to be reminded of, by the days of ``now``."""
    today = now.date()
    project, resource, offering = structure.project, marketplace.resource, marketplace.offering
    with engine.begin() as connection:
        rows = Rows(connection, Random(SEED), now - timedelta(days=3))  # noqa: S311  the same every time
        for name in NOTIFICATIONS:
            rows.notification(f"marketplace.{name}")
        rows.add(marketplace_script.dryrun, state=DONE, order_attributes={})
        ending = connection.scalars(
            select(project.c.id).where(project.c.end_date.is_(None)).order_by(project.c.id.desc()).limit(1)
        ).one()
        connection.execute(update(project).where(project.c.id == ending).values(end_date=today + timedelta(days=1)))
        held = permissions.userrole  # roles that last, add_ended_roles gives some of them an end in a year
        lasting = select(held.c.object_id).where(held.c.expiration_time > now)
        of_members = select(resource.c.id).where(resource.c.project_id.in_(lasting)).order_by(resource.c.id).limit(1)
        connection.execute(
            update(resource)
            .where(resource.c.id == of_members.scalar_subquery())
            .values(end_date=today + timedelta(days=7), state=2)
        )
        connection.execute(update(offering).values(billable=True))
