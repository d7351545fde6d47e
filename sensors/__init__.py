"""Sensors: the outbox's leftovers, jobs that begin to fail and recover, reports that refresh themselves."""

import dagster as dg

from sensors.alerts import alert_sensors
from sensors.outbox import outbox_job, outbox_sensor
from sensors.reports import reports_sensor
from waldur_dagster.deployment import Deployment


def build_sensors(deployment: Deployment) -> list[dg.SensorDefinition]:
    return [outbox_sensor(deployment), *alert_sensors(deployment), reports_sensor(deployment)]


SENSOR_JOBS = [outbox_job]
__all__ = ["SENSOR_JOBS", "build_sensors"]
