"""Rows of plugin resources that come and go with what a cloud has: quotas and events follow (spec openstack 0.5)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Table,
    Text,
    cast,
    literal,
    select,
    union_all,
)

from waldur_dagster.platform.cascade import delete_with_dependants
from waldur_dagster.platform.expressions import given_rows
from waldur_dagster.platform.plugin_events import log_plugin_events
from waldur_dagster.platform.plugin_resources import PLUGIN_RESOURCES
from waldur_dagster.platform.quota_usage import add_deltas
from waldur_dagster.schema import openstack, structure
from waldur_dagster.work import Work

BY_TABLE = {plugin.table.name: plugin for plugin in PLUGIN_RESOURCES}
# Columns that count for quotas of project and customer, beside the row itself.
COUNTED = {
    openstack.instance.name: {"os_cpu_count": "cores", "os_ram_size": "ram"},
    openstack.volume.name: {"os_storage_size": "size"},
    openstack.snapshot.name: {"os_storage_size": "size"},
}


def chosen_rows(work: Work, table: Table, ids: Collection[int]) -> FromClause:
    """(content_type_id, object_id) of some rows."""
    plugin = BY_TABLE[table.name]
    content_type = work.content_types(plugin.app_label, plugin.model)
    rows = [{"content_type_id": content_type, "object_id": id} for id in ids]
    return given_rows(rows, content_type_id=Integer, object_id=Integer)


def count_rows(work: Work, table: Table, ids: Sequence[int], sign: int) -> None:
    """New (1) or deleted (-1) rows count for the quotas of their project and customer."""
    if not ids:
        return
    project = structure.project
    amounts: dict[str, ColumnElement[Any]] = {"nc_resource_count": literal(1, Integer)}
    amounts |= {name: table.c[column] for name, column in COUNTED.get(table.name, {}).items()}
    parts: list[Select[Any]] = [
        select(
            cast(literal(work.content_types("structure", model)), Integer).label("content_type_id"),
            scope.label("object_id"),
            literal(name, Text).label("name"),
            cast(amount * sign, BigInteger).label("delta"),
        )
        .join_from(table, project, project.c.id == table.c.project_id)
        .where(table.c.id.in_(ids))
        for model, scope in (("project", project.c.id), ("customer", project.c.customer_id))
        for name, amount in amounts.items()
    ]
    add_deltas(work, select(union_all(*parts).subquery("counted")))


def remove_rows(work: Work, table: Table, ids: Sequence[int]) -> None:
    """Delete rows of one table with what hangs on them, tell of it, and take them out of the quotas."""
    if not ids:
        return
    log_plugin_events(
        work,
        chosen_rows(work, table, ids),
        event_type="resource_deletion_succeeded",
        message=f"{BY_TABLE[table.name].words} {{name}} has been deleted.",
    )
    count_rows(work, table, ids, -1)
    delete_with_dependants(work, table, ids)
