"""Runs that died with their host: found by the lock that they no longer hold, marked as failed, told by the alerts."""

from __future__ import annotations

import json
from collections.abc import Iterable

import dagster as dg

from schedules.predecessors import is_expected
from waldur_dagster.deployment import Deployment

INTERVAL = 60
AT_WORK = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
LOST = (
    "The run holds its lock on Waldur's database no longer and has not ended: its process has died, perhaps with its "
    "host. What it had committed is kept; the next tick goes on."
)


def lost_runs_sensor(deployment: Deployment, assets: Iterable[str]) -> dg.SensorDefinition:
    """Marks a run of an entry as failed that had no lock at two looks in a row; ``assets`` are those of entries.

    A run that ends frees its lock a moment before Dagster is told, therefore two looks.
    """
    ours = set(assets)

    @dg.sensor(
        name="lost_runs",
        minimum_interval_seconds=INTERVAL,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Marks runs as failed that died with their host.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        started = {
            one.dagster_run.run_id: one.dagster_run
            for one in context.instance.get_run_records(dg.RunsFilter(statuses=AT_WORK))
            if not is_expected(one) and _is_of(one.dagster_run, context, ours)
        }
        from waldur_dagster.site import Site, SiteUnreachable

        try:
            with Site(deployment) as site:
                lockless = started.keys() - (site.at_work(started) if started else set())
        except SiteUnreachable as problem:
            return dg.SkipReason(str(problem))
        lost = lockless & set(json.loads(context.cursor or "[]"))
        for run_id in lost:
            run = context.instance.get_run_by_id(run_id)
            if run is not None and run.status in AT_WORK:
                context.instance.report_run_failed(run, LOST)
        context.update_cursor(json.dumps(sorted(lockless - lost)))
        return dg.SkipReason(f"{len(started)} runs at work, {len(lost)} lost.")

    return sensor


def _is_of(run: dg.DagsterRun, context: dg.SensorEvaluationContext, assets: set[str]) -> bool:
    """Whether a run is of an entry, and of this code location: another one may serve another site."""
    here, origin = context.code_location_origin, run.remote_job_origin
    if here is not None and origin is not None and origin.location_name != here.location_name:
        return False
    made = {key.to_user_string() for key in run.asset_selection or ()}
    return "waldur/entry" in run.tags or bool(made & assets)
