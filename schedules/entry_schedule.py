"""The schedule of an entry: when it ticks, and when it rather skips (design sections 4 and 2.9)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import dagster as dg

from assets.partitions import partition_key
from schedules.predecessors import predecessor
from waldur_dagster import clock
from waldur_dagster.catalog import Entry, entry
from waldur_dagster.deployment import Deployment
from waldur_dagster.timetable import cron_of

# How the reason of a skipped tick ends that is to be tried again: what keeps it from running may go away.
TRIED_AGAIN = " It is tried again until the next tick."
# On a run of a tick: the tick's instant, so that it is known what became of it.
TICK = "waldur/tick"


def build_schedules(
    deployment: Deployment, jobs: Mapping[str, Any], partitions: Mapping[str, dg.PartitionsDefinition]
) -> list[dg.ScheduleDefinition]:
    """A schedule for each job, by the entry that it implements; jobs without partitions are not in ``partitions``."""
    return [_schedule(deployment, entry(name), job, partitions.get(name)) for name, job in jobs.items()]


def _schedule(
    deployment: Deployment, documented: Entry, job: Any, partitions: dg.PartitionsDefinition | None
) -> dg.ScheduleDefinition:
    options = deployment.options(documented.name, documented.family)

    @dg.schedule(
        name=documented.dagster_name,
        job=job,
        cron_schedule=options.schedule or cron_of(documented),
        execution_timezone=deployment.zone.key,
        description=f"{documented.description} Documented: {documented.schedule}.",
        default_status=dg.DefaultScheduleStatus.RUNNING if options.running else dg.DefaultScheduleStatus.STOPPED,
        tags=documented.tags,
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        tick = context.scheduled_execution_time
        if reason := too_late(partitions, tick):
            return dg.SkipReason(reason)
        from waldur_dagster.availability import reason_not_to_run, superseded
        from waldur_dagster.site import Site, SiteUnreachable

        partition = partition_key(partitions, tick)
        try:
            with Site(deployment) as site:
                if reason := reason_not_to_run(site, documented.name):
                    return dg.SkipReason(reason if superseded(site, documented.name) else reason + TRIED_AGAIN)
                if run := predecessor(context.instance, site, documented.name, partition):
                    status = run.status.value.lower()
                    return dg.SkipReason(f"Run {run.run_id} of {documented.name} is {status} still.")
        except SiteUnreachable as problem:
            return dg.SkipReason(f"{problem}{TRIED_AGAIN}")
        return run_request(documented, tick, partition)

    return schedule


def run_request(documented: Entry, tick: datetime, partition: str | None, *, attempt: int = 1) -> dg.RunRequest:
    """The run of a tick: for its instant, under a key of its own for each attempt."""
    instant = tick.isoformat()
    return dg.RunRequest(
        run_key=f"{documented.name} {instant}" + (f" attempt {attempt}" if attempt > 1 else ""),
        job_name=documented.dagster_name,
        run_config={"resources": {"site": {"config": {"as_of": instant}}}},
        partition_key=partition,
        tags={**documented.tags, TICK: instant},
    )


def too_late(partitions: dg.PartitionsDefinition | None, tick: datetime) -> str | None:
    """Why a tick has nothing to do any more: a day's partition is made of the present, on that day only."""
    if isinstance(partitions, dg.DailyPartitionsDefinition):
        day, today = partition_key(partitions, tick), partition_key(partitions, clock.now())
        if day != today:
            return f"{day} is over: what holds today ({today}) cannot be taken for it. The day stays empty."
    if isinstance(partitions, dg.TimeWindowPartitionsDefinition) and tick < partitions.start:
        return f"The tick of {tick:%Y-%m-%d %H:%M} lies before the first month of this deployment."
    return None
