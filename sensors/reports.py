"""Reports that refresh themselves when what they are made of has changed."""

import dagster as dg

from waldur_dagster.deployment import Deployment

NAME = "refresh_reports"


def reports_sensor(deployment: Deployment) -> dg.AutomationConditionSensorDefinition:
    """The sensor behind the reports' automation condition; it runs by default where the deployment file says so."""
    on, off = dg.DefaultSensorStatus.RUNNING, dg.DefaultSensorStatus.STOPPED
    return dg.AutomationConditionSensorDefinition(
        NAME,
        target=dg.AssetSelection.groups("reports"),
        default_status=on if deployment.refresh_reports else off,
        description="Makes reports anew when what they read has changed (refresh_reports in the deployment file).",
    )
