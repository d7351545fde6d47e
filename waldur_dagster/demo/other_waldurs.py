"""What the demo site sells of another Waldur: an offering, and a change to a project that waits for its provider."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from sqlalchemy import Engine, select

from waldur_dagster.demo.rows import Rows
from waldur_dagster.remote.update_requests import NOTIFICATION, PENDING
from waldur_dagster.schema import core, marketplace, marketplace_remote, permissions, structure

SEED = 20251128


def add_update_request(engine: Engine, now: datetime) -> None:
    """Give a demo site with organizations whose owners read mails a change that has waited for nine days."""
    with engine.begin() as connection:
        rows = Rows(connection, Random(SEED), now - timedelta(days=9))  # noqa: S311  the same every time
        rows.notification(NOTIFICATION)
        held, user, project = permissions.userrole, core.user, structure.project
        told = connection.execute(
            select(project.c.id, project.c.name)
            .join(held, held.c.object_id == project.c.customer_id)
            .join(user, user.c.id == held.c.user_id)
            .where(held.c.role_id == 1, held.c.is_active, user.c.is_active, user.c.notifications_enabled)
            .where(~project.c.is_removed)
            .order_by(project.c.id)
            .limit(1)
        ).one()
        rows.add(
            marketplace_remote.projectupdaterequest,
            state=PENDING,
            project_id=told.id,
            offering_id=rows.first(marketplace.offering).id,
            old_name=told.name,
            new_name=f"{told.name} II",
        )
