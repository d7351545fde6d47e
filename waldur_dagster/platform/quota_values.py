"""Quotas that an outside system tells: limits, and usage as it is (spec openstack, openstack-tenant-pull-quotas)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, Integer, Row, Text, func, select

from waldur_dagster.platform.expressions import given_rows
from waldur_dagster.platform.merge import Merge
from waldur_dagster.platform.quota_usage import add_deltas, hold_corrections
from waldur_dagster.schema import quotas
from waldur_dagster.work import Work

limit, usage = quotas.quotalimit, quotas.quotausage
Scope = tuple[int, int]  # content type and id of the object that has the quotas


def keep_limits(work: Work, scope: Scope, limits: Mapping[str, int]) -> list[Row[Any]]:
    """Store limits by name; returns those that were known and have changed: new_name, old_value, new_value."""
    content_type, object_id = scope
    rows = [{"name": name, "value": value} for name, value in limits.items()]
    own = (limit.c.content_type_id == content_type) & (limit.c.object_id == object_id)
    made = Merge(work, limit, rows, key=["name"], columns=["value"], scope=own)
    pulled = {name: made.pulled.c[name] for name in ("name", "value")}
    changed = made.update(pulled)
    made.insert(pulled | {"content_type_id": content_type, "object_id": object_id})
    return changed


def keep_usage(work: Work, scope: Scope, used: Mapping[str, int]) -> None:
    """Append to the log of usage what it lacks; its sum counts, even one below 0."""
    hold_corrections(work)
    content_type, object_id = scope
    known = (
        select(usage.c.name, func.sum(usage.c.delta))
        .where(usage.c.content_type_id == content_type, usage.c.object_id == object_id, usage.c.name.in_(used))
        .group_by(usage.c.name)
    )
    sums: dict[str, Any] = dict(work.connection.execute(known).all())
    deltas = {name: value - int(sums.get(name, 0)) for name, value in used.items()}
    rows = [
        {"content_type_id": content_type, "object_id": object_id, "name": name, "delta": delta}
        for name, delta in deltas.items()
        if delta
    ]
    if rows:
        given = given_rows(rows, content_type_id=Integer, object_id=Integer, name=Text, delta=BigInteger)
        add_deltas(work, select(given))
