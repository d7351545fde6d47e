"""The job waldur-mastermind-send-notifications-about-upcoming-bookings: tomorrow's bookings, one mail a user."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on

from waldur_dagster.booking.schedules import BOOKING, UnreadableSchedule, slot_starts
from waldur_dagster.marketplace.states import OrderType, ResourceState
from waldur_dagster.marketplace.text_objects import RESOURCE
from waldur_dagster.outbox import put
from waldur_dagster.platform.contexts import full_name
from waldur_dagster.platform.mail import Letter, notification_mails
from waldur_dagster.platform.roles import wants_mail
from waldur_dagster.platform.template_objects import USER, Objects, person_names
from waldur_dagster.schema import core, marketplace
from waldur_dagster.work import Work

NOTIFICATION = "booking.notification"
resource, offering, order, user = marketplace.resource, marketplace.offering, marketplace.order, core.user


def remind_of_upcoming_bookings(work: Work) -> int:
    """Mail every user the accepted bookings of his that have a slot tomorrow, in the site's time zone.

    The user is the author of the booking's oldest create order; who has no address, or has notifications off, gets
    none. A mail is named by user and day: a second run repeats none. Returns the number of new mails.
    """
    return put(work, notification_mails(work, NOTIFICATION, _letters(work)))


def _letters(work: Work) -> Iterator[Letter]:
    tomorrow = work.today + timedelta(days=1)
    first_order = (
        select(order.c.resource_id, order.c.created_by_id)
        .where(order.c.type == OrderType.CREATE)
        .ext(distinct_on(order.c.resource_id))
        .order_by(order.c.resource_id, order.c.created, order.c.id)
        .subquery("first_order")
    )
    found = work.connection.execute(
        select(
            *(resource.c[name] for name in ("id", "uuid", "name", "attributes")),
            first_order.c.created_by_id.label("user_id"),
            user.c.uuid.label("user_uuid"),
            user.c.email,
            full_name(user).label("user_name"),
            wants_mail(user).label("wants_mail"),
        )
        .join(offering, offering.c.id == resource.c.offering_id)
        .outerjoin(first_order, first_order.c.resource_id == resource.c.id)
        .outerjoin(user, user.c.id == first_order.c.created_by_id)
        .where(offering.c.type == BOOKING, resource.c.state == ResourceState.OK)
        .order_by(resource.c.created, resource.c.id)
    ).all()
    resources = Objects(work, RESOURCE, (row.id for row in found))
    people = Objects(work, USER, (row.user_id for row in found))
    bookings: dict[int, list[Any]] = defaultdict(list)
    for row in found:
        label = f"booking {row.name} ({row.uuid.hex})"
        try:
            starts = slot_starts(row.attributes)
        except UnreadableSchedule as problem:
            work.outcome.warn(label, f"{problem}; nobody is reminded of it")
            continue
        if not any(start.astimezone(work.zone).date() == tomorrow for start in starts):
            continue
        if row.user_id is None:
            work.outcome.warn(label, "has no create order, so nobody is reminded of it")
        elif row.wants_mail:
            bookings[row.user_id].append(row)
    for user_id, rows in bookings.items():
        facts = {
            "user": people.view(user_id, **person_names(rows[0].user_name)),
            "resources": tuple(resources.view(row.id, uuid=row.uuid, name=row.name) for row in rows),
        }
        yield Letter(f"upcoming bookings {rows[0].user_uuid.hex} {tomorrow}", rows[0].email, facts)
