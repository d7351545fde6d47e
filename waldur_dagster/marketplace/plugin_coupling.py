"""The marketplace follows the plugins: what changes in a cloud changes there too (spec core 3)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Table,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    null,
    select,
    text,
    true,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.marketplace.limits import EMPTY
from waldur_dagster.marketplace.order_outcomes import settle
from waldur_dagster.marketplace.resource_states import change_resources
from waldur_dagster.marketplace.states import ResourceState
from waldur_dagster.platform import plugin_resources
from waldur_dagster.platform.expressions import given_rows, hex_of, json_object, merged
from waldur_dagster.platform.lengths import fitted
from waldur_dagster.platform.plugin_resources import (
    CREATING,
    CREATION_SCHEDULED,
    DELETING,
    DELETION_SCHEDULED,
    ERRED,
    OK,
    STATE_NAMES,
    UPDATE_SCHEDULED,
    UPDATING,
    PluginResource,
)
from waldur_dagster.schema import marketplace, openstack
from waldur_dagster.temporary import temporary_table
from waldur_dagster.work import Work

resource = marketplace.resource
# What a change of a plugin's state means for the operation on its resource.
RESULTS = {
    (CREATING, OK): "create_succeeded",
    (CREATING, ERRED): "create_failed",
    (CREATION_SCHEDULED, ERRED): "create_failed",
    (UPDATING, OK): "update_succeeded",
    (UPDATING, ERRED): "update_failed",
    (UPDATE_SCHEDULED, ERRED): "update_failed",
    (DELETING, ERRED): "terminate_failed",
    (DELETION_SCHEDULED, ERRED): "terminate_failed",
    (OK, ERRED): "erred_on_backend",
}

# Texts that are to hold JSON; one that does not is kept as the text that it is.
_JSON_OF = text(
    """
    CREATE OR REPLACE FUNCTION pg_temp.json_of(value text) RETURNS jsonb LANGUAGE plpgsql AS $$
    BEGIN
        RETURN value::jsonb;
    EXCEPTION WHEN data_exception THEN
        RETURN to_jsonb(value);
    END $$
    """
)


def follow_plugins(work: Work, changed: FromClause, table: Table | None = None) -> None:
    """Bring the marketplace in line with plugin resources that have just been written.

    ``changed`` has content_type_id, object_id, old_state and new_state (equal when the state stayed); rows of tables
    without a counterpart in the marketplace are passed over. ``table`` is theirs when all are of one: the others are
    not looked at then. In this order: the plugin's facts are copied to the
    marketplace resource, then the operation that has ended is settled. Statements: constant.
    """
    moved = _moved(work, changed, table)
    if moved is None:
        return
    _copy_facts(work, moved)
    columns = (moved.c.resource_id, moved.c.result, moved.c.error_message, moved.c.error_traceback)
    settle(work, select(*columns).where(moved.c.result.is_not(None)).subquery("ended"))
    _recover(work, moved)


def copy_facts(work: Work, chosen: FromClause) -> None:
    """Only copy the plugin's facts to the marketplace: ``chosen`` has content_type_id and object_id.

    A resource whose name and id change gets one event, not two as when its plugin's state has changed.
    """
    still = [literal(OK, Integer).label(name) for name in ("old_state", "new_state")]
    moved = _moved(work, select(chosen.c.content_type_id, chosen.c.object_id, *still).subquery("chosen_rows"))
    if moved is None:
        return
    keep_metadata(work, moved)
    backend_id = func.coalesce(func.nullif(moved.c.backend_id, ""), resource.c.backend_id).label("backend_id")
    copied = select(moved.c.resource_id, moved.c.name, backend_id).join(resource, resource.c.id == moved.c.resource_id)
    change_resources(work, copied.subquery("copied"))


def _coupled_tables(work: Work) -> list[tuple[PluginResource, int]]:
    return [
        (found, content_type)
        for found in plugin_resources.existing(work)
        if found.in_marketplace and (content_type := work.content_types.get(found.app_label, found.model)) is not None
    ]


def _moved(work: Work, changed: FromClause, table: Table | None = None) -> Table | None:
    """The marketplace resources of the changed rows, with the plugin's facts and the result of the operation.

    None when there are none.
    """
    coupled = [(found, type) for found, type in work.once(_coupled_tables) if table is None or found.table is table]
    if not coupled:
        return None
    work.connection.execute(_JSON_OF)
    parts = [_facts(work, found, content_type, changed) for found, content_type in coupled]
    facts = union_all(*parts).subquery("facts")
    given = [{"old": old, "new": new, "result": result} for (old, new), result in RESULTS.items()]
    results = given_rows(given, old=Integer, new=Integer, result=Text)
    moved = temporary_table(
        work,
        "moved",
        select(resource.c.id.label("resource_id"), *facts.c, results.c.result)
        .join_from(
            facts,
            resource,
            and_(resource.c.content_type_id == facts.c.content_type_id, resource.c.object_id == facts.c.object_id),
        )
        .outerjoin(results, and_(results.c.old == facts.c.old_state, results.c.new == facts.c.new_state))
        .order_by(resource.c.id)
        .with_for_update(of=resource),
    )
    return moved if work.connection.scalar(select(func.count()).select_from(moved)) else None


def _facts(work: Work, found: PluginResource, content_type: int, changed: FromClause) -> Select[Any]:
    table = found.table

    def own(name: str) -> ColumnElement[Any]:
        return table.c[name] if name in table.c and work.schema.has(table.name, name) else cast(null(), Text)

    metadata = json_object(
        state=case({code: literal(name, Text) for code, name in STATE_NAMES.items()}, value=table.c.state),
        runtime_state=own("runtime_state"),
        action=own("action"),
        action_details=func.pg_temp.json_of(func.nullif(own("action_details"), "")),
    )
    source: FromClause = table.join(
        changed, and_(changed.c.content_type_id == content_type, changed.c.object_id == table.c.id)
    )
    if table is openstack.volume:
        instance, kind = openstack.instance.alias("attached_to"), openstack.volumetype.alias("kind")
        source = source.outerjoin(instance, instance.c.id == table.c.instance_id).outerjoin(
            kind, kind.c.id == table.c.type_id
        )
        volume = json_object(
            size=table.c.size,
            type_name=kind.c.name,
            instance_name=instance.c.name,
            instance_uuid=hex_of(instance.c.uuid),
        )
        metadata = merged(metadata, volume)
    return select(
        changed.c.content_type_id,
        changed.c.object_id,
        changed.c.old_state,
        changed.c.new_state,
        fitted(work, resource.c.name, cast(table.c.name, Text)).label("name"),
        func.coalesce(cast(table.c.backend_id, Text), "").label("backend_id"),
        table.c.error_message,
        own("error_traceback").label("error_traceback"),
        cast(metadata, JSONB).label("metadata"),
        literal(found.app_label == "openstack").label("recovers"),
    ).select_from(source)


def _copy_facts(work: Work, moved: Table) -> None:
    keep_metadata(work, moved)
    for column, is_copied in (("backend_id", moved.c.backend_id != ""), ("name", true())):
        copied = select(moved.c.resource_id, moved.c[column]).where(is_copied)
        change_resources(work, copied.subquery("copied"))


def keep_metadata(work: Work, chosen: FromClause) -> None:
    """Set keys of resources' backend metadata where they differ: ``chosen`` has resource_id and metadata (jsonb)."""
    known = case((func.jsonb_typeof(resource.c.backend_metadata) == "object", resource.c.backend_metadata), else_=EMPTY)
    merged_metadata = known.op("||", return_type=JSONB())(chosen.c.metadata)
    work.execute(
        update(resource)
        .values(backend_metadata=merged_metadata, modified=work.as_of)
        .where(resource.c.id == chosen.c.resource_id, resource.c.backend_metadata.is_distinct_from(merged_metadata))
    )


def _recover(work: Work, moved: Table) -> None:
    """What OpenStack reports as sound again is no longer erred; no operation ended by that (spec openstack 0.5)."""
    sound = (
        select(resource.c.id.label("resource_id"), literal(int(ResourceState.OK)).label("state"))
        .join(moved, moved.c.resource_id == resource.c.id)
        .where(
            moved.c.recovers,
            moved.c.old_state == ERRED,
            moved.c.new_state == OK,
            resource.c.state == ResourceState.ERRED,
        )
    )
    change_resources(work, sound.subquery("sound"))
