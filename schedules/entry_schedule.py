"""The schedule of an entry: when it ticks, and when it rather skips (design sections 4 and 2.9)."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from assets.partitions import partition_key
from waldur_dagster.catalog import Entry, entry
from waldur_dagster.deployment import Deployment
from waldur_dagster.timetable import cron_of

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


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
        if reason := _unfinished(context.instance, documented) or _unavailable(deployment, documented):
            return dg.SkipReason(reason)
        tick = context.scheduled_execution_time
        return dg.RunRequest(
            run_key=f"{documented.name} {tick.isoformat()}",
            run_config={"resources": {"site": {"config": {"as_of": tick.isoformat()}}}},
            partition_key=partition_key(partitions, tick),
            tags=documented.tags,
        )

    return schedule


def _unfinished(instance: dg.DagsterInstance, documented: Entry) -> str | None:
    found = instance.get_runs(
        filters=dg.RunsFilter(tags={"waldur/entry": documented.name}, statuses=UNFINISHED), limit=1
    )
    return f"Run {found[0].run_id} of {documented.name} is {found[0].status.value.lower()} still." if found else None


def _unavailable(deployment: Deployment, documented: Entry) -> str | None:
    from waldur_dagster.availability import reason_not_to_run
    from waldur_dagster.site import Site, SiteUnreachable

    try:
        with Site(deployment) as site:
            return reason_not_to_run(site, documented.name)
    except SiteUnreachable as problem:
        return str(problem)
