"""Components of offerings made what their remotes say (spec remote 3, write 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, exists, func, or_, select, tuple_

from waldur_dagster.marketplace.catalogue_events import log_component_events
from waldur_dagster.platform.merge import Merge
from waldur_dagster.remote.catalogue import COMPONENT_FIELDS, Catalogue, Component
from waldur_dagster.remote.losses import loses_too_much
from waldur_dagster.schema import invoices, marketplace
from waldur_dagster.work import Work

component, usage, resource = marketplace.offeringcomponent, marketplace.componentusage, marketplace.resource
item = invoices.invoiceitem

AMOUNTS = ("min_value", "max_value", "default_limit", "limit_amount")
WORDS = ("type", "billing_type", "limit_period")  # which mean nothing when they are cut
DEFAULT_PERIOD = "month"  # of newer versions, which want one


@dataclass(frozen=True)
class Pulled:
    """An offering here, its name in findings, and what its remote says of it."""

    offering_id: int
    name: str
    catalogue: Catalogue


def tell_notes(work: Work, pulled: Sequence[Pulled]) -> None:
    """What was noted of offerings while they were fetched."""
    for one in pulled:
        for note in one.catalogue.notes:
            work.outcome.warn(one.name, note)


def merge_components(work: Work, remote: str, pulled: Sequence[Pulled], *, deletes: bool = True) -> None:
    """Insert, update and, with ``deletes``, delete components, with an event for each.

    A component that was used or billed stays with its prices and quotas, and is reported: what was used must not go
    with it.
    """
    if not pulled:
        return
    known = frozenset.intersection(*(one.catalogue.component_columns for one in pulled))
    columns = [name for name in COMPONENT_FIELDS if name in known and work.schema.has_column(component.c[name])]
    rows, kept = _rows(work, pulled, columns)
    scope = component.c.offering_id.in_([one.offering_id for one in pulled])
    made = Merge(work, component, rows, key=["offering_id", "type"], columns=columns, scope=scope)
    if deletes:
        _delete(work, remote, made, scope, kept)
    changed = made.update(_values(work, made, columns)) if columns else []
    log_component_events(work, [row.id for row in changed], "updated")
    values: dict[str, Any] = {name: made.pulled.c[name] for name in ("offering_id", "type", *columns)}
    new = made.insert(values | _periods(work, made, columns))
    log_component_events(work, [row.id for row in new], "created")


def _rows(work: Work, pulled: Sequence[Pulled], columns: Sequence[str]) -> tuple[list[dict[str, Any]], list[Any]]:
    """The rows to be written, and the keys of those that cannot be and stay as they are."""
    rows: dict[tuple[int, str], dict[str, Any]] = {}
    kept = []
    for one in pulled:
        for found in one.catalogue.components:
            key = (one.offering_id, found.type)
            if not all(work.schema.holds(component.c[name], getattr(found, name) or "") for name in WORDS):
                kept.append(key)
                work.outcome.warn(one.name, f"component {found.type[:50]} has a word that is too long here")
            elif key in rows:
                work.outcome.warn(one.name, f"component {found.type} comes twice; the first one was taken")
            else:
                rows[key] = {"offering_id": one.offering_id, "type": found.type} | _row(work, found, columns)
    return list(rows.values()), kept


def _row(work: Work, found: Component, columns: Sequence[str]) -> dict[str, Any]:
    return {name: _value(work, name, getattr(found, name)) for name in columns}


def _value(work: Work, name: str, value: Any) -> Any:
    column = work.schema.tables[component.name][name]
    if isinstance(value, str):
        return value[: column.length]
    if isinstance(value, Decimal) and column.type == "integer":  # up to 2024
        return int(value.to_integral_value())
    return value


def _values(work: Work, made: Merge, columns: Sequence[str]) -> dict[str, ColumnElement[Any]]:
    values: dict[str, ColumnElement[Any]] = {name: made.pulled.c[name] for name in columns}
    if "limit_period" in values and _wants_period(work):
        values["limit_period"] = func.coalesce(made.pulled.c.limit_period, component.c.limit_period)
    return values


def _periods(work: Work, made: Merge, columns: Sequence[str]) -> dict[str, ColumnElement[Any]]:
    """A new component always has a period on newer sites."""
    if "limit_period" not in columns or not _wants_period(work):
        return {}
    return {"limit_period": func.coalesce(made.pulled.c.limit_period, DEFAULT_PERIOD)}


def _wants_period(work: Work) -> bool:
    return work.schema.tables[component.name]["limit_period"].demanded


def _delete(work: Work, remote: str, made: Merge, scope: ColumnElement[bool], kept: Sequence[tuple[int, str]]) -> None:
    stale = made.stale(tuple_(component.c.offering_id, component.c.type).not_in(kept) if kept else None)
    known = work.connection.scalar(select(func.count()).select_from(component).where(scope)) or 0
    if not stale or loses_too_much(work, remote, "components", lost=len(stale), known=known):
        return
    used = {row.id for row in _used(work, stale)}
    for id in sorted(used):
        work.outcome.warn(f"component {id} of {remote}", "is gone at the remote, and stays since it was used or billed")
    gone = [id for id in stale if id not in used]
    log_component_events(work, gone, "deleted")
    made.delete(gone)


def _used(work: Work, ids: Sequence[int]) -> Sequence[Any]:
    """Those of which usage was reported, or that stand in an invoice."""
    reported = exists().where(usage.c.component_id == component.c.id)
    billed = (
        exists()
        .where(item.c.resource_id == resource.c.id, resource.c.offering_id == component.c.offering_id)
        .where(item.c.details["offering_component_type"].astext == component.c.type)
    )
    return work.connection.execute(
        select(component.c.id, component.c.type).where(component.c.id.in_(ids), or_(reported, billed))
    ).all()
