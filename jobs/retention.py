"""The program's own housekeeping, beside the entries of Waldur's: what is too old is removed."""

import dagster as dg

from waldur_dagster import clock
from waldur_dagster.deployment import Deployment

NAME = "remove_old_history"
AT_NIGHT = "30 5 * * *"


def retention_job(deployment: Deployment) -> dg.JobDefinition:
    """The job that removes old runs, events, ticks and report files, as ``[retention]`` of the deployment file says."""

    @dg.op(name="forget", description="Remove what is older than the deployment file says.", out=dg.Out(dg.Nothing))
    def forget(context: dg.OpExecutionContext) -> None:
        from waldur_dagster.retention import forget_history, forget_reports

        options = deployment.retention
        removed = forget_history(context.instance, options, clock.now(), context.log.info)
        removed["report files"] = forget_reports(deployment.reports, options.reports_days)
        context.add_output_metadata({f"{kind} removed": count for kind, count in removed.items()})

    @dg.job(name=NAME, description="Removes old runs, events, ticks and report files.")
    def job() -> None:
        forget()

    return job


def retention_schedule(deployment: Deployment, job: dg.JobDefinition) -> dg.ScheduleDefinition:
    """Every night, where the deployment file has ``[retention]``; else it waits until somebody switches it on."""
    on = "retention" in deployment.model_fields_set
    return dg.ScheduleDefinition(
        name=NAME,
        job=job,
        cron_schedule=AT_NIGHT,
        execution_timezone=deployment.zone.key,
        default_status=dg.DefaultScheduleStatus.RUNNING if on else dg.DefaultScheduleStatus.STOPPED,
    )
