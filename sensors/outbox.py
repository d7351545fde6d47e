"""Delivery of what a run could not deliver itself: it crashed, or the outside system was down."""

from datetime import UTC

import dagster as dg

from waldur_dagster.deployment import Deployment
from waldur_dagster.resources import RunSite

INTERVAL = 60


@dg.op(required_resource_keys={"site"}, out=dg.Out(dg.Nothing))
def deliver_outbox(context: dg.OpExecutionContext) -> None:
    """Send every message that is due; what fails waits for its next attempt."""
    from waldur_dagster.outbox.delivery import deliver

    run_site: RunSite = context.resources.site
    delivered = deliver(run_site.site.engine, run_site.deployment)
    context.add_output_metadata(
        {f"{kind} sent": count for kind, count in delivered.sent.items()} | {"not delivered": len(delivered.failed)}
    )
    for key, reason in delivered.failed:
        context.log.warning(f"{key}: {reason}")


@dg.job(description="Sends what waits in the outbox.")
def deliver_waiting_messages() -> None:
    deliver_outbox()


outbox_job = deliver_waiting_messages


def outbox_sensor(deployment: Deployment) -> dg.SensorDefinition:
    """Starts a delivery when messages are due; several deliverers at once do no harm."""

    @dg.sensor(
        name="outbox",
        job=deliver_waiting_messages,
        minimum_interval_seconds=INTERVAL,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Delivers mails, web hooks and hand-overs that are due.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        from waldur_dagster.outbox.delivery import waiting_since
        from waldur_dagster.outbox.migrate import NO_OUTBOX, is_current
        from waldur_dagster.site import Site, SiteUnreachable

        try:
            with Site(deployment) as site:
                site.check()
                if not is_current(site.engine):
                    return dg.SkipReason(NO_OUTBOX)
                count, oldest = waiting_since(site.engine, deployment)
        except SiteUnreachable as problem:
            return dg.SkipReason(str(problem))
        if not count or oldest is None:
            return dg.SkipReason("Nothing waits.")
        return dg.RunRequest(run_key=None, tags={"waldur/oldest": oldest.astimezone(UTC).isoformat()})

    return sensor
