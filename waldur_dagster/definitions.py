"""The front door: everything that Dagster sees of a deployment."""

import dagster as dg

from assets import asset_entries, build_assets
from jobs import OPERATIONAL_JOBS
from jobs.retention import retention_job, retention_schedule
from schedules import build_schedules
from sensors import SENSOR_JOBS, build_sensors
from waldur_dagster.catalog import entry
from waldur_dagster.deployment import Deployment, load_deployment
from waldur_dagster.resources import site_resource


def build_definitions(deployment: Deployment) -> dg.Definitions:
    """The code location of one deployment. Entries that the file leaves out have no job and no schedule."""
    layer = build_assets(deployment)
    implemented = OPERATIONAL_JOBS | layer.jobs
    registered = {
        name: job for name, job in implemented.items() if deployment.options(name, entry(name).family).registered
    }
    housekeeping = retention_job(deployment)
    return dg.Definitions(
        assets=layer.assets,
        asset_checks=layer.checks,
        jobs=[*registered.values(), *SENSOR_JOBS, housekeeping],
        schedules=[
            *build_schedules(deployment, registered, layer.partitions),
            retention_schedule(deployment, housekeeping),
        ],
        sensors=build_sensors(deployment, registered, layer.partitions),
        resources={"site": site_resource(deployment), **layer.resources},
        # All steps of a run in one process: they share the lock of their entry, and in a dry run one transaction.
        executor=dg.in_process_executor,
    )


def implemented_entries() -> set[str]:
    """Names of the catalog entries that have a job."""
    return {*OPERATIONAL_JOBS, *asset_entries().values()}


def __getattr__(name: str) -> dg.Definitions:
    """``defs`` is made when Dagster asks for it, so that importing this module needs no deployment."""
    if name == "defs":
        return build_definitions(load_deployment())
    raise AttributeError(name)
