"""Resources of projects in their days of grace are paused, and released when the end has moved (newer_billing 4.2)."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Select, func, or_, select, update

from waldur_dagster.marketplace.events import log_resource_events
from waldur_dagster.marketplace.states import ResourceState
from waldur_dagster.platform.expressions import text_from
from waldur_dagster.schema import marketplace, structure
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
    chosen = _live(work).where(
        resource.c.paused_by_grace_period, ~func.coalesce(is_in_grace(work) | is_over(work), False)
    )
    reasons: list[ColumnElement[bool]] = [
        func.coalesce(resource.c.attributes["_policy_attribution"].has_key("paused"), False)
    ]
    if work.schema.has_column(resource.c.usage_limit_restriction):
        reasons.append(resource.c.usage_limit_restriction == "paused")
    kept = or_(*reasons)
    released = _write(
        work,
        "released_from_grace",
        chosen.where(~kept),
        {"paused": False, "paused_by_grace_period": False},
        RELEASED,
    )
    still = temporary_table(work, "kept_paused", chosen.where(kept))
    work.execute(
        update(resource)
        .values(paused_by_grace_period=False, modified=work.as_of)
        .where(resource.c.id == still.c.resource_id)
    )
    return released


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
    written = temporary_table(work, name, chosen)
    count = work.execute(
        update(resource)
        .values(modified=work.as_of, **work.schema.fitting(resource, flags))
        .where(resource.c.id == written.c.resource_id)
    ).rowcount
    event_type, message = news
    told = text_from(message, name=resource.c.name, project=project.c.name)
    log_resource_events(work, written, event_type=event_type, message=told)
    return count
