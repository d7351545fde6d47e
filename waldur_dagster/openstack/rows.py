"""What the tables of a cloud have in common: states, texts, links, and what follows new and deleted rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Row,
    Table,
    Text,
    case,
    cast,
    func,
    literal,
    null,
    select,
    update,
)

from waldur_dagster.marketplace.plugin_coupling import follow_plugins
from waldur_dagster.platform.expressions import given_rows
from waldur_dagster.platform.plugin_resources import CREATING, ERRED, OK, PLUGIN_RESOURCES, UPDATING
from waldur_dagster.platform.plugin_states import lock_in_marketplace
from waldur_dagster.schema import openstack
from waldur_dagster.work import Work

MIB = 1024  # a GiB in MiB
MISSING = "Does not exist at backend."
STABLE = (OK, ERRED)


def mib(gib: int | None) -> int:
    return (gib or 0) * MIB


def compact(value: Any) -> str:
    """JSON as Waldur keeps it in columns of text."""
    return json.dumps(value, separators=(",", ":"))


def success(table: Table) -> dict[str, ColumnElement[Any]]:
    """State, error and task of a row that the cloud has: erred, updating and creating ones are OK (spec 0.6)."""
    sound = {ERRED: OK, UPDATING: OK, CREATING: OK}
    done = {"task_id": cast(null(), Text)} if "task_id" in table.c else {}
    return {
        "state": case(sound, value=table.c.state, else_=table.c.state),
        "error_message": literal("", Text),
        **done,
    }


def is_stable(table: Table) -> ColumnElement[bool]:
    return table.c.state.in_(STABLE)


def content_type_of(work: Work, table: Table) -> int:
    return work.content_types("openstack", table.name.removeprefix("openstack_"))


def follow_rows(work: Work, table: Table, changed: Iterable[tuple[int, int, int]]) -> None:
    """Let the marketplace follow rows that have just been written: (id, old state, new state)."""
    content_type = content_type_of(work, table)
    rows = [
        {"content_type_id": content_type, "object_id": id, "old_state": old, "new_state": new}
        for id, old, new in changed
    ]
    if rows:
        given = given_rows(rows, content_type_id=Integer, object_id=Integer, old_state=Integer, new_state=Integer)
        follow_plugins(work, given, table)


def lock_tenants(work: Work, chosen: ColumnElement[bool], *, contents: bool = False) -> None:
    """Lock the marketplace's resources of tenants, and of all their servers and volumes with ``contents``.

    That comes first where rows of a cloud are written and the marketplace follows (docs/architecture.md). ``chosen``
    says which tenants, by columns of their table.
    """
    ids = select(openstack.tenant.c.id).where(chosen)
    wanted = {openstack.tenant.name: chosen}
    if contents:
        wanted |= {table.name: table.c.tenant_id.in_(ids) for table in (openstack.instance, openstack.volume)}
    lock_in_marketplace(
        work,
        [
            (plugin, content_type_of(work, plugin.table), wanted[plugin.table.name])
            for plugin in PLUGIN_RESOURCES
            if plugin.table.name in wanted
        ],
    )


def mark_missing(work: Work, table: Table, ids: Sequence[int]) -> list[Row[Any]]:
    """Rows that the cloud does not have become erred; returns the changed ones: id, old_state."""
    if not ids:
        return []
    said = table.c.error_message
    text = case((said == "", MISSING), (said.contains(MISSING), said), else_=func.concat(said, f" ({MISSING})"))
    known = (
        select(table.c.id, table.c.state).where(table.c.id.in_(ids)).order_by(table.c.id).with_for_update().cte("known")
    )
    differs = (table.c.state != ERRED) | (table.c.runtime_state != "") | (said != text)
    written = (
        update(table)
        .values(state=ERRED, runtime_state="", error_message=text, modified=work.as_of)
        .where(table.c.id == known.c.id, differs)
        .returning(table.c.id, known.c.state.label("old_state"))
    )
    return list(work.execute(written))


def new_row(work: Work, place: Any, **values: Any) -> Mapping[str, Any]:
    """What every new row of a tenant has (spec openstack, subresources)."""
    return {
        "uuid": func.gen_random_uuid(),
        "state": OK,
        "error_message": "",
        "error_traceback": "",
        "service_settings_id": place.provider.id,
        "project_id": place.project_id,
        "tenant_id": place.id,
        "created": work.as_of,
        "modified": work.as_of,
    } | values
