"""Site agents of the demo site: one that has fallen silent, and members of projects who have no account yet."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from sqlalchemy import Engine, select

from waldur_dagster.demo.rows import Rows
from waldur_dagster.schema import core, marketplace, permissions
from waldur_dagster.site_agents import OFFERING_TYPE
from waldur_dagster.site_agents.connections import ACTIVE
from waldur_dagster.site_agents.offering_users import FLAG

SEED = 20250412
PEOPLE = (("Ada", "Lund"), ("Ada", "Lund"), ("Jürgen", "Saar"))
ORDER_PROCESSING, USAGE_REPORTING = "1", "2"


def add_agents(engine: Engine, now: datetime) -> None:
    """Give a demo site that sells cluster time an agent for it, and people who are to use the cluster."""
    with engine.begin() as connection:
        rows = Rows(connection, Random(SEED), now - timedelta(days=200))  # noqa: S311  the same every time
        offering = marketplace.offering
        cluster = connection.execute(
            select(offering.c.id, offering.c.plugin_options)
            .where(offering.c.type == OFFERING_TYPE)
            .order_by(offering.c.id)
            .limit(1)
        ).one()
        options = cluster.plugin_options | {"username_generation_policy": "full_name", FLAG: True}
        connection.execute(
            offering.update()
            .where(offering.c.id == cluster.id)
            .values(state=2, plugin_options=options, secret_options={FLAG: True})
        )
        for kind, minutes in ((ORDER_PROCESSING, 5), (USAGE_REPORTING, 150)):
            rows.add(
                marketplace.integrationstatus,
                offering_id=cluster.id,
                agent_type=kind,
                status=ACTIVE,
                last_request_timestamp=now - timedelta(minutes=minutes),
            )
        resource = marketplace.resource
        project = connection.scalar(
            select(resource.c.project_id)
            .where(resource.c.offering_id == cluster.id, resource.c.state == 2)
            .order_by(resource.c.id)
            .limit(1)
        )
        _add_members(rows, project)


def _add_members(rows: Rows, project: int | None) -> None:
    content_type = rows.content_type("structure", "project")
    role = rows.add(permissions.role, name="PROJECT.USER", is_active=True, content_type_id=content_type)
    for number, (first, last) in enumerate(PEOPLE):
        user = rows.add(
            core.user,
            username=f"cluster{number}",
            first_name=first,
            last_name=last,
            email=f"cluster{number}@example.org",
            is_active=True,
            notifications_enabled=True,
        )
        rows.add(
            permissions.userrole,
            user_id=user,
            role_id=role,
            content_type_id=content_type,
            object_id=project,
            is_active=True,
        )
