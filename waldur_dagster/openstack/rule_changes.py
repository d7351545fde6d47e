"""How the rules of security groups have changed, in one event for each group (spec openstack, subresources, Newer)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Integer, Text, literal, select
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.openstack.events import group_context, rules_are_told_together
from waldur_dagster.openstack.rows import content_type_of
from waldur_dagster.platform.events import log_events
from waldur_dagster.platform.expressions import given_rows, json_list, merged, text_from
from waldur_dagster.schema import openstack, structure
from waldur_dagster.work import Work

group, rule = openstack.securitygroup, openstack.securitygrouprule
FIELDS = ("ethertype", "direction", "protocol", "from_port", "to_port", "cidr", "description")
KINDS = ("added", "removed", "modified")
# By group and by the rule's own id.
Rules = Mapping[int, Mapping[int, Mapping[str, Any]]]


def rules_of(work: Work, groups: Collection[int]) -> Rules:
    """The rules of these groups as events tell them; none where rules are told one by one."""
    if not rules_are_told_together(work):
        return {}
    remote = group.alias("remote")
    rows = (
        select(rule.c.security_group_id, rule.c.id, *(rule.c[name] for name in FIELDS), remote.c.uuid, remote.c.name)
        .join_from(rule, remote, remote.c.id == rule.c.remote_group_id, isouter=True)
        .where(rule.c.security_group_id.in_(groups))
        .order_by(rule.c.id)
    )
    found: dict[int, dict[int, dict[str, Any]]] = {id: {} for id in groups}
    for row in work.connection.execute(rows):
        of_remote = {"remote_group_uuid": row.uuid and str(row.uuid), "remote_group_name": row.name}
        found[row.security_group_id][row.id] = {name: getattr(row, name) for name in FIELDS} | of_remote
    return found


def log_rule_changes(work: Work, before: Rules, after: Rules) -> None:
    """An event for each group whose rules are not what they were, in its own, its tenant's and its project's log."""
    changes = [
        {"group_id": id, "context": _told(**found)}
        for id in before
        if any((found := _difference(before[id], after[id])).values())
    ]
    if not changes:
        return
    given = given_rows(changes, group_id=Integer, context=JSONB)
    settings, project, customer = structure.servicesettings, structure.project, structure.customer
    words = 'Security group "{name}" rules changed: {added} added, {removed} removed, {modified} modified.'
    counts = {kind: given.c.context[f"{kind}_count"].astext for kind in KINDS}
    feeds = (
        json_list(content_type_of(work, group), group.c.id),
        json_list(content_type_of(work, openstack.tenant), group.c.tenant_id),
        json_list(work.content_types("structure", "project"), group.c.project_id),
    )
    log_events(
        work,
        select(
            literal("openstack_security_group_rules_changed", Text).label("event_type"),
            text_from(words, name=group.c.name, **counts).label("message"),
            merged(given.c.context, group_context()).label("context"),
            json_list(*feeds).label("feeds"),
        )
        .select_from(
            group.join(given, given.c.group_id == group.c.id)
            .join(settings, settings.c.id == group.c.service_settings_id)
            .join(project, project.c.id == group.c.project_id)
            .join(customer, customer.c.id == project.c.customer_id)
        )
        .order_by(group.c.id),
    )


def _difference(before: Mapping[int, Any], after: Mapping[int, Any]) -> dict[str, list[Any]]:
    modified = [
        {"old": old, "new": after[id], "changed_fields": [name for name in old if old[name] != after[id][name]]}
        for id, old in before.items()
        if id in after and old != after[id]
    ]
    return {
        "added": [one for id, one in after.items() if id not in before],
        "removed": [one for id, one in before.items() if id not in after],
        "modified": modified,
    }


def _told(**found: list[Any]) -> dict[str, Any]:
    rules = {f"{kind}_rules": found[kind] for kind in KINDS}
    return rules | {f"{kind}_count": len(found[kind]) for kind in KINDS} | {"trigger": "backend_sync"}
