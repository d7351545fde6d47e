"""Events about what pulls find in clouds: imported, pulled, cleaned (spec openstack 0.5)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Integer, Table, Text, cast, func, literal, select

from waldur_dagster.openstack.rows import content_type_of
from waldur_dagster.platform.contexts import customer_context, project_context, python_text, settings_context
from waldur_dagster.platform.events import log_events
from waldur_dagster.platform.expressions import hex_of, json_list, json_object, merged, text_from
from waldur_dagster.platform.plugin_rows import BY_TABLE
from waldur_dagster.schema import openstack, structure
from waldur_dagster.work import Work

tenant, network, group, rule = (
    openstack.tenant,
    openstack.network,
    openstack.securitygroup,
    openstack.securitygrouprule,
)
RULE = "Security group rule {name} ({protocol}): {cidr} ({from_port} -> {to_port}) has been "


@dataclass(frozen=True)
class Told:
    """How a kind is named in event types, in keys of contexts, and in messages."""

    key: str
    word: str


TOLD = {
    openstack.securitygroup.name: Told("security_group", "Security group"),
    openstack.servergroup.name: Told("server_group", "Server group"),
    openstack.network.name: Told("network", "Network"),
    openstack.subnet.name: Told("subnet", "SubNet"),
}
MESSAGES = {
    "imported": "has been imported to local cache.",
    "pulled": "has been pulled from backend.",
    "cleaned": "has been cleaned from cache.",
}


def log_pull(work: Work, table: Table, ids: Collection[int], what: str) -> None:
    """An event for each of these rows: ``openstack_network_imported`` and so on, ``what`` is a key of MESSAGES.

    The log of the row and of its tenant shows it, for a subnet that of its network.
    """
    if not ids or table.name not in TOLD:
        return
    told, settings = TOLD[table.name], structure.servicesettings
    project, customer = structure.project, structure.customer
    own = _named(table, told.key)
    source: FromClause = table.join(settings, settings.c.id == table.c.service_settings_id)
    above: Table = tenant
    if table is openstack.subnet:
        above = network
        own = merged(own, _named(network, "network"))
        source = source.join(network, network.c.id == table.c.network_id)
    context = merged(
        own,
        json_object(resource_type=BY_TABLE[table.name].type, resource_full_name=_full_name(table)),
        settings_context(settings),
        project_context(project),
        customer_context(customer),
    )
    events = (
        select(
            literal(f"openstack_{told.key}_{what}", Text).label("event_type"),
            text_from(f"{told.word} {{name}} {MESSAGES[what]}", name=table.c.name).label("message"),
            context.label("context"),
            json_list(
                _feed(work, table), _feed(work, above, table.c.network_id if above is network else table.c.tenant_id)
            ).label("feeds"),
        )
        .select_from(
            source.join(project, project.c.id == table.c.project_id).join(
                customer, customer.c.id == project.c.customer_id
            )
        )
        .where(table.c.id.in_(ids))
        .order_by(table.c.id)
    )
    log_events(work, events)


def log_rules(work: Work, ids: Collection[int], what: str) -> None:
    """An event for each of these rules of security groups, ``imported`` or ``cleaned``, in its and its group's log.

    Nothing where rules are told by their groups (``rule_changes``).
    """
    if not ids or rules_are_told_together(work):
        return
    settings, project, customer = structure.servicesettings, structure.project, structure.customer
    fields = {
        f"security_group_rule_{name}": python_text(rule.c[name])
        for name in ("backend_id", "cidr", "direction", "ethertype", "from_port", "protocol", "to_port")
    }
    context = merged(json_object(**fields), group_context())
    text = text_from(
        RULE + ("imported from backend." if what == "imported" else "cleaned from cache."),
        name=group.c.name,
        protocol=rule.c.protocol,
        cidr=python_text(rule.c.cidr),
        from_port=python_text(rule.c.from_port),
        to_port=python_text(rule.c.to_port),
    )
    events = (
        select(
            literal(f"openstack_security_group_rule_{what}", Text).label("event_type"),
            text.label("message"),
            context.label("context"),
            json_list(_feed(work, rule), _feed(work, group)).label("feeds"),
        )
        .select_from(
            rule.join(group, group.c.id == rule.c.security_group_id)
            .join(settings, settings.c.id == group.c.service_settings_id)
            .join(project, project.c.id == group.c.project_id)
            .join(customer, customer.c.id == project.c.customer_id)
        )
        .where(rule.c.id.in_(ids))
        .order_by(rule.c.id)
    )
    log_events(work, events)


def rules_are_told_together(work: Work) -> bool:
    """Whether the site's Waldur tells changes of a security group's rules in one event for the group."""
    return work.schema.has_column(network.c.port_security_enabled)


def group_context() -> ColumnElement[Any]:
    """What an event tells of a security group: the statement joins its settings, project and customer."""
    return merged(
        _named(group, "security_group"),
        json_object(resource_type="OpenStack.SecurityGroup", resource_full_name=_full_name(group)),
        settings_context(structure.servicesettings),
        project_context(structure.project),
        customer_context(structure.customer),
    )


def _named(table: Table, key: str) -> ColumnElement[Any]:
    return json_object(
        **{
            f"{key}_uuid": hex_of(table.c.uuid),
            f"{key}_name": table.c.name,
            f"{key}_full_name": _full_name(table),
        }
    )


def _full_name(table: Table) -> ColumnElement[str]:
    return func.concat(BY_TABLE[table.name].words, " ", table.c.name)


def _feed(work: Work, table: Table, id: ColumnElement[Any] | None = None) -> ColumnElement[Any]:
    return json_list(cast(content_type_of(work, table), Integer), table.c.id if id is None else id)
