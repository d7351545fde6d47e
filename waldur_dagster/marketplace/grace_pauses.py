"""Resources of projects in their days of grace are paused, and released when the end has moved (newer_billing 4.2)."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Select, Table, Text, and_, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import distinct_on

from waldur_dagster.marketplace.events import log_resource_events
from waldur_dagster.marketplace.fired_policies import wanted
from waldur_dagster.marketplace.states import ResourceState
from waldur_dagster.platform.expressions import text_from
from waldur_dagster.schema import logging, marketplace, structure
from waldur_dagster.structure.project_ends import has_grace, is_in_grace, is_over
from waldur_dagster.temporary import temporary_table
from waldur_dagster.work import Work

resource, offering, project = marketplace.resource, marketplace.offering, structure.project
ENDED = (ResourceState.TERMINATING, ResourceState.TERMINATED)
# Type and message of the events.
PAUSED = (
    "marketplace_resource_paused",
    "Resource {name} has been paused because project {project} has entered the grace period.",
)
RELEASED = (
    "reset_pausing",
    "Resource {name} has been unpaused because project {project} is no longer in the grace period.",
)
# What else the log tells of pauses, set and taken back by policies.
PAUSE = "request_pausing"
TOLD_OF_PAUSES = (PAUSED[0], PAUSE, "request_slurm_resource_pausing", RELEASED[0])


def ends_without_grace() -> ColumnElement[bool]:
    """Whether an offering's resources get no days of grace."""
    return offering.c.plugin_options.contains({"disable_grace_period": True})


def pause_in_grace(work: Work) -> int:
    """Pause the resources of projects in their days of grace, where the offering can be paused; returns how many."""
    if not has_grace(work):
        return 0
    chosen = _live(work).where(
        is_in_grace(work),
        ~resource.c.paused,
        offering.c.plugin_options.contains({"supports_pausing": True}),
        ~ends_without_grace(),
    )
    return _write(
        work,
        "paused_in_grace",
        chosen,
        {"paused": True, "paused_by_grace_period": True},
        PAUSED,
    )


def release_from_grace(work: Work) -> int:
    """Take back the pauses of projects that are neither in grace nor over any more; returns how many.

    A pause that a policy or a usage limit wants as well stays. Only where the site tells such pauses from others.
    """
    if not work.schema.has_column(resource.c.paused_by_grace_period):
        return 0
    _mark_old_pauses(work)
    chosen = _live(work).where(
        resource.c.paused_by_grace_period, ~func.coalesce(is_in_grace(work) | is_over(work), False)
    )
    kept = _is_wanted_otherwise(work)
    released = _write(
        work,
        "released_from_grace",
        chosen.where(~kept),
        {"paused": False, "paused_by_grace_period": False},
        RELEASED,
    )
    _set(work, "kept_paused", chosen.where(kept), {"paused_by_grace_period": False})
    return released


def _mark_old_pauses(work: Work) -> None:
    """Mark the pauses for grace that are older than the mark: those of which the resource's log tells last.

    The log is asked only about resources of which nothing else tells why they are paused.
    """
    event, feed = logging.event, logging.feed
    unmarked = (resource.c.paused, ~resource.c.paused_by_grace_period, ~_is_wanted_otherwise(work))
    last = (
        select(resource.c.id, event.c.event_type, event.c.message)
        .ext(distinct_on(resource.c.id))
        .join(
            feed,
            (feed.c.content_type_id == work.content_types("marketplace", "resource"))
            & (feed.c.object_id == resource.c.id),
        )
        .join(event, event.c.id == feed.c.event_id)
        .where(*unmarked, resource.c.state.not_in(ENDED), event.c.event_type.in_(TOLD_OF_PAUSES))
        .order_by(resource.c.id, event.c.created.desc(), event.c.id.desc())
        .subquery("last")
    )
    event_type, message = PAUSED
    for_grace = and_(last.c.event_type == event_type, last.c.message.endswith(message.rpartition("}")[2]))
    old = _live(work).where(*unmarked, resource.c.id.in_(select(last.c.id).where(for_grace)))
    _set(work, "old_pause", old, {"paused_by_grace_period": True})


def _is_wanted_otherwise(work: Work) -> ColumnElement[bool]:
    """Whether a policy or a usage limit has paused the resource, or a policy would have if it had not been paused."""
    noted = func.coalesce(resource.c.attributes["_policy_attribution"].has_key("paused"), False)
    limited = work.schema.own(resource, "usage_limit_restriction", literal("", Text)) == "paused"
    return or_(noted, limited, wanted(work.schema, PAUSE))


def _live(work: Work) -> Select[tuple[int]]:
    return (
        select(resource.c.id.label("resource_id"))
        .join(project, project.c.id == resource.c.project_id)
        .join(offering, offering.c.id == resource.c.offering_id)
        .where(resource.c.state.not_in(ENDED), ~project.c.is_removed)
        .order_by(resource.c.id)
        .with_for_update(of=resource, skip_locked=True)
    )


def _write(work: Work, name: str, chosen: Select[tuple[int]], flags: dict[str, bool], news: tuple[str, str]) -> int:
    written, count = _set(work, name, chosen, flags)
    event_type, message = news
    told = text_from(message, name=resource.c.name, project=project.c.name)
    log_resource_events(work, written, event_type=event_type, message=told)
    return count


def _set(work: Work, name: str, chosen: Select[tuple[int]], flags: dict[str, bool]) -> tuple[Table, int]:
    """Set flags of resources, as far as the site has them; returns the temporary table of these, and how many."""
    written = temporary_table(work, name, chosen)
    values = {"modified": work.as_of, **work.schema.fitting(resource, flags)}
    return written, work.execute(update(resource).values(values).where(resource.c.id == written.c.resource_id)).rowcount
