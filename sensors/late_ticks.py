"""Ticks that could not run at their minute: tried again until the entry's next tick, and told (design section 4)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.definitions.selector import InstigatorSelector
from dagster._core.scheduler.instigation import InstigatorStatus, TickStatus

from assets.partitions import partition_key
from schedules.entry_schedule import TICK, TRIED_AGAIN, run_request, too_late
from schedules.predecessors import predecessor
from sensors.alerts import tell
from waldur_dagster import clock
from waldur_dagster.catalog import CATALOG, Entry, entry
from waldur_dagster.deployment import Deployment
from waldur_dagster.resources import NOT_BEGUN
from waldur_dagster.timetable import cron_of, next_tick

INTERVAL = 60
# A run that could not begin is followed by the next attempt after a pause, which doubles.
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
LOOKED_AT = 200  # runs that could not begin


@dataclass(frozen=True)
class Late:
    """A tick whose work was not begun; ``attempt`` is the number of its next run."""

    entry: Entry
    tick: datetime
    attempt: int = 1


def late_ticks_sensor(
    deployment: Deployment, jobs: Mapping[str, Any], partitions: Mapping[str, dg.PartitionsDefinition]
) -> dg.SensorDefinition:
    """Runs what the last tick of an entry could not: the database was away, the site incomplete, its lock taken."""

    @dg.sensor(
        name="late_ticks",
        jobs=list(jobs.values()),
        minimum_interval_seconds=INTERVAL,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tries ticks again that could not run at their minute, until the entry's next tick.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        late = [one for one in _late(context, jobs) if _is_still_due(deployment, one, partitions.get(one.entry.name))]
        told: dict[str, str] = json.loads(context.cursor or "{}")
        requests, held_up = [], {}
        for one in late:
            partition = partition_key(partitions.get(one.entry.name), one.tick)
            if reason := _held_up(context.instance, deployment, one.entry, partition):
                held_up[one.entry.name] = (one.tick.isoformat(), reason)
            else:
                requests.append(run_request(one.entry, one.tick, partition, attempt=one.attempt))
        news = {name: facts for name, facts in held_up.items() if told.get(name) != facts[0]}
        if news:
            _tell(context, deployment, news)
        waiting = {name: tick for name, (tick, _) in held_up.items()}
        reason = f"{len(waiting)} ticks wait: {', '.join(sorted(waiting))}." if waiting else "No tick is late."
        skip = None if requests else reason
        return dg.SensorResult(run_requests=requests, skip_reason=skip, cursor=json.dumps(waiting))

    return sensor


def _late(context: dg.SensorEvaluationContext, jobs: Mapping[str, Any]) -> Iterator[Late]:
    """The last tick of each schedule that is on, where nothing was begun for it."""
    late = _unbegun(context.instance) | _skipped(context, jobs)
    for name in jobs:
        if name in late:
            yield from _next_attempt(context.instance, entry(name), late[name])


def _skipped(context: dg.SensorEvaluationContext, jobs: Mapping[str, Any]) -> dict[str, datetime]:
    """The instants of the last ticks by entry that were skipped for reasons that may have gone away."""
    origin = context.code_location_origin
    location, repository = origin.location_name if origin else "", context.repository_name or ""
    selectors = {
        InstigatorSelector(
            location_name=location, repository_name=repository, name=entry(name).dagster_name
        ).get_id(): name
        for name in jobs
    }
    states = context.instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE)
    stopped = {one.selector_id for one in states if one.status == InstigatorStatus.STOPPED}
    last = context.instance.get_batch_ticks([*selectors.keys() - stopped], limit=1)
    return {
        selectors[selector]: datetime.fromtimestamp(tick.timestamp, UTC)
        for selector, ticks in last.items()
        for tick in ticks
        if tick.status == TickStatus.SKIPPED and (tick.skip_reason or "").endswith(TRIED_AGAIN)
    }


def _unbegun(instance: dg.DagsterInstance) -> dict[str, datetime]:
    """The newest tick by entry of which a run failed before it had done anything."""
    filters = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], tags={NOT_BEGUN: "true"})
    found: dict[str, datetime] = {}
    for run in instance.get_runs(filters, limit=LOOKED_AT):
        name, tick = run.tags.get("waldur/entry", ""), run.tags.get(TICK)
        if name in CATALOG and tick is not None:
            found[name] = max(found.get(name, datetime.min.replace(tzinfo=UTC)), datetime.fromisoformat(tick))
    return found


def _next_attempt(instance: dg.DagsterInstance, documented: Entry, tick: datetime) -> Iterator[Late]:
    """The next run of a tick, unless one has begun or waits, or the last failed a moment ago."""
    runs = [
        record
        for record in instance.get_run_records(dg.RunsFilter(tags={"waldur/entry": documented.name}), limit=LOOKED_AT)
        if TICK in record.dagster_run.tags and datetime.fromisoformat(record.dagster_run.tags[TICK]) == tick
    ]
    if any(NOT_BEGUN not in one.dagster_run.tags or not one.dagster_run.is_finished for one in runs):
        return
    if runs:
        ended = max(one.end_time or one.update_timestamp.timestamp() for one in runs)
        pause = min(FIRST_PAUSE * 2 ** (len(runs) - 1), LONGEST_PAUSE)
        if clock.now() < datetime.fromtimestamp(ended, UTC) + pause:
            return
    yield Late(documented, tick, len(runs) + 1)


def _is_still_due(deployment: Deployment, late: Late, partitions: dg.PartitionsDefinition | None) -> bool:
    cron = deployment.options(late.entry.name, late.entry.family).schedule or cron_of(late.entry)
    over = next_tick(cron, deployment.zone, late.tick) <= clock.now()
    return not over and too_late(partitions, late.tick) is None


def _held_up(
    instance: dg.DagsterInstance, deployment: Deployment, documented: Entry, partition: str | None
) -> str | None:
    from waldur_dagster.availability import reason_not_to_run
    from waldur_dagster.site import Site, SiteUnreachable

    try:
        with Site(deployment) as site:
            if reason := reason_not_to_run(site, documented.name):
                return reason
            run = predecessor(instance, site, documented.name, partition)
            return f"Run {run.run_id} does the same work." if run else None
    except SiteUnreachable as problem:
        return str(problem)


def _tell(context: dg.SensorEvaluationContext, deployment: Deployment, news: Mapping[str, tuple[str, str]]) -> None:
    lines = "\n".join(f"{name}, tick of {tick}: {reason}" for name, (tick, reason) in sorted(news.items()))
    entries = "1 entry" if len(news) == 1 else f"{len(news)} entries"
    tell(
        context.log,
        deployment,
        f"late {' '.join(f'{name} {tick}' for name, (tick, _) in sorted(news.items()))}",
        f"{entries} could not run",
        f"{lines}\n\nEach is tried again every minute until its next tick; you get no further mail about these ticks.",
    )
