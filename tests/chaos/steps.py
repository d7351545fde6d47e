"""What the jobs do, step by step, on a site that has work for each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from assets import FIRST, UTC, entry_assets
from assets.partitions import days, months
from jobs import core, invoices, marketplace, quotas
from waldur_dagster.demo.home import fill
from waldur_dagster.deployment import Deployment, parse_deployment
from waldur_dagster.functions import Function
from waldur_dagster.platform.month import Month
from waldur_dagster.work import Work

Step = Callable[[Work], Any]
# They wait for outside systems; tests with such systems run them.
WITH_OUTSIDE_SYSTEMS = {"send_telemetry", "waldur-marketplace-script-pull-resources", "core-reset-updating-resources"}


def steps() -> Mapping[str, Step]:
    """The steps of all entries by name, each to be done in a transaction of its own."""
    found: dict[str, Step] = {}
    for module in (core, marketplace, invoices, quotas):
        found |= {name: do for name, do in getattr(module, "WORK", {}).items() if name not in WITH_OUTSIDE_SYSTEMS}
    found["send-notifications-about-upcoming-ends"] = Function(
        "waldur_dagster.invoices.upcoming_ends:remind_of_upcoming_ends"
    )
    found["check-polices"] = Function("waldur_dagster.policies.evaluation:check_policies")
    found["send-scheduled-broadcast-notifications"] = Function("waldur_dagster.notifications.broadcasts:put_broadcasts")
    found["process-pending-project-invitations"] = Function(
        "waldur_dagster.users.invitation_delivery:release_project_invitations"
    )
    for asset in entry_assets(months(UTC, FIRST), days(FIRST)):
        for number, step in enumerate(asset.steps, 1):
            name = asset.entry if len(asset.steps) == 1 else f"{asset.entry} {number}"
            found[name] = _of_partition(step.do, step.of)
    return found


def _of_partition(do: Function, of: str | None) -> Step:
    def step(work: Work) -> Any:
        if of is None:
            return do(work)
        return do(work, Month.of(work.as_of, work.zone) if of == "month" else work.as_of.date())

    return step


def demo_site(engine: Engine, now: datetime, folder: Path, **document: Any) -> Deployment:
    """Fill an empty, migrated database with the demo site; locks of others are found out there at once."""
    store = folder / "celery"
    store.mkdir(parents=True, exist_ok=True)
    url = engine.url.render_as_string(hide_password=False)
    deployment = parse_deployment(
        {
            "database": {"url": url, "lock_timeout": 20, "statement_timeout": 60},
            "celery": {"result_store_url": f"file://{store}"},
        }
        | document
    )
    fill(engine, deployment, now)
    with engine.begin() as connection:
        connection.execute(text(f"ALTER DATABASE \"{engine.url.database}\" SET deadlock_timeout = '50ms'"))
    return deployment
