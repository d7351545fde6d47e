"""Delivery of what a run could not deliver itself: it crashed, or the outside system was down."""

from datetime import UTC

import dagster as dg

from waldur_dagster.deployment import Deployment
from waldur_dagster.resources import RunSite, delivery_metadata
from waldur_dagster.rounds import LONGEST_ROUND

INTERVAL = 60
# The lock by which one delivery of the sensor's is at work at a time.
LOCK = "outbox"
# Seconds; a round, with the message that is being sent at its end, takes less.
LONGEST_RUN = round(2 * LONGEST_ROUND)


@dg.op(required_resource_keys={"site"}, out=dg.Out(dg.Nothing))
def deliver_outbox(context: dg.OpExecutionContext) -> None:
    """Send every message that is due; what fails waits for its next attempt. Old ones are forgotten."""
    from waldur_dagster.outbox.delivery import backlog, deliver
    from waldur_dagster.outbox.operating import forget
    from waldur_dagster.site import AlreadyRunning

    run_site: RunSite = context.resources.site
    if run_site.dry_run:
        found = backlog(run_site.site.engine, run_site.deployment)
        context.log.info(f"{found.due} messages are due; a dry run sends none.")
        return
    try:
        run_site.site.hold(LOCK)
    except AlreadyRunning:
        context.log.info("Another delivery is at work; this one leaves it to that.")
        return
    delivered = deliver(run_site.site.engine, run_site.deployment)
    context.add_output_metadata(delivery_metadata(delivered))
    for finding in delivered.findings():
        context.log.warning(finding)
    if forgotten := forget(run_site.site.engine, run_site.deployment.outbox):
        context.log.info(f"Forgot what {forgotten} old messages said.")


@dg.job(description="Sends what waits in the outbox.", tags={"dagster/max_runtime": str(LONGEST_RUN)})
def deliver_waiting_messages() -> None:
    deliver_outbox()


outbox_job = deliver_waiting_messages


def outbox_sensor(deployment: Deployment) -> dg.SensorDefinition:
    """Starts a delivery when messages are due and no other is at work."""

    @dg.sensor(
        name="outbox",
        job=deliver_waiting_messages,
        minimum_interval_seconds=INTERVAL,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Delivers mails, web hooks and hand-overs that are due.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        from waldur_dagster.availability.rights import lacking_rights
        from waldur_dagster.outbox.delivery import backlog
        from waldur_dagster.outbox.migrate import NO_OUTBOX, is_current
        from waldur_dagster.outbox.operating import is_anything_to_forget
        from waldur_dagster.site import AlreadyRunning, Site, SiteUnreachable

        try:
            with Site(deployment) as site:
                site.check()
                if lacking := lacking_rights(site, (), {}):
                    return dg.SkipReason(f"The site lacks {'; '.join(lacking)}.")
                if not is_current(site.engine):
                    return dg.SkipReason(NO_OUTBOX)
                site.hold(LOCK)
                found = backlog(site.engine, deployment)
                if not found.due and not is_anything_to_forget(site.engine, deployment.outbox):
                    return dg.SkipReason(f"Nothing waits.{found.foreign_words}")
        except (SiteUnreachable, AlreadyRunning) as problem:
            return dg.SkipReason(str(problem))
        oldest = {} if found.oldest is None else {"waldur/oldest": found.oldest.astimezone(UTC).isoformat()}
        return dg.RunRequest(run_key=None, tags=oldest)

    return sensor
