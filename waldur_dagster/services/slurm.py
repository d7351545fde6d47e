"""SLURM clusters: what allocations have used this month, and their limits (spec openstack, pull-service-resources)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import select

from waldur_dagster.clients.slurm import Job, Slurm, names
from waldur_dagster.platform.merge import Merge
from waldur_dagster.platform.plugin_resources import OK
from waldur_dagster.schema import slurm
from waldur_dagster.services.providers import Service
from waldur_dagster.visits import Visit
from waldur_dagster.work import Work

allocation, user_usage = slurm.allocation, slurm.allocationuserusage
KINDS = ("cpu", "gpu", "ram")
LIMITS = {"cpu": "cpu_limit", "gres/gpu": "gpu_limit"}


@dataclass(frozen=True)
class Pulled:
    """Jobs of the month, and limits by account."""

    first: date
    jobs: list[Job]
    limits: dict[str, dict[str, int]]


def due_accounts(work: Work, services: Sequence[Service]) -> dict[int, list[str]]:
    """The accounts of allocations that are OK, by cluster."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    clusters = [service.id for service in services if service.type == "SLURM"]
    if clusters:
        rows = select(allocation.c.service_settings_id, allocation.c.backend_id).where(
            allocation.c.service_settings_id.in_(clusters), allocation.c.state == OK
        )
        for row in work.connection.execute(rows.order_by(allocation.c.id)):
            found[row.service_settings_id].append(row.backend_id)
    return dict(found)


def fetch_usage(_: Visit, service: Service, facts: Mapping[str, Any]) -> Pulled:
    """The month's jobs of all accounts in one call, and each account's limits."""
    accounts = names(facts["accounts"].get(service.id, []))
    first = facts["month"].replace(day=1)
    last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    if not accounts:
        return Pulled(first, [], {})
    cluster = Slurm(service.options)
    jobs = [job for job in cluster.jobs(accounts, first, last) if job.account in set(accounts)]
    return Pulled(first, jobs, {account: cluster.limits(account) for account in accounts})


def merge_usage(work: Work, service: Service, pulled: Pulled) -> None:
    """Usage of allocations, and of each of their users, in the month; limits that the cluster has."""
    known = select(allocation.c.id, allocation.c.backend_id, *(allocation.c[name] for name in LIMITS.values()))
    rows = work.connection.execute(
        known.where(allocation.c.service_settings_id == service.id, allocation.c.backend_id.in_(pulled.limits))
    ).all()
    totals, by_user = _sums(pulled.jobs)
    of_allocations = []
    for row in rows:
        used = totals.get(row.backend_id, dict.fromkeys(KINDS, 0))
        limits = {name: pulled.limits[row.backend_id].get(key, getattr(row, name)) for key, name in LIMITS.items()}
        of_allocations.append({"id": row.id} | {f"{kind}_usage": used[kind] for kind in KINDS} | limits)
    columns = [*(f"{kind}_usage" for kind in KINDS), *LIMITS.values()]
    stable = (allocation.c.service_settings_id == service.id) & (allocation.c.state == OK)
    made = Merge(work, allocation, of_allocations, key=["id"], columns=columns, scope=stable)
    made.update(columns, also={"modified": work.as_of})
    ids = {row.backend_id: row.id for row in rows}
    of_users = [
        {"allocation_id": ids[account], "username": user} | {f"{kind}_usage": used[kind] for kind in KINDS}
        for (account, user), used in sorted(by_user.items())
        if account in ids
    ]
    usages = [f"{kind}_usage" for kind in KINDS]
    of_month = (user_usage.c.year == pulled.first.year) & (user_usage.c.month == pulled.first.month)
    users = Merge(work, user_usage, of_users, key=["allocation_id", "username"], columns=usages, scope=of_month)
    users.update(usages)
    values = {name: users.pulled.c[name] for name in ("allocation_id", "username", *usages)}
    users.insert(values | {"year": pulled.first.year, "month": pulled.first.month})


def _sums(jobs: Sequence[Job]) -> tuple[dict[str, dict[str, int]], dict[tuple[str, str], dict[str, int]]]:
    totals: defaultdict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(KINDS, 0))
    by_user: defaultdict[tuple[str, str], dict[str, int]] = defaultdict(lambda: dict.fromkeys(KINDS, 0))
    for job in jobs:
        for kind in KINDS:
            totals[job.account][kind] += getattr(job, kind)
            by_user[job.account, job.user][kind] += getattr(job, kind)
    return dict(totals), dict(by_user)
