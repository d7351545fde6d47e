"""Corrects quotas to what is really there (spec quotas: update-standard-quotas, update-custom-quotas)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import BigInteger, Integer, Select, Text, cast, func, literal, select, union_all
from sqlalchemy.exc import DBAPIError

from waldur_dagster.platform.quota_usage import add_deltas, hold_corrections
from waldur_dagster.quotas.fields import CUSTOM_FIELDS, STANDARD_FIELDS, QuotaField
from waldur_dagster.schema import quotas, structure
from waldur_dagster.work import Work

STANDARD = "update-standard-quotas"
CUSTOM = "update-custom-quotas"


def recount_standard_quotas(work: Work) -> None:
    """Counters, totals and aggregators of customers, projects and offerings."""
    recount(work, STANDARD_FIELDS)


def recount_custom_quotas(work: Work) -> None:
    """Users of customers, active offerings of categories."""
    recount(work, CUSTOM_FIELDS)


def recount(work: Work, fields: Iterable[QuotaField]) -> None:
    """Append what is missing to the log of each quota, or take away what is too much.

    A field whose plugin the site does not have is left out. One that fails is reported, and the others go on. A
    correction is a difference, so what Waldur itself writes meanwhile is neither lost nor counted twice.
    """
    hold_corrections(work)
    for field in fields:
        if (differences := corrections(work, field)) is None:
            continue
        try:
            with work.connection.begin_nested():
                work.outcome.figures[f"corrected {field}"] += add_deltas(work, differences)
        except DBAPIError as problem:
            work.outcome.fail(f"quota {field}", f"could not be recounted: {problem.orig}")


def corrections(work: Work, field: QuotaField) -> Select[Any] | None:
    """(content_type_id, object_id, name, delta) of each scope whose logged usage is not what counts.

    The raw sum of the log is compared, so that a sum below 0 heals at once. None when the field cannot be recounted
    on this site.
    """
    sources = [s for s in field.sources if all(work.schema.has(table.name) for table in s.tables)]
    content_type = work.content_types.get(field.scope.app_label, field.scope.model)
    if not sources or content_type is None or not work.schema.has(field.scope.table.name):
        return None
    parts = union_all(*(_by_scope(field, source.by, source.query(work)) for source in sources)).subquery("parts")
    counted = select(parts.c.owner, func.sum(parts.c.usage).label("usage")).group_by(parts.c.owner).subquery("counted")
    log, scope = quotas.quotausage, field.scope.table
    logged = (
        select(log.c.object_id, func.sum(log.c.delta).label("usage"))
        .where(log.c.content_type_id == content_type, log.c.name == field.name)
        .group_by(log.c.object_id)
        .subquery("logged")
    )
    delta = func.coalesce(counted.c.usage, 0) - func.coalesce(logged.c.usage, 0)
    return (
        select(
            literal(content_type, Integer).label("content_type_id"),
            scope.c.id.label("object_id"),
            literal(field.name, Text).label("name"),
            cast(delta, BigInteger).label("delta"),
        )
        .select_from(
            scope.outerjoin(counted, counted.c.owner == scope.c.id).outerjoin(logged, logged.c.object_id == scope.c.id)
        )
        .where(delta != 0)
    )


def _by_scope(field: QuotaField, by: str, query: Select[Any]) -> Select[Any]:
    """The usage by scopes of the field; what counts by project is carried to the project's customer."""
    if by == field.scope.key:
        return query
    if (by, field.scope.key) != ("project_id", "customer_id"):
        raise ValueError(f"{field} cannot be counted by {by}")
    owned, project = query.subquery(), structure.project
    return select(project.c.customer_id.label("owner"), owned.c.usage).join(owned, owned.c.owner == project.c.id)
