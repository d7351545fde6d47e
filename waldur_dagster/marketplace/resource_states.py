"""Changing resources of the marketplace, with everything that follows in Waldur (spec marketplace 0.5, remote 1.4)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    Table,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    update,
)

from waldur_dagster.invoices.changed_resources import bill_changes
from waldur_dagster.marketplace import plan_periods, service_settings
from waldur_dagster.marketplace.emptied_projects import delete_emptied
from waldur_dagster.marketplace.events import log_resource_events
from waldur_dagster.marketplace.limits import keep_limits
from waldur_dagster.marketplace.states import ResourceState
from waldur_dagster.platform.contexts import python_text
from waldur_dagster.platform.event_names import RESOURCE_CHANGED
from waldur_dagster.platform.expressions import text_from
from waldur_dagster.platform.state_codes import shown
from waldur_dagster.schema import marketplace
from waldur_dagster.temporary import temporary_table
from waldur_dagster.work import Work

resource = marketplace.resource
# Columns whose changes are not told in events.
UNTOLD = frozenset(
    {
        "modified",
        "backend_metadata",
        "object_id",
        "content_type_id",
        "options",
        "error_message",
        "current_usages",
    }
)


def change_resources(work: Work, chosen: FromClause, name: str = "resource_change") -> Table:
    """Give resources new values: one row of ``chosen`` for each, with resource_id and columns of marketplace_resource.

    A resource that has all its new values already is left alone, ``modified`` included. What follows, in this order:
    one event for each resource that lists its changed columns; ``error_traceback`` is emptied when an erred resource
    is OK again (an event of its own, unless ``chosen`` gives that column); plan periods are opened and closed;
    component quotas keep the limits; the month's invoice has what an end, another plan or other limits cost; service
    settings of archived offerings go off with their last resource and on
    with their first; projects that are over go with their last resource.

    Returns the temporary table ``name`` of the changed ones: resource_id, and for each given column ``old_<column>``
    and ``new_<column>``. Statements: constant.
    """
    given = [column.name for column in chosen.c if column.name in resource.c and column.name != "id"]
    changed = temporary_table(work, name, _differing(chosen, given))
    values: dict[str, Any] = {column: changed.c[f"new_{column}"] for column in given}
    written = work.execute(
        update(resource).values(**values, modified=work.as_of).where(resource.c.id == changed.c.resource_id)
    )
    if written.rowcount:
        _log(work, changed, given)
        _follow(work, changed, given)
    return changed


def _differing(chosen: FromClause, given: list[str]) -> Select[Any]:
    """The rows that have something to change, with old and new values; they stay locked until the transaction ends."""
    new = {name: cast(chosen.c[name], resource.c[name].type) for name in given}
    return (
        select(
            resource.c.id.label("resource_id"),
            *(resource.c[name].label(f"old_{name}") for name in (*given, *_always(given))),
            *(value.label(f"new_{name}") for name, value in new.items()),
            *(resource.c[name].label(f"new_{name}") for name in _always(given)),
        )
        .join_from(resource, chosen, chosen.c.resource_id == resource.c.id)
        .where(or_(*(resource.c[name].is_distinct_from(value) for name, value in new.items())))
        .order_by(resource.c.id)
        .with_for_update(of=resource)
    )


def _always(given: list[str]) -> list[str]:
    """Columns that what follows looks at, changed or not."""
    return [name for name in ("state", "plan_id") if name not in given]


def _log(work: Work, changed: Table, given: list[str]) -> None:
    told = [name for name in given if name not in UNTOLD]
    if not told:
        return
    pairs = {name: (changed.c[f"old_{name}"], changed.c[f"new_{name}"]) for name in told}
    fields = [
        case(
            (old.is_distinct_from(new), text_from(f"'{name}': from {{old}} to {{new}}", old=_said(old), new=_said(new)))
        )
        for name, (old, new) in pairs.items()
    ]
    rows = select(changed.c.resource_id, func.concat_ws(", field ", *fields).label("fields")).where(
        or_(*(old.is_distinct_from(new) for old, new in pairs.values()))
    )
    chosen = rows.subquery("told")
    message = "Marketplace resource '{name}' has been changed. Field {fields}."
    log_resource_events(
        work,
        chosen,
        event_type=RESOURCE_CHANGED,
        message=text_from(message, name=resource.c.name, fields=chosen.c.fields),
    )


def _said(value: ColumnElement[Any]) -> ColumnElement[str]:
    return shown(ResourceState, value) if value.name.endswith("_state") else python_text(value)


def _follow(work: Work, changed: Table, given: list[str]) -> None:
    if "state" in given and "error_traceback" not in given:
        recovered = and_(changed.c.old_state == ResourceState.ERRED, changed.c.new_state == ResourceState.OK)
        emptied = select(changed.c.resource_id, literal("", Text).label("error_traceback")).where(recovered)
        change_resources(work, emptied.subquery("recovered"), f"{changed.name}_recovered")
    if "state" in given or "plan_id" in given:
        plan_periods.follow(work, changed)
    if "limits" in given:
        keep_limits(work, changed)
    if {"state", "plan_id", "limits"} & set(given):
        bill_changes(work, changed)
    if "state" in given:
        service_settings.follow(work, changed)
        delete_emptied(work, changed)
