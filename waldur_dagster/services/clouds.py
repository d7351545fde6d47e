"""OpenStack as a provider: what the whole cloud uses, and which projects it has (spec openstack, pull-service-*)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Integer, Row, case, func, literal, select, update

from waldur_dagster.clients.failures import ItemFailed, NotFound, VisitFailed
from waldur_dagster.clients.openstack import Cloud
from waldur_dagster.marketplace.order_states import change_orders
from waldur_dagster.marketplace.states import OrderState
from waldur_dagster.marketplace.termination import terminate
from waldur_dagster.openstack.providers import account_of, admin_session
from waldur_dagster.openstack.rows import (
    content_type_of,
    follow_rows,
    is_stable,
    lock_tenants,
    mark_missing,
    mib,
    success,
)
from waldur_dagster.platform.lengths import fitted, fitting
from waldur_dagster.platform.merge import Merge
from waldur_dagster.platform.plugin_resources import ERRED
from waldur_dagster.platform.quota_values import keep_limits, keep_usage
from waldur_dagster.schema import marketplace, openstack
from waldur_dagster.services.providers import Service
from waldur_dagster.visits import Partly, Visit
from waldur_dagster.work import Work

tenant, resource, order, offering = openstack.tenant, marketplace.resource, marketplace.order, marketplace.offering
PULLED = ("name", "description", "runtime_state")
NAMES = {"OpenStack.Instance": "Virtual machine in ", "OpenStack.Volume": "Volume in "}
GONE = "Does not exist in backend."
# Orders of such a tenant that are cancelled; those that wait for their project are not (spec openstack).
WAITING = (OrderState.PENDING_CONSUMER, OrderState.PENDING_PROVIDER, OrderState.PENDING_START_DATE)
# So many tenants that are not listed, and more than half of them, are a list that is wrong.
TOO_MANY = 4


def fetch_figures(visiting: Visit, service: Service, _: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Cores and memory of all hypervisors, and the storage of all projects, which only an administrator is told."""
    cloud = _session(visiting, service)
    found = cloud.get("compute", "/os-hypervisors/statistics")["hypervisor_statistics"]
    pulled = {
        "limits": {"openstack_vcpu": int(found["vcpus"]), "openstack_ram": int(found["memory_mb"])},
        "usage": {"openstack_vcpu": int(found["vcpus_used"]), "openstack_ram": int(found["memory_mb_used"])},
    }
    try:
        sizes = [
            mib(document["size"])
            for kind in ("volumes", "snapshots")
            for document in cloud.listed("block_storage", f"/{kind}/detail", kind, all_tenants=1)
        ]
    except VisitFailed as problem:
        raise Partly(pulled, problem) from None
    pulled["usage"]["openstack_storage"] = sum(sizes)
    return pulled


def merge_figures(work: Work, service: Service, pulled: Mapping[str, Mapping[str, int]]) -> VisitFailed | None:
    scope = (work.content_types("structure", "servicesettings"), service.id)
    keep_limits(work, scope, pulled["limits"])
    keep_usage(work, scope, pulled["usage"])
    return None


def fetch_projects(visiting: Visit, service: Service, _: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All projects of the cloud's domain, read to the end of the list."""
    cloud = _session(visiting, service)
    name = service.domain or "Default"
    domains = cloud.listed_silently("identity", "/domains", "domains", name=name)
    if not domains:
        raise NotFound(f"keystone has no domain {name} (HTTP 404)")
    return cloud.listed_silently("identity", "/projects", "projects", domain_id=domains[0]["id"])


def merge_projects(work: Work, service: Service, projects: Sequence[Mapping[str, Any]]) -> VisitFailed | None:
    """Tenants that are listed are brought in line, those that are not become erred and their resources end.

    A list that lacks too many tenants is taken for a wrong one: nobody is missing, and nothing ends.
    """
    rows = [
        {
            "backend_id": project["id"],
            "name": fitting(work, tenant.c.name, project["name"]),
            "description": fitting(work, tenant.c.description, project.get("description")),
            "runtime_state": "",
        }
        for project in projects
    ]
    scope = (tenant.c.service_settings_id == service.id) & (func.coalesce(tenant.c.backend_id, "") != "")
    lock_tenants(work, scope)
    made = Merge(work, tenant, rows, key=["backend_id"], columns=PULLED, scope=scope)
    missing = made.stale(is_stable(tenant))
    known = work.connection.scalar(select(func.count()).where(scope, is_stable(tenant))) or 0
    changed = made.update(
        {name: made.pulled.c[name] for name in PULLED} | success(tenant),
        also={"modified": work.as_of},
        where=is_stable(tenant),
    )
    _follow(work, changed)
    if missing and (not projects or (len(missing) >= TOO_MANY and 2 * len(missing) > known)):
        return ItemFailed(f"{len(missing)} of {known} known tenants are not listed")
    _end(work, missing)
    return None


def _session(visiting: Visit, service: Service) -> Cloud:
    account = account_of(service.url, service.username, service.password, service.options, service.domain)
    return admin_session(visiting, account)


def _follow(work: Work, changed: Sequence[Row[Any]]) -> None:
    """The marketplace knows states and names of tenants, and offers their machines under their names."""
    told = [
        (row.id, row.old_state, row.new_state)
        for row in changed
        if (row.old_state, row.old_name, row.old_runtime_state) != (row.new_state, row.new_name, row.new_runtime_state)
    ]
    follow_rows(work, tenant, told)
    renamed = [row.id for row in changed if row.old_name != row.new_name]
    if renamed:
        prefix = case(NAMES, value=offering.c.type)
        work.execute(
            update(offering)
            .where(
                offering.c.content_type_id == content_type_of(work, tenant),
                offering.c.object_id == tenant.c.id,
                tenant.c.id.in_(renamed),
                offering.c.type.in_(NAMES),
            )
            .values(name=fitted(work, offering.c.name, func.concat(prefix, tenant.c.name)))
        )


def _end(work: Work, missing: Sequence[int]) -> None:
    """Tenants that are gone from their cloud become erred, and what is paid for them ends."""
    if not missing:
        return
    gone = mark_missing(work, tenant, missing)
    follow_rows(work, tenant, [(row.id, row.old_state, ERRED) for row in gone])
    of_tenants = select(resource.c.id).where(
        resource.c.content_type_id == content_type_of(work, tenant), resource.c.object_id.in_(missing)
    )
    waiting = select(
        order.c.id.label("order_id"),
        literal(int(OrderState.CANCELED), Integer).label("state"),
        literal(GONE).label("termination_comment"),
    ).where(
        order.c.resource_id.in_(of_tenants),
        order.c.state.in_(WAITING),
    )
    change_orders(work, waiting.subquery("waiting"), "orders_of_missing", move_resources=False)
    terminate(work, of_tenants.add_columns(literal(GONE).label("comment")))
