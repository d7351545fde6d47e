"""The audit log: events, and the objects whose log shows them (spec core 1.6)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Integer, Select, cast, column, func, literal, select
from sqlalchemy.dialects.postgresql import JSONB, REGCLASS

from waldur_dagster.platform import hooks
from waldur_dagster.platform.event_names import name_on_site
from waldur_dagster.platform.expressions import merged
from waldur_dagster.schema import logging
from waldur_dagster.work import Work


def log_events(work: Work, source: Select[Any], *, hooked: bool = True) -> int:
    """Write the events that ``source`` selects, with their feeds, in one statement, and queue the hooks they fire.

    Not ``hooked``: Waldur serves no hooks for these events, nor does this.

    ``source`` has the columns event_type, message, context (jsonb) and feeds (jsonb, [[content type id, object id],
    ...]) in the order in which the events are to be numbered. Who acts in this unit of work (``work.actor``) is added
    to the contexts. Returns the number of events.
    """
    ordered = source.subquery("new_event")
    context = merged(literal(work.actor, JSONB), ordered.c.context) if work.actor else ordered.c.context
    # Looked up once, not for each row.
    sequence = select(cast(func.pg_get_serial_sequence("logging_event", "id"), REGCLASS)).scalar_subquery()
    number = func.nextval(sequence)
    numbered = select(
        cast(number, Integer).label("id"),
        *(c for c in ordered.c if c.name != "context"),
        context.label("context"),
    ).cte("numbered")
    event_rows = select(
        numbered.c.id,
        func.gen_random_uuid().label("uuid"),
        literal(work.as_of).label("created"),
        name_on_site(work.schema, numbered.c.event_type).label("event_type"),
        numbered.c.message,
        numbered.c.context,
    )
    feed = func.jsonb_array_elements(numbered.c.feeds).table_valued(column("scope", JSONB)).render_derived()
    feed_rows = select(
        numbered.c.id.label("event_id"),
        cast(feed.c.scope.op("->>")(0), Integer).label("content_type_id"),
        cast(feed.c.scope.op("->>")(1), Integer).label("object_id"),
    ).select_from(numbered.join(feed, literal(True)))
    events = work.insert_from(logging.event, event_rows).returning(logging.event.c.id).cte("events")
    feeds = work.insert_from(logging.feed, feed_rows).returning(logging.feed.c.id).cte("feeds")
    counted = select(
        func.array(select(events.c.id).scalar_subquery()).label("ids")
        if hooked and hooks.any_configured(work)
        else literal(None).label("ids"),
        select(func.count()).select_from(events).scalar_subquery().label("events"),
        select(func.count()).select_from(feeds).scalar_subquery().label("feeds"),
    )
    found = work.connection.execute(counted).one()
    work.outcome.changed("logging_event", "inserted", found.events)
    work.outcome.changed("logging_feed", "inserted", found.feeds)
    if found.ids:
        hooks.queue(work, found.ids)
    return int(found.events)
