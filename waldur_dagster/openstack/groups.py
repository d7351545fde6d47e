"""Security groups with their rules, and server groups (spec openstack, subresources 1 and 2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import or_, select

from waldur_dagster.openstack.events import log_rules
from waldur_dagster.openstack.mirror import Mirror
from waldur_dagster.openstack.providers import Sessions, Tenant
from waldur_dagster.openstack.rows import is_stable, success
from waldur_dagster.openstack.rule_changes import log_rule_changes, rules_of
from waldur_dagster.platform.lengths import fitting
from waldur_dagster.platform.merge import Merge
from waldur_dagster.schema import openstack
from waldur_dagster.work import Work

group, rule, servergroup = openstack.securitygroup, openstack.securitygrouprule, openstack.servergroup
GROUP = ("name", "description")
RULE = ("ethertype", "direction", "from_port", "to_port", "protocol", "cidr", "description", "remote_group_id")
ANY_PORT = -1


def fetch_security_groups(sessions: Sessions, _: Mapping[str, Any]) -> list[dict[str, Any]]:
    project = sessions.place.backend_id
    return sessions.tenant.listed("network", "/security-groups", "security_groups", tenant_id=project)


def merge_security_groups(work: Work, place: Tenant, fetched: Mapping[str, Any]) -> None:
    """Mirror the groups, then their rules; groups that somebody is changing stay as they are, with their rules."""
    documents = fetched["security groups"]
    rows = [
        {
            "backend_id": document["id"],
            "name": fitting(work, group.c.name, document["name"]),
            "description": fitting(work, group.c.description, document["description"]),
        }
        for document in documents
    ]
    mirror = Mirror(work, place, group, rows, GROUP)
    mirror.update(success(group), is_stable(group))
    mirror.insert()
    _merge_rules(work, place, documents)
    stale = mirror.stale()
    if stale:
        of_stale = or_(rule.c.security_group_id.in_(stale), rule.c.remote_group_id.in_(stale))
        log_rules(work, work.connection.scalars(select(rule.c.id).where(of_stale)).all(), "cleaned")
        mirror.remove(stale)


def _merge_rules(work: Work, place: Tenant, documents: list[dict[str, Any]]) -> None:
    known = work.connection.execute(
        select(group.c.backend_id, group.c.id, is_stable(group).label("stable")).where(group.c.tenant_id == place.id)
    ).all()
    ids = {row.backend_id: row.id for row in known}
    stable = {row.backend_id: row.id for row in known if row.stable}
    rows = [
        _rule(work, stable[document["id"]], found, ids)
        for document in documents
        if document["id"] in stable
        for found in document["security_group_rules"]
    ]
    listed = [stable[document["id"]] for document in documents if document["id"] in stable]
    made = Merge(
        work,
        rule,
        rows,
        key=["security_group_id", "backend_id"],
        columns=RULE,
        scope=rule.c.security_group_id.in_(listed),
    )
    before = rules_of(work, listed)
    stale = made.stale()
    log_rules(work, stale, "cleaned")
    made.delete(stale)
    made.update(RULE)
    new = made.insert({name: made.pulled.c[name] for name in ("security_group_id", "backend_id", *RULE)})
    log_rules(work, [row.id for row in new], "imported")
    log_rule_changes(work, before, rules_of(work, listed))


def _rule(work: Work, group_id: int, document: Mapping[str, Any], groups: Mapping[str, int]) -> dict[str, Any]:
    lowest, highest = document["port_range_min"], document["port_range_max"]
    return {
        "security_group_id": group_id,
        "backend_id": document["id"],
        "ethertype": document["ethertype"],
        "direction": document["direction"],
        "from_port": ANY_PORT if lowest is None else lowest,
        "to_port": ANY_PORT if highest is None else highest,
        "protocol": document["protocol"] or "",
        "cidr": document["remote_ip_prefix"],
        "description": fitting(work, rule.c.description, document.get("description")),
        "remote_group_id": groups.get(document["remote_group_id"]),
    }


def fetch_server_groups(sessions: Sessions, _: Mapping[str, Any]) -> list[dict[str, Any]]:
    return sessions.tenant.listed_by_offset("compute", "/os-server-groups", "server_groups")


def merge_server_groups(work: Work, place: Tenant, fetched: Mapping[str, Any]) -> None:
    """Mirror the server groups; their members are not pulled."""
    rows = [
        {
            "backend_id": document["id"],
            "name": fitting(work, servergroup.c.name, document["name"]),
            "policy": next(iter(document["policies"]), ""),
        }
        for document in fetched["server groups"]
    ]
    mirror = Mirror(work, place, servergroup, rows, ("name", "policy"))
    mirror.remove(mirror.stale())
    mirror.update(success(servergroup), is_stable(servergroup))
    mirror.insert(description="")
