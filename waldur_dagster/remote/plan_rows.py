"""Plans of offerings and what they cost, made what their remotes say (spec remote 3, write 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Integer, Text, func, select, update

from waldur_dagster.invoices.prices import log_price_events
from waldur_dagster.marketplace.catalogue_events import log_plan_events
from waldur_dagster.platform.expressions import given_rows
from waldur_dagster.platform.merge import Merge
from waldur_dagster.remote.catalogue import PLAN_FIELDS, Plan
from waldur_dagster.remote.component_rows import Pulled
from waldur_dagster.remote.losses import loses_too_much
from waldur_dagster.schema import marketplace
from waldur_dagster.work import Work

plan, price, component = marketplace.plan, marketplace.plancomponent, marketplace.offeringcomponent
DEFAULT_UNIT = "day"
QUOTA_UPDATED = "marketplace_plan_component_quota_updated"


def merge_plans(work: Work, remote: str, pulled: Sequence[Pulled], *, archives: bool = True) -> None:
    """Insert and update plans and their prices and, with ``archives``, archive others; an event for each.

    Unit and unit price are those of the remote for new plans only. Components have to be merged before.
    """
    if not pulled:
        return
    known = frozenset.intersection(*(one.catalogue.plan_columns for one in pulled))
    columns = [name for name in PLAN_FIELDS if name in known]
    offerings = [one.offering_id for one in pulled]
    scope, key = plan.c.offering_id.in_(offerings), ["offering_id", "backend_id"]
    rows = [_row(work, one.offering_id, found) for one in pulled for found in one.catalogue.plans]
    single = scope & plan.c.id.not_in(_doubles(work, offerings))
    made = Merge(work, plan, rows, key=key, columns=[*PLAN_FIELDS, "unit", "unit_price"], scope=single)
    if archives:  # doubles as well: they are for sale here, too
        _archive(work, remote, Merge(work, plan, rows, key=key, columns=[], scope=scope), scope)
    changed = made.update(columns, also={"modified": work.as_of}) if columns else []
    switched = {row.id for row in changed if "archived" in columns and row.old_archived != row.new_archived}
    log_plan_events(work, sorted(switched), "archived")
    log_plan_events(work, [row.id for row in changed if row.id not in switched], "updated")
    names = ("offering_id", "backend_id", *PLAN_FIELDS, "unit", "unit_price")
    new = made.insert({name: made.pulled.c[name] for name in names})
    log_plan_events(work, [row.id for row in new], "created")
    _merge_prices(work, pulled, made)


def _row(work: Work, offering: int, found: Plan) -> dict[str, Any]:
    values = {
        "offering_id": offering,
        "backend_id": found.uuid,
        "name": found.name,
        "description": found.description,
        "article_code": found.article_code,
        "archived": found.archived,
        "unit": found.unit or DEFAULT_UNIT,
        "unit_price": found.unit_price or 0,
    }
    lengths = {name: column.length for name, column in work.schema.tables[plan.name].items()}
    return {name: value[: lengths[name]] if isinstance(value, str) else value for name, value in values.items()}


def _doubles(work: Work, offerings: Sequence[int]) -> list[int]:
    """Plans that stand for a remote one which an older plan stands for already: they are reported, and not pulled."""
    first = func.min(plan.c.id).over(partition_by=(plan.c.offering_id, plan.c.backend_id)).label("first")
    found = select(plan.c.id, plan.c.name, first).where(plan.c.offering_id.in_(offerings), plan.c.backend_id != "")
    rows = [row for row in work.connection.execute(found) if row.id != row.first]
    for row in rows:
        work.outcome.warn(
            f"plan {row.name} ({row.id})", f"stands for the same plan as plan {row.first}; only that is pulled"
        )
    return [row.id for row in rows]


def _archive(work: Work, remote: str, made: Merge, scope: ColumnElement[bool]) -> None:
    """Plans that the remote does not list, local ones included, unless they are archived already."""
    stale = made.stale(~plan.c.archived)
    known = work.connection.scalar(select(func.count()).select_from(plan).where(scope, ~plan.c.archived)) or 0
    if stale and not loses_too_much(work, remote, "plans", lost=len(stale), known=known):
        work.execute(update(plan).where(plan.c.id.in_(stale)).values(archived=True, modified=work.as_of))
        log_plan_events(work, stale, "archived")


def _merge_prices(work: Work, pulled: Sequence[Pulled], plans: Merge) -> None:
    """Prices and quotas by plan and component. Those that a remote no longer lists go with their component only."""
    offerings = [one.offering_id for one in pulled]
    listed = select(plan.c.id, plan.c.offering_id, plan.c.backend_id).join_from(plan, plans.pulled, plans.matches())
    plan_ids = {(row.offering_id, row.backend_id): row.id for row in work.connection.execute(listed)}
    components = select(component.c.id, component.c.offering_id, component.c.type).where(
        component.c.offering_id.in_(offerings)
    )
    component_ids = {(row.offering_id, row.type): row.id for row in work.connection.execute(components)}
    rows = []
    for one in pulled:
        for found in one.catalogue.plans:
            for type in sorted(found.prices.keys() | found.quotas.keys()):
                if (one.offering_id, type) in component_ids:
                    ids = plan_ids[one.offering_id, found.uuid], component_ids[one.offering_id, type]
                    rows.append(_price_row(*ids, found.prices.get(type), found.quotas.get(type)))
                else:
                    work.outcome.warn(
                        one.name, f"plan {found.name} has a price of {type}, and there is no such component"
                    )
    made = Merge(
        work,
        price,
        rows,
        key=["plan_id", "component_id"],
        columns=["price", "amount"],
        scope=price.c.plan_id.in_(plan_ids.values()),
    )
    changed = made.update({name: func.coalesce(made.pulled.c[name], price.c[name]) for name in ("price", "amount")})
    _log_prices(work, changed)
    made.insert(
        {
            "plan_id": made.pulled.c.plan_id,
            "component_id": made.pulled.c.component_id,
            "price": func.coalesce(made.pulled.c.price, 0),
            "amount": func.coalesce(made.pulled.c.amount, 0),
        }
    )


def _price_row(plan_id: int, component_id: int, cost: Any, amount: Any) -> dict[str, Any]:
    whole = None if amount is None else int(amount)
    return {"plan_id": plan_id, "component_id": component_id, "price": cost, "amount": whole}


def _log_prices(work: Work, changed: Sequence[Any]) -> None:
    prices = [(row.id, row.old_price, row.new_price) for row in changed if row.old_price != row.new_price]
    amounts = [(row.id, row.old_amount, row.new_amount) for row in changed if row.old_amount != row.new_amount]
    if prices:
        log_price_events(work, _given(prices), price=price.c.price)
    if amounts:
        log_price_events(work, _given(amounts), price=price.c.price, event_type=QUOTA_UPDATED, what="Quota")


def _given(changes: Sequence[tuple[int, Any, Any]]) -> Any:
    rows = [{"id": id, "old_value": str(old), "new_value": str(new)} for id, old, new in changes]
    return given_rows(rows, id=Integer, old_value=Text, new_value=Text)
