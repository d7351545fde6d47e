"""Roles of the demo site that have reached their end, one of each kind that takes something else with it."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from sqlalchemy import Engine, select

from waldur_dagster.demo.rows import Rows
from waldur_dagster.schema import core, django, marketplace, permissions, structure

SEED = 20250401
# Role, the content type of what it is held on, and whether it is one of Waldur's own.
KINDS = (
    ("PROJECT.MANAGER", "project", True),
    ("PROJECT.MEMBER", "project", True),
    ("PROJECT.GUEST", "project", False),
    ("OFFERING.MANAGER", "offering", True),
    ("CUSTOMER.MANAGER", "customer", True),
)


def add_ended_roles(engine: Engine, now: datetime) -> None:
    """Give a demo site that ``build_site`` has made people whose time is over, and some whose time is not."""
    with engine.begin() as connection:
        rows = Rows(connection, Random(SEED), now - timedelta(days=200))  # noqa: S311  the same every time
        types = {row.model: row.id for row in connection.execute(select(django.content_type))}
        kinds = {
            name: (
                rows.add(permissions.role, name=name, is_system_role=own, is_active=True, content_type_id=types[model]),
                types[model],
            )
            for name, model, own in KINDS
        }

        def grant(user: int, name: str, scope: int, end: datetime | None = None) -> None:
            role, content_type = kinds[name]
            rows.add(
                permissions.userrole,
                user_id=user,
                role_id=role,
                content_type_id=content_type,
                object_id=scope,
                is_active=True,
                expiration_time=end,
            )

        yesterday, next_year = now - timedelta(days=1), now + timedelta(days=365)
        projects = connection.scalars(select(structure.project.c.id).order_by(structure.project.c.id).limit(6)).all()
        for number, project in enumerate(projects):
            user = _person(rows, number)
            grant(user, KINDS[number % 3][0], project, yesterday if number < 4 else next_year)
            rows.add(core.sshpublickey, user_id=user, name="laptop", fingerprint_md5=":".join([f"{number:02x}"] * 16))
        offering = rows.first(marketplace.offering)
        seller = _person(rows, len(projects))
        grant(seller, "OFFERING.MANAGER", offering.id, yesterday)
        grant(seller, "CUSTOMER.MANAGER", offering.customer_id)


def _person(rows: Rows, number: int) -> int:
    first, last = ("Liis", "Olav", "Sofia", "Mikko", "Anna", "Janis", "Kristin")[number % 7], "Guest"
    return rows.add(
        core.user,
        username=f"guest{number}",
        first_name=first,
        last_name=last,
        email=f"guest{number}@example.org",
        is_active=True,
        notifications_enabled=True,
    )
