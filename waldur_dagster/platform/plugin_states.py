"""Writing the states of plugin resources, and keeping which have changed for what follows (spec core 3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Table,
    cast,
    false,
    insert,
    literal,
    null,
    select,
    tuple_,
    union_all,
    update,
)

from waldur_dagster.platform.plugin_resources import PluginResource, existing
from waldur_dagster.schema import marketplace
from waldur_dagster.temporary import temporary_table
from waldur_dagster.work import Work


def typed_tables(work: Work) -> list[tuple[PluginResource, int]]:
    """The plugin tables that this site has, with their content types; one that has none is reported and left alone."""
    found = []
    for plugin in existing(work):
        content_type = work.content_types.get(plugin.app_label, plugin.model)
        if content_type is None:
            work.outcome.warn(plugin.table.name, "has no content type on this site; its rows are left alone")
        else:
            found.append((plugin, content_type))
    return found


def no_changes(work: Work, name: str) -> Table:
    """An empty temporary table of changes: content_type_id, object_id, old_state, new_state."""
    names = ("content_type_id", "object_id", "old_state", "new_state")
    columns: list[ColumnElement[Any]] = [cast(null(), Integer).label(name) for name in names]
    return temporary_table(work, name, select(*columns).where(false()))


def lock_in_marketplace(work: Work, chosen: Iterable[tuple[PluginResource, int, ColumnElement[bool]]]) -> None:
    """Lock the marketplace's resources of the plugin rows that are about to be written: (plugin, content type, which).

    They are locked before the plugin rows, in every job: two jobs that began at different ends would each wait for the
    other (docs/architecture.md).
    """
    resource = marketplace.resource
    rows = [
        select(literal(content_type, Integer), plugin.table.c.id).where(where)
        for plugin, content_type, where in chosen
        if plugin.in_marketplace
    ]
    if rows:
        standing = tuple_(resource.c.content_type_id, resource.c.object_id).in_(union_all(*rows))
        work.connection.execute(select(resource.c.id).where(standing).order_by(resource.c.id).with_for_update())


def set_state(
    work: Work,
    plugin: PluginResource,
    content_type: int,
    state: int,
    *,
    where: ColumnElement[bool],
    changes: Table,
    **values: Any,
) -> int:
    """Give the rows of one table that ``where`` chooses a state and other values, and add them to ``changes``.

    Rows that somebody else is writing are passed over. The marketplace's resources of the rows are to be locked before
    (``lock_in_marketplace``). Returns how many have changed; one statement.
    """
    table = plugin.table
    chosen = (
        select(table.c.id, table.c.state)
        .where(where)
        .order_by(table.c.id)
        .with_for_update(skip_locked=True)
        .cte("chosen")
    )
    written = (
        update(table)
        .values(state=state, modified=work.as_of, **values)
        .where(table.c.id == chosen.c.id)
        .returning(
            literal(content_type, Integer).label("content_type_id"),
            table.c.id.label("object_id"),
            chosen.c.state.label("old_state"),
            literal(state, Integer).label("new_state"),
        )
        .cte("written")
    )
    kept = work.connection.execute(
        insert(changes).from_select([c.name for c in changes.c], select(*written.c)),
        execution_options={"preserve_rowcount": True},
    )
    work.outcome.changed(table.name, "updated", kept.rowcount)
    return kept.rowcount
