"""The quota fields of every model, as data: scope, name, kind, and what counts (spec quotas 0.3).

A new field is one line of ``FIELDS``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, Table, cast, func, select

from waldur_dagster.platform import quota_usage
from waldur_dagster.platform.plugin_resources import PLUGIN_RESOURCES
from waldur_dagster.platform.quota_usage import OF_TENANTS, USER_COUNT
from waldur_dagster.schema import marketplace, openstack, permissions, quotas, slurm, structure
from waldur_dagster.work import Work

ACTIVE_OFFERING = 2
usage = quotas.quotausage


class Kind(StrEnum):
    PLAIN = "plain"  # kept by whoever changes it; never recounted
    COUNTER = "counter"  # the number of rows
    TOTAL = "total"  # the sum of a column
    AGGREGATOR = "aggregator"  # the sum of other scopes' usage


@dataclass(frozen=True)
class Scope:
    """A model that has quotas; ``key`` is the column by which other tables refer to it."""

    table: Table
    app_label: str
    model: str
    key: str


@dataclass(frozen=True)
class Source:
    """Rows that count. ``query`` selects two columns, grouped: the id that column ``by`` holds, and its usage."""

    tables: tuple[Table, ...]
    by: str
    query: Callable[[Work], Select[Any]]


@dataclass(frozen=True)
class QuotaField:
    """One quota of one model. What counts by project counts for the project's customer as well."""

    scope: Scope
    name: str
    kind: Kind = Kind.PLAIN
    sources: tuple[Source, ...] = ()

    def __str__(self) -> str:
        return f"{self.name} of {self.scope.app_label}.{self.scope.model}"


def rows(table: Table, *, by: str = "project_id", where: ColumnElement[bool] | None = None) -> Source:
    """Each row counts as one."""
    return _grouped(table, by, func.count(), where)


def sums(column: ColumnElement[Any], *, by: str = "project_id") -> Source:
    """Each row counts with its value in a column."""
    table: Table = column.table
    return _grouped(table, by, func.sum(column), None)


def _grouped(table: Table, by: str, value: ColumnElement[Any], where: ColumnElement[bool] | None) -> Source:
    query = select(table.c[by].label("owner"), cast(value, BigInteger).label("usage")).group_by(table.c[by])
    return Source((table,), by, lambda _: query if where is None else query.where(where))


def tenant_usage(name: str) -> Source:
    """Each OpenStack tenant counts with its own usage of a quota, never below 0."""
    tenant = openstack.tenant

    def query(work: Work) -> Select[Any]:
        tenants = (
            select(usage.c.object_id, func.greatest(func.sum(usage.c.delta), 0).label("used"))
            .where(usage.c.content_type_id == work.content_types("openstack", "tenant"), usage.c.name == name)
            .group_by(usage.c.object_id)
            .subquery("tenants")
        )
        return (
            select(tenant.c.project_id.label("owner"), cast(func.sum(tenants.c.used), BigInteger).label("usage"))
            .join(tenants, tenants.c.object_id == tenant.c.id)
            .group_by(tenant.c.project_id)
        )

    return Source((tenant,), "project_id", query)


def _users(work: Work) -> Select[Any]:
    customers = select(structure.customer.c.id.label("customer_id")).subquery("customers")
    counted = quota_usage.users_of_customers(work, customers).subquery("users_of_customers")
    return select(counted.c.customer_id.label("owner"), counted.c.users.label("usage"))


USERS = Source((permissions.userrole, structure.project), "customer_id", _users)

CUSTOMER = Scope(structure.customer, "structure", "customer", "customer_id")
PROJECT = Scope(structure.project, "structure", "project", "project_id")
OFFERING = Scope(marketplace.offering, "marketplace", "offering", "offering_id")
CATEGORY = Scope(marketplace.category, "marketplace", "category", "category_id")
TENANT = Scope(openstack.tenant, "openstack", "tenant", "tenant_id")
SETTINGS = Scope(structure.servicesettings, "structure", "servicesettings", "service_settings_id")


def _of_projects(scope: Scope) -> tuple[QuotaField, ...]:
    """What projects have, and customers by their projects. Removed projects count: their resources exist."""
    return (
        QuotaField(scope, "nc_resource_count", Kind.COUNTER, tuple(rows(found.table) for found in PLUGIN_RESOURCES)),
        QuotaField(scope, "nc_allocation_count", Kind.COUNTER, (rows(slurm.allocation),)),
        QuotaField(scope, "os_cpu_count", Kind.TOTAL, (sums(openstack.instance.c.cores),)),
        QuotaField(scope, "os_ram_size", Kind.TOTAL, (sums(openstack.instance.c.ram),)),
        QuotaField(
            scope, "os_storage_size", Kind.TOTAL, (sums(openstack.volume.c.size), sums(openstack.snapshot.c.size))
        ),
        *(QuotaField(scope, above, Kind.AGGREGATOR, (tenant_usage(own),)) for own, above in OF_TENANTS.items()),
        *(QuotaField(scope, name) for name in ("nc_cpu_usage", "nc_gpu_usage", "nc_ram_usage", "freeipa_quota")),
    )


# Recounted by update-standard-quotas, unless plain.
STANDARD_FIELDS: tuple[QuotaField, ...] = (
    QuotaField(
        CUSTOMER,
        "nc_project_count",
        Kind.COUNTER,
        (rows(structure.project, by="customer_id", where=~structure.project.c.is_removed),),
    ),
    *_of_projects(CUSTOMER),
    *_of_projects(PROJECT),
    QuotaField(OFFERING, "order_count", Kind.COUNTER, (rows(marketplace.order, by="offering_id"),)),
    *(
        QuotaField(TENANT, name)
        for name in (
            *OF_TENANTS,
            *("security_group_count", "security_group_rule_count", "port_count", "network_count", "subnet_count"),
            *("volumes", "volumes_size", "snapshots", "snapshots_size"),
        )
    ),
    *(QuotaField(SETTINGS, name) for name in ("openstack_vcpu", "openstack_ram", "openstack_storage")),
)

# Recounted by update-custom-quotas.
CUSTOM_FIELDS: tuple[QuotaField, ...] = (
    QuotaField(CUSTOMER, USER_COUNT, Kind.COUNTER, (USERS,)),
    QuotaField(
        CATEGORY,
        "offering_count",
        Kind.COUNTER,
        (rows(marketplace.offering, by="category_id", where=marketplace.offering.c.state == ACTIVE_OFFERING),),
    ),
)

FIELDS = STANDARD_FIELDS + CUSTOM_FIELDS
