"""Sensors: the outbox's leftovers, jobs that begin to fail and recover, ticks that were missed, runs that died, and
reports that refresh themselves."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from assets import asset_entries
from sensors.alerts import alert_sensors
from sensors.late_ticks import late_ticks_sensor
from sensors.lost_runs import lost_runs_sensor
from sensors.outbox import outbox_job, outbox_sensor
from sensors.reports import reports_sensor
from waldur_dagster.deployment import Deployment


def build_sensors(
    deployment: Deployment, jobs: Mapping[str, Any], partitions: Mapping[str, dg.PartitionsDefinition]
) -> list[dg.SensorDefinition]:
    """The sensors of a deployment; ``jobs`` and ``partitions`` are those of its entries."""
    return [
        outbox_sensor(deployment),
        lost_runs_sensor(deployment, asset_entries()),
        late_ticks_sensor(deployment, jobs, partitions),
        *alert_sensors(deployment),
        reports_sensor(deployment),
    ]


SENSOR_JOBS = [outbox_job]
__all__ = ["SENSOR_JOBS", "build_sensors"]
