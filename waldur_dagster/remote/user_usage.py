"""Usage by account, which newer versions keep too (spec remote 7, Newer versions)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import uuid4

from sqlalchemy import Integer, Numeric, Text, any_, literal, select, tuple_, update
from sqlalchemy.dialects.postgresql import ARRAY

from waldur_dagster.platform.expressions import given_rows
from waldur_dagster.remote.remotes import Resource
from waldur_dagster.remote.usage_documents import Reports
from waldur_dagster.schema import marketplace
from waldur_dagster.work import Work

usage, user_usage, account = marketplace.componentusage, marketplace.componentuserusage, marketplace.offeringuser
CENT = Decimal("0.01")
LONGEST = 100  # characters of a user name

# (resource, component, time of the plan, billing period) of the row that a resource's usage of a type in a month is.
RowKey = tuple[Any, ...]
Row = tuple[int, date, str]


def keep_user_usage(work: Work, pulled: Sequence[tuple[Resource, Reports]], kept: Mapping[Row, RowKey]) -> None:
    """Make usage by account what the remotes report. ``kept``: the rows of usage, by resource, month and component.

    Rows are added and changed, never deleted. A row names the offering's account of that user name, where there is one.
    """
    wanted: dict[tuple[RowKey, str], Decimal] = defaultdict(Decimal)
    offering_of: dict[RowKey, int] = {}
    for resource, reports in pulled:
        for one in reports.by_user:
            row = kept.get((resource.id, one.billing_period, one.component_type))
            if row is not None and one.username:
                wanted[row, one.username[:LONGEST]] += one.usage
                offering_of[row] = resource.offering.id
    if not wanted:
        return
    ids = _ids(work, offering_of)
    accounts = _accounts(work, set(offering_of.values()))
    rows = [
        {
            "component_usage_id": ids[row],
            "username": name,
            "usage": amount.quantize(CENT, ROUND_HALF_UP),
            "user_id": accounts.get((offering_of[row], name)),
        }
        for (row, name), amount in wanted.items()
        if row in ids
    ]
    _write(work, rows)


def _ids(work: Work, keys: Mapping[RowKey, int]) -> dict[RowKey, int]:
    names = ("resource_id", "component_id", "plan_period_id", "billing_period")
    ids = sorted({key[0] for key in keys})
    found = work.connection.execute(
        select(usage.c.id, *(usage.c[name] for name in names)).where(
            usage.c.resource_id == any_(literal(ids, ARRAY(Integer))),
            usage.c.billing_period >= min(key[3] for key in keys),
        )
    )
    return {tuple(row[1:]): row[0] for row in found}


def _accounts(work: Work, offerings: set[int]) -> dict[tuple[int, str], int]:
    """The first account of each user name."""
    found = work.connection.execute(
        select(account.c.offering_id, account.c.username, account.c.id)
        .where(account.c.offering_id.in_(sorted(offerings)), account.c.username.is_not(None))
        .order_by(account.c.id.desc())
    )
    return {(row.offering_id, row.username): row.id for row in found}


def _write(work: Work, rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        return
    given = given_rows(rows, component_usage_id=Integer, username=Text, usage=Numeric, user_id=Integer)
    same = tuple_(user_usage.c.component_usage_id, user_usage.c.username)
    known = {
        (row.component_usage_id, row.username): row
        for row in work.connection.execute(
            select(
                user_usage.c.component_usage_id, user_usage.c.username, user_usage.c.usage, user_usage.c.user_id
            ).where(same.in_(select(given.c.component_usage_id, given.c.username)))
        )
    }
    new, changed = list[Mapping[str, Any]](), list[Mapping[str, Any]]()
    for row in rows:
        old = known.get((row["component_usage_id"], row["username"]))
        if old is None:
            new.append(dict(row) | {"uuid": uuid4(), "created": work.as_of, "modified": work.as_of})
        elif (old.usage, old.user_id) != (row["usage"], row["user_id"]):
            changed.append(row)
    if changed:
        rows_changed = given_rows(changed, component_usage_id=Integer, username=Text, usage=Numeric, user_id=Integer)
        work.execute(
            update(user_usage)
            .values(usage=rows_changed.c.usage, user_id=rows_changed.c.user_id, modified=work.as_of)
            .where(
                user_usage.c.component_usage_id == rows_changed.c.component_usage_id,
                user_usage.c.username == rows_changed.c.username,
            )
        )
    if new:
        statement = work.schema.insert_values(user_usage, set(new[0]), work.as_of)
        work.execute(statement.on_conflict_do_nothing(), new)
