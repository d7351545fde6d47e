"""Limits and usage of tenants (spec openstack, openstack-tenant-pull-quotas)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, FromClause, Integer, Text, case, cast, func, literal, select, update

from waldur_dagster.clients.failures import ItemFailed, VisitFailed
from waldur_dagster.openstack.providers import NO_PROJECT, Sessions, Tenant, read_tenants, stops_of
from waldur_dagster.openstack.rows import content_type_of, follow_rows, lock_tenants, mib
from waldur_dagster.openstack.tenant_usage import keep_resource_usage
from waldur_dagster.platform.contexts import customer_context, project_context, settings_context
from waldur_dagster.platform.events import log_events
from waldur_dagster.platform.expressions import given_rows, hex_of, json_list, json_object, merged, text_from
from waldur_dagster.platform.plugin_resources import ERRED, OK, UPDATING
from waldur_dagster.platform.quota_values import keep_limits, keep_usage
from waldur_dagster.schema import openstack, structure
from waldur_dagster.site import Transactions
from waldur_dagster.visits import Partly, Visit, visit
from waldur_dagster.work import Work

ENTRY = "openstack-tenant-pull-quotas"
tenant = openstack.tenant
UNLIMITED = -1
# Names of quotas by those that the services use.
OF_NOVA = {"ram": "ram", "cores": "vcpu", "instances": "instances"}
OF_NEUTRON = {
    "security_group": "security_group_count",
    "security_group_rule": "security_group_rule_count",
    "floatingip": "floating_ip_count",
    "port": "port_count",
    "network": "network_count",
    "subnet": "subnet_count",
}
# Shown in GB although kept in MiB.
OF_SIZE = ("storage", "ram")
BY_VOLUME_TYPE = "gigabytes_"


def pull_quotas(transaction: Transactions) -> None:
    """Store limits and usage of all tenants that are OK.

    A tenant whose quotas cannot be read becomes erred, its limits are kept when only its usage is missing. The others
    go on. A successful pull leaves the tenant's row alone.
    """
    with transaction() as work:
        stops = stops_of(read_tenants(work, tenant.c.state == OK))
    visit(transaction, stops, _fetch, _merge, failed=_keep_failure)


def _fetch(visiting: Visit, place: Tenant) -> dict[str, dict[str, int]]:
    """``limits`` and ``usage`` by our names."""
    if not place.backend_id:
        raise ItemFailed(NO_PROJECT)
    pulled: dict[str, dict[str, int]] = {}
    sessions = Sessions(visiting, place)
    try:
        pulled["limits"] = _limits(sessions)
        pulled["usage"] = _usage(sessions)
    except VisitFailed as problem:
        raise Partly(pulled, problem) from None
    except (KeyError, TypeError, ValueError) as error:
        words = f"an answer about quotas has an unknown form: {type(error).__name__} {error}"
        raise Partly(pulled, ItemFailed(words)) from None
    return pulled


def _limits(sessions: Sessions) -> dict[str, int]:
    project, ask = sessions.place.backend_id, sessions.tenant.get
    nova = ask("compute", f"/os-quota-sets/{project}")["quota_set"]
    cinder = ask("block_storage", f"/os-quota-sets/{project}", usage="False")["quota_set"]
    neutron = ask("network", f"/quotas/{project}")["quota"]
    gigabytes = cinder["gigabytes"]
    return {
        **{ours: int(nova[theirs]) for theirs, ours in OF_NOVA.items()},
        **{ours: int(neutron[theirs]) for theirs, ours in OF_NEUTRON.items()},
        "storage": UNLIMITED if gigabytes < 0 else mib(gigabytes),
        "volumes": int(cinder["volumes"]),
        "snapshots": int(cinder["snapshots"]),
        **{key: int(value) for key, value in cinder.items() if key.startswith(BY_VOLUME_TYPE)},
    }


def _usage(sessions: Sessions) -> dict[str, int]:
    project, cloud = sessions.place.backend_id, sessions.tenant
    nova = cloud.get("compute", f"/os-quota-sets/{project}/detail")["quota_set"]
    neutron = cloud.get("network", f"/quotas/{project}/details")["quota"]
    volumes = cloud.listed("block_storage", "/volumes/detail", "volumes")
    snapshots = cloud.listed("block_storage", "/snapshots/detail", "snapshots")
    cinder = cloud.get("block_storage", f"/os-quota-sets/{project}", usage="True")["quota_set"]
    by_type = {key: value for key, value in cinder.items() if key.startswith(BY_VOLUME_TYPE)}
    return {
        **{ours: int(nova[theirs]["in_use"]) for theirs, ours in OF_NOVA.items()},
        **{ours: int(neutron[theirs]["used"]) for theirs, ours in OF_NEUTRON.items()},
        "storage": mib(cinder["gigabytes"]["in_use"]),
        "volumes": len(volumes),
        "volumes_size": sum(mib(volume["size"]) for volume in volumes),
        "snapshots": len(snapshots),
        "snapshots_size": sum(mib(snapshot["size"]) for snapshot in snapshots),
        **{key: int(value["in_use"]) for key, value in by_type.items()},
    }


def _merge(work: Work, place: Tenant, pulled: Mapping[str, Mapping[str, int]]) -> None:
    scope = (content_type_of(work, tenant), place.id)
    if "limits" in pulled:
        changed = keep_limits(work, scope, pulled["limits"])
        if changed:
            told = [{"name": row.new_name, "old": row.old_value, "new": row.new_value} for row in changed]
            _log_limits(work, place, given_rows(told, name=Text, old=BigInteger, new=BigInteger))
    if "usage" in pulled:
        keep_usage(work, scope, pulled["usage"])
        keep_resource_usage(work, place, pulled["usage"])


def _log_limits(work: Work, place: Tenant, changed: FromClause) -> None:
    """An event for each changed limit: name, old, new."""
    settings, project, customer = structure.servicesettings, structure.project, structure.customer
    full_name = func.concat("OpenStack Tenant ", tenant.c.name)
    context = merged(
        json_object(quota_name=changed.c.name, limit=changed.c.new, old_limit=changed.c.old),
        json_object(tenant_uuid=hex_of(tenant.c.uuid), tenant_name=tenant.c.name, tenant_full_name=full_name),
        json_object(resource_type="OpenStack.Tenant", resource_full_name=full_name),
        settings_context(settings),
        project_context(project),
        customer_context(customer),
    )
    message = text_from(
        "{name} quota limit has been changed from {old} to {new} for tenant {tenant}.",
        name=changed.c.name,
        old=_shown(changed, "old"),
        new=_shown(changed, "new"),
        tenant=tenant.c.name,
    )
    feeds = (
        json_list(literal(work.content_types(app, model), Integer), table.c.id)
        for app, model, table in (
            ("openstack", "tenant", tenant),
            ("structure", "project", project),
            ("structure", "customer", customer),
        )
    )
    log_events(
        work,
        select(
            literal("openstack_tenant_quota_limit_updated", Text).label("event_type"),
            message.label("message"),
            context.label("context"),
            json_list(*feeds).label("feeds"),
        )
        .select_from(
            changed.join(tenant, tenant.c.id == place.id)
            .join(settings, settings.c.id == tenant.c.service_settings_id)
            .join(project, project.c.id == tenant.c.project_id)
            .join(customer, customer.c.id == project.c.customer_id)
        )
        .order_by(changed.c.name),
    )


def _shown(changed: FromClause, column: str) -> Any:
    value = changed.c[column]
    gigabytes = func.concat(cast(func.trunc(value / 1024), BigInteger), " GB")
    return case((changed.c.name.in_(OF_SIZE), gigabytes), else_=cast(value, Text))


def _keep_failure(work: Work, place: Tenant, problem: VisitFailed) -> bool:
    """The tenant is erred; its resource and the project's members are told as of an update that failed."""
    lock_tenants(work, tenant.c.id == place.id)
    written = (
        update(tenant)
        .where(tenant.c.id == place.id, tenant.c.state == OK)
        .values(
            state=ERRED,
            error_message=str(problem),
            error_traceback=f"{type(problem).__name__}: {problem}",
            modified=work.as_of,
        )
    )
    if work.execute(written).rowcount:
        follow_rows(work, tenant, [(place.id, UPDATING, ERRED)])
    return True
