"""The log of quota usage: changes are appended, and some are told on (spec core 1.10, quotas 0.2).

Usage is the sum of a scope's deltas of one name. Whatever creates or deletes counted rows appends a delta here.
"""

from __future__ import annotations

from datetime import UTC
from typing import Any

from sqlalchemy import (
    BigInteger,
    Date,
    FromClause,
    Integer,
    Select,
    Table,
    Text,
    cast,
    func,
    literal,
    select,
    tuple_,
    union_all,
)

from waldur_dagster.platform.expressions import given_rows
from waldur_dagster.schema import analytics, openstack, permissions, quotas, structure
from waldur_dagster.temporary import temporary_table
from waldur_dagster.work import Work

USER_COUNT = "nc_user_count"
# Usage of a tenant is also counted for its project and its customer, under these names.
OF_TENANTS = {
    "vcpu": "vpc_cpu_count",
    "ram": "vpc_ram_size",
    "storage": "vpc_storage_size",
    "floating_ip_count": "vpc_floating_ip_count",
    "instances": "vpc_instance_count",
}

usage, history = quotas.quotausage, analytics.dailyquotahistory


def add_deltas(work: Work, source: Select[Any]) -> int:
    """Append the deltas that ``source`` selects: content_type_id, object_id, name, delta; those of 0 are left out.

    Deltas of one quota are summed to one row. A user count also goes into the daily history, a tenant's usage also to
    its project and customer. Returns the number of rows appended. Statements: constant.
    """
    given = source.subquery("given")
    key = (given.c.content_type_id, given.c.object_id, given.c.name)
    summed = (
        select(*key, cast(func.sum(given.c.delta), BigInteger).label("delta"))
        .group_by(*key)
        .having(func.sum(given.c.delta) != 0)
    )
    deltas = temporary_table(work, "quota_delta", summed)
    rows = select(deltas)
    tenant_type = work.content_types.get("openstack", "tenant")
    if tenant_type is not None and work.schema.has("openstack_tenant"):
        rows = union_all(select(deltas), *_aggregated(work, deltas, tenant_type)).subquery("rows").select()
    added = work.execute(work.insert_from(usage, rows)).rowcount
    if added:
        _keep_user_counts(work, deltas)
    return added


def _aggregated(work: Work, deltas: Table, tenant_type: int) -> list[Select[Any]]:
    names = given_rows([{"own": own, "above": above} for own, above in OF_TENANTS.items()], own=Text, above=Text)
    tenant, project = openstack.tenant, structure.project
    source = (
        deltas.join(names, names.c.own == deltas.c.name)
        .join(tenant, tenant.c.id == deltas.c.object_id)
        .join(project, project.c.id == tenant.c.project_id)
    )
    total = cast(func.sum(deltas.c.delta), BigInteger)
    return [
        select(
            literal(work.content_types("structure", model), Integer).label("content_type_id"),
            scope.label("object_id"),
            names.c.above.label("name"),
            total.label("delta"),
        )
        .select_from(source)
        .where(deltas.c.content_type_id == tenant_type)
        .group_by(scope, names.c.above)
        for model, scope in (("project", project.c.id), ("customer", project.c.customer_id))
    ]


def _keep_user_counts(work: Work, deltas: Table) -> None:
    """Today's value (UTC) of the user counts that have changed, never below 0."""
    scope = tuple_(usage.c.content_type_id, usage.c.object_id)
    changed = select(deltas.c.content_type_id, deltas.c.object_id).where(deltas.c.name == USER_COUNT)
    today = work.present.astimezone(UTC).date()
    counts = (
        select(
            usage.c.content_type_id,
            usage.c.object_id,
            usage.c.name,
            func.greatest(cast(func.sum(usage.c.delta), BigInteger), 0).label("usage"),
            literal(today, Date).label("date"),
        )
        .where(usage.c.name == USER_COUNT, scope.in_(changed))
        .group_by(usage.c.content_type_id, usage.c.object_id, usage.c.name)
    )
    statement = work.insert_from(history, counts)
    key = [history.c.content_type_id, history.c.object_id, history.c.name, history.c.date]
    work.execute(
        statement.on_conflict_do_update(
            index_elements=key,
            set_={"usage": statement.excluded.usage},
            where=history.c.usage != statement.excluded.usage,
        )
    )


def users_of_customers(work: Work, customers: FromClause) -> Select[Any]:
    """(customer_id, users): how many different users have an active role on each customer or its projects.

    ``customers`` has a column customer_id. Removed projects do not count; inactive accounts do (spec quotas,
    update-custom-quotas).
    """
    held, project = permissions.userrole, structure.project
    on_customer, on_project = work.content_types("structure", "customer"), work.content_types("structure", "project")
    holders = union_all(
        select(customers.c.customer_id, held.c.user_id)
        .join(held, (held.c.content_type_id == on_customer) & (held.c.object_id == customers.c.customer_id))
        .where(held.c.is_active),
        select(customers.c.customer_id, held.c.user_id)
        .join(project, (project.c.customer_id == customers.c.customer_id) & ~project.c.is_removed)
        .join(held, (held.c.content_type_id == on_project) & (held.c.object_id == project.c.id))
        .where(held.c.is_active),
    ).subquery("holders")
    return (
        select(customers.c.customer_id, func.count(holders.c.user_id.distinct()).label("users"))
        .select_from(customers.outerjoin(holders, holders.c.customer_id == customers.c.customer_id))
        .group_by(customers.c.customer_id)
    )


def hold_corrections(work: Work) -> None:
    """Wait until no other transaction of this program corrects quotas, and keep others waiting until this one ends.

    A correction is what the log lacks, and nobody sees what another transaction has appended before it commits: two
    that overlap would both append it. Entries that correct the same quota have different locks of their own.
    """
    work.connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"correct {usage.name}", 0))))


def recount_users(work: Work, customers: FromClause) -> int:
    """Correct the user count of these customers (a column customer_id, each once); returns rows appended."""
    hold_corrections(work)
    counted = users_of_customers(work, customers).subquery("counted")
    content_type = literal(work.content_types("structure", "customer"), Integer)
    known = (
        select(func.coalesce(func.sum(usage.c.delta), 0))
        .where(
            usage.c.content_type_id == content_type,
            usage.c.object_id == counted.c.customer_id,
            usage.c.name == USER_COUNT,
        )
        .scalar_subquery()
    )
    return add_deltas(
        work,
        select(
            content_type.label("content_type_id"),
            counted.c.customer_id.label("object_id"),
            literal(USER_COUNT, Text).label("name"),
            (counted.c.users - known).label("delta"),
        ),
    )
