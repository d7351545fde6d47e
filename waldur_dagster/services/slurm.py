"""SLURM clusters: what allocations have used this month, and their limits (spec openstack, pull-service-resources)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, TypeVar

from sqlalchemy import func, select

from waldur_dagster.clients.slurm import Job, Slurm, names
from waldur_dagster.platform.merge import Merge
from waldur_dagster.platform.plugin_resources import OK
from waldur_dagster.schema import freeipa, slurm
from waldur_dagster.services.providers import Service
from waldur_dagster.visits import Visit
from waldur_dagster.work import Work

K = TypeVar("K")
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
    """Usage of allocations, and of each of their users, in the month; limits that the cluster has.

    A limit that is missing among others has been lifted, which is kept as 0; an account without any keeps what it has.
    """
    known = select(allocation.c.id, allocation.c.backend_id, *(allocation.c[name] for name in LIMITS.values()))
    rows = work.connection.execute(
        known.where(allocation.c.service_settings_id == service.id, allocation.c.backend_id.in_(pulled.limits))
    ).all()
    totals, by_user = _sums(pulled.jobs)
    of_allocations = []
    for row in rows:
        used = totals.get(row.backend_id, dict.fromkeys(KINDS, 0))
        told = pulled.limits[row.backend_id]
        limits = {name: told.get(key, 0) if told else getattr(row, name) for key, name in LIMITS.items()}
        of_allocations.append({"id": row.id} | {f"{kind}_usage": used[kind] for kind in KINDS} | limits)
    columns = [*(f"{kind}_usage" for kind in KINDS), *LIMITS.values()]
    stable = (allocation.c.service_settings_id == service.id) & (allocation.c.state == OK)
    made = Merge(work, allocation, of_allocations, key=["id"], columns=columns, scope=stable)
    made.update(columns, also={"modified": work.as_of})
    _merge_users(work, pulled.first, {row.backend_id: row.id for row in rows}, by_user)


def _merge_users(
    work: Work, first: date, allocations: Mapping[str, int], by_user: Mapping[tuple[str, str], Mapping[str, int]]
) -> None:
    """A row for each account of a user in a month; who he is, where the site knows his name in FreeIPA."""
    known = _people(work, {user for _, user in by_user})
    rows = [
        {"allocation_id": allocations[account], "username": user, "user_id": known.get(user)}
        | {f"{kind}_usage": used[kind] for kind in KINDS}
        for (account, user), used in sorted(by_user.items())
        if account in allocations
    ]
    columns = ["user_id", *(f"{kind}_usage" for kind in KINDS)]
    of_month = (user_usage.c.year == first.year) & (user_usage.c.month == first.month)
    made = Merge(work, user_usage, rows, key=["allocation_id", "username"], columns=columns, scope=of_month)
    values = {name: made.pulled.c[name] for name in columns}
    made.update(values | {"user_id": func.coalesce(values["user_id"], user_usage.c.user_id)})
    key = {name: made.pulled.c[name] for name in ("allocation_id", "username")}
    made.insert(key | values | {"year": first.year, "month": first.month})


def _people(work: Work, names: Collection[str]) -> dict[str, int]:
    """Users by their names in FreeIPA, which are those at SLURM."""
    profile = freeipa.profile
    if not names or not work.schema.has(profile.name):
        return {}
    rows = select(profile.c.username, profile.c.user_id).where(profile.c.username.in_(names))
    return {row.username: row.user_id for row in work.connection.execute(rows)}


def _sums(jobs: Sequence[Job]) -> tuple[dict[str, dict[str, int]], dict[tuple[str, str], dict[str, int]]]:
    """Minutes of accounts, and of users in them."""
    totals: defaultdict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(KINDS, 0))
    by_user: defaultdict[tuple[str, str], dict[str, int]] = defaultdict(lambda: dict.fromkeys(KINDS, 0))
    for job in jobs:
        for kind in KINDS:
            totals[job.account][kind] += getattr(job, kind)
            by_user[job.account, job.user][kind] += getattr(job, kind)
    return _in_minutes(totals), _in_minutes(by_user)


def _in_minutes(seconds: Mapping[K, Mapping[str, int]]) -> dict[K, dict[str, int]]:
    return {key: {kind: round(used / 60) for kind, used in of_key.items()} for key, of_key in seconds.items()}
