"""Mails when a job begins to fail and when it works again; not at every failure (design section 4)."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import dagster as dg

from waldur_dagster import clock
from waldur_dagster.deployment import Deployment
from waldur_dagster.resources import is_dry_run

INTERVAL = 60
FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
LOOKED_AT = 100  # finished runs; dry runs among them say nothing about the job
LONGEST_REASON = 500


def alert_sensors(deployment: Deployment) -> list[dg.SensorDefinition]:
    """The sensors of a deployment that names somebody to tell; none otherwise."""
    if not deployment.alerts.to:
        return []

    @dg.run_failure_sensor(
        name="alert_of_failure",
        minimum_interval_seconds=INTERVAL,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Mails when a job fails whose last run succeeded.",
    )
    def alert_of_failure(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
        run = context.dagster_run
        if is_dry_run(run) or _before(context.instance, run) == dg.DagsterRunStatus.FAILURE:
            return dg.SkipReason("A dry run, or it has failed before: that was told.")
        reasons = "\n".join(_reasons(context))
        _tell(context, deployment, f"{_subject(run)} fails", f"{reasons}\n\nYou get a mail again when it works.")
        return None

    @dg.run_status_sensor(
        run_status=dg.DagsterRunStatus.SUCCESS,
        name="alert_of_recovery",
        minimum_interval_seconds=INTERVAL,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Mails when a job succeeds whose last run failed.",
    )
    def alert_of_recovery(context: dg.RunStatusSensorContext) -> dg.SkipReason | None:
        run = context.dagster_run
        if is_dry_run(run) or _before(context.instance, run) != dg.DagsterRunStatus.FAILURE:
            return dg.SkipReason("A dry run, or it did not fail before.")
        _tell(context, deployment, f"{_subject(run)} works again", "Its last run failed, this one succeeded.")
        return None

    return [alert_of_failure, alert_of_recovery]


def _subject(run: dg.DagsterRun) -> str:
    """What a run is of: an entry of the catalog, assets, or a job of our own."""
    if name := run.tags.get("waldur/entry"):
        return name
    if run.asset_selection:
        return ", ".join(sorted(key.to_user_string() for key in run.asset_selection))
    return run.job_name


def _before(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRunStatus | None:
    """How the run of the same thing ended that was created before this one; None for the first."""
    older = instance.get_runs(
        filters=dg.RunsFilter(job_name=run.job_name, statuses=FINISHED), cursor=run.run_id, limit=LOOKED_AT
    )
    return next((one.status for one in older if _subject(one) == _subject(run) and not is_dry_run(one)), None)


def _reasons(context: dg.RunFailureSensorContext) -> Iterator[str]:
    """One line for each step that failed, else what Dagster says of the run."""
    steps = context.get_step_failure_events()
    if not steps:
        yield (context.failure_event.message or "")[:LONGEST_REASON]
    for event in steps:
        data = event.step_failure_data
        if data.user_failure_data is not None:
            yield f"{event.step_key}: {data.user_failure_data.description}"
        elif (error := data.error) is not None:
            while error.cause is not None:
                error = error.cause
            # The first line tells what went wrong; the lines below it may show rows of the site.
            yield f"{event.step_key}: {error.message.strip().partition(chr(10))[0][:LONGEST_REASON]}"


def _tell(context: dg.RunStatusSensorContext, deployment: Deployment, headline: str, text: str) -> None:
    run = context.dagster_run
    where = f"Dagster run: {run.run_id}\nJob: {run.job_name}"
    tell(context.log, deployment, run.run_id, headline, f"{text}\n\n{where}")


def tell(log: logging.Logger, deployment: Deployment, key: str, headline: str, text: str) -> None:
    """Put the mails into the outbox; send them at once when the very database is what is broken.

    ``key`` names the event: it is told once.
    """
    from waldur_dagster.outbox import Mail, put
    from waldur_dagster.outbox.migrate import is_current
    from waldur_dagster.outbox.senders import DeliveredInPart, NotDelivered, sender_for
    from waldur_dagster.site import Site, SiteUnreachable

    mails = [
        Mail(
            key=f"alert {key} {address}",
            to=(address,),
            subject=f"[{deployment.name}] {headline}",
            body=f"{headline}.\n\n{text}\n",
            from_address=deployment.settings["DEFAULT_FROM_EMAIL"],
        )
        for address in deployment.alerts.to
    ]
    try:
        with Site(deployment, run_id=key) as site:
            site.check()
            if is_current(site.engine):
                with site.work(f"alert {key}", clock.now()) as work:
                    put(work, mails)
                return
    except SiteUnreachable as problem:
        log.warning(f"{problem} The mails are sent without the outbox.")
    with sender_for("mail", deployment) as sender:
        for mail in mails:
            try:
                sender.ready(mail)
                sender.send(mail)
            except (NotDelivered, DeliveredInPart) as problem:
                log.error(f"{mail}: {problem}")
