"""Resources and bookings of the demo site that have something to end, to start or to give up."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from random import Random
from typing import Any

from sqlalchemy import Engine

from waldur_dagster.demo.rows import Rows
from waldur_dagster.marketplace.robot_accounts import DELETED
from waldur_dagster.schema import marketplace, permissions, structure

SEED = 20250402
GRANTED = ("RESOURCE.TERMINATE", "ORDER.APPROVE", "ORDER.APPROVE_PRIVATE")
CREATE, TERMINATE = 1, 3
CONTENT_TYPES = (
    ("core", "user"),
    ("marketplace", "order"),
    ("marketplace", "resource"),
    ("marketplace", "robotaccount"),
)


def add_endings(engine: Engine, now: datetime) -> None:
    """Give a demo site projects that are over or begin, and resources, bookings and orders of each kind to handle.

    Days are those of ``now``.
    """
    with engine.begin() as connection:
        rows = Rows(connection, Random(SEED), now - timedelta(days=200))  # noqa: S311  the same every time
        owner = rows.first(permissions.userrole)
        customer, author, category = owner.object_id, owner.user_id, rows.add(marketplace.category, title="Rooms")
        for permission in GRANTED:
            rows.add(permissions.rolepermission, role_id=owner.role_id, permission=permission)
        for key in ("marketplace.notify_provider_about_pending_order", "booking.notification"):
            rows.notification(key)

        for app_label, model in CONTENT_TYPES:
            rows.content_type(app_label, model)

        def offering(kind: str, **values: Any) -> int:
            named = {"name": kind.partition(".")[2], "type": kind, "state": 2, "shared": True, "billable": True}
            return rows.add(marketplace.offering, customer_id=customer, category_id=category, **(named | values))

        def project(name: str, **values: Any) -> int:
            return rows.add(structure.project, customer_id=customer, name=name, **values)

        def resource(
            name: str, kind: int, place: int, *orders: tuple[int, int], touched: datetime = now, **values: Any
        ) -> None:
            row = {"state": 2, "created": now, "modified": now} | values
            made = rows.add(marketplace.resource, name=name, offering_id=kind, project_id=place, **row)
            for order_type, state in orders:
                rows.add(
                    marketplace.order,
                    resource_id=made,
                    offering_id=kind,
                    project_id=place,
                    created_by_id=author,
                    type=order_type,
                    state=state,
                    created=touched,
                    modified=touched,
                )

        running, today = project("Soil sensors"), now.date()
        over, empty = project("Summer school", end_date=today), project("Pilot", end_date=today)
        starting = project("Spring campaign", start_date=today)
        script = offering("Marketplace.Script", secret_options={"language": "shell", "terminate": "true"})
        bare, basic = offering("Marketplace.Script", name="No script"), offering("Marketplace.Basic")
        slurm, room = offering("Marketplace.Slurm"), offering("Marketplace.Booking")
        resource("expired notebook", script, running, end_date=today, end_date_requested_by_id=author)
        resource("expired licence", basic, running, end_date=today - timedelta(days=1))
        resource("cannot be ended", bare, running, end_date=today)
        resource("course server", script, over)
        resource("old course server", script, empty, state=6)
        resource("spring server", script, starting, (CREATE, 8), state=1)
        resource("spring licence", basic, starting, (CREATE, 8), state=1)
        resource("stuck notebook", script, running, (CREATE, 2), state=1, touched=now - timedelta(hours=3))
        resource("never was", slurm, running, (CREATE, 4), (TERMINATE, 4), state=3)
        _add_deleted_robot_account(rows, running, script)
        noon = datetime.combine(today, time(12), now.tzinfo)
        for name, state, days in (("lab that has begun", 1, [-1]), ("lab of the week", 2, range(1, 8))):
            starts = [noon + timedelta(days=day) for day in days]
            slots = [
                {"id": str(number), "start": start.isoformat(), "end": (start + timedelta(hours=2)).isoformat()}
                for number, start in enumerate(starts, 1)
            ]
            order = (CREATE, 2 if state == 1 else 3)
            resource(name, room, running, order, state=state, attributes={"schedules": slots})


def _add_deleted_robot_account(rows: Rows, project: int, offering: int) -> None:
    """Newer versions of Waldur keep a state of robot accounts; on older ones none can be marked as deleted."""
    owner = rows.add(
        marketplace.resource, name="notebook of a robot", offering_id=offering, project_id=project, state=2, limits={}
    )
    rows.add(marketplace.robotaccount, resource_id=owner, type="login", username="robot", state=DELETED)
