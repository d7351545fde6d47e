"""Events about what plugins have in their clouds (spec core 1.6)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    cast,
    func,
    literal,
    select,
    union_all,
)

from waldur_dagster.platform import plugin_resources
from waldur_dagster.platform.contexts import (
    NOTHING,
    customer_context,
    project_context,
    python_text,
    settings_context,
)
from waldur_dagster.platform.events import log_events
from waldur_dagster.platform.expressions import hex_of, json_list, json_object, merged, text_from
from waldur_dagster.platform.plugin_resources import PluginResource
from waldur_dagster.schema import openstack, structure
from waldur_dagster.work import Work


def log_plugin_events(work: Work, chosen: FromClause, *, event_type: str, message: str) -> int:
    """An event for each row of ``chosen`` (content_type_id, object_id) about the plugin resource that it names.

    ``message`` is a text with ``{name}``. The log of the resource, its project and its customer show the event.
    Returns the number of events. Statements: constant.
    """
    parts = [
        _rows(found, content_type, chosen)
        for found in plugin_resources.existing(work)
        if (content_type := work.content_types.get(found.app_label, found.model)) is not None
    ]
    if not parts:
        return 0
    found, settings = union_all(*parts).subquery("found"), structure.servicesettings
    project, customer = structure.project, structure.customer
    context = merged(
        json_object(
            resource_uuid=hex_of(found.c.uuid),
            resource_name=found.c.name,
            resource_full_name=found.c.full_name,
            resource_type=found.c.type,
        ),
        settings_context(settings),
        found.c.more,
        project_context(project),
        customer_context(customer),
    )
    feeds = json_list(
        json_list(found.c.content_type_id, found.c.object_id),
        json_list(cast(work.content_types("structure", "project"), Integer), project.c.id),
        json_list(cast(work.content_types("structure", "customer"), Integer), customer.c.id),
    )
    events = (
        select(
            literal(event_type, Text).label("event_type"),
            text_from(message, name=found.c.name).label("message"),
            context.label("context"),
            feeds.label("feeds"),
        )
        .select_from(
            found.join(settings, settings.c.id == found.c.service_settings_id)
            .join(project, project.c.id == found.c.project_id)
            .join(customer, customer.c.id == project.c.customer_id)
        )
        .order_by(found.c.content_type_id, found.c.object_id)
    )
    return log_events(work, events)


def _rows(found: PluginResource, content_type: int, chosen: FromClause) -> Select[Any]:
    table = found.table
    more, source = _more(found)
    return select(
        literal(content_type, Integer).label("content_type_id"),
        table.c.id.label("object_id"),
        table.c.uuid,
        cast(table.c.name, Text).label("name"),
        table.c.service_settings_id,
        table.c.project_id,
        literal(found.type, Text).label("type"),
        _full_name(found, table).label("full_name"),
        more.label("more"),
    ).select_from(source.join(chosen, and_(chosen.c.content_type_id == content_type, chosen.c.object_id == table.c.id)))


def _more(found: PluginResource) -> tuple[ColumnElement[Any], FromClause]:
    """Keys that only some kinds have: the size of an instance, the network of a subnet."""
    table = found.table
    if table is openstack.instance:
        size = json_object(resource_ram=python_text(table.c.ram), resource_cores=python_text(table.c.cores))
        return size, table
    if table is openstack.subnet:
        network = openstack.network.alias("of_subnet")
        facts = json_object(
            network_uuid=hex_of(network.c.uuid),
            network_name=network.c.name,
            network_full_name=func.concat("OpenStack Network ", network.c.name),
        )
        return facts, table.join(network, network.c.id == table.c.network_id)
    return NOTHING, table


def _full_name(found: PluginResource, table: FromClause) -> ColumnElement[str]:
    return func.concat(found.words, " ", table.c.name)
