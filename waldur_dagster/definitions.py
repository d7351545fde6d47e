"""The front door: everything that Dagster sees of a deployment."""

import gc
import warnings

import dagster as dg

from assets import asset_entries, build_assets
from jobs import OPERATIONAL_JOBS
from jobs.retention import retention_job, retention_schedule
from schedules import build_schedules
from sensors import SENSOR_JOBS, build_sensors
from waldur_dagster.catalog import CATALOG, entry
from waldur_dagster.deployment import Deployment, load_deployment
from waldur_dagster.resources import site_resource


def build_definitions(deployment: Deployment) -> dg.Definitions:
    """The code location of one deployment. Entries that the file leaves out have no job and no schedule."""
    # Code references, and what Dagster sets of its own accord; the tests tell when one of them changes.
    warnings.filterwarnings("ignore", category=dg.BetaWarning)
    layer = build_assets(deployment)
    implemented = OPERATIONAL_JOBS | layer.jobs
    registered = {name: job for name, job in implemented.items() if is_registered(deployment, name)}
    dry_runs = [job for name, job in layer.dry_runs.items() if name in registered]
    housekeeping = retention_job(deployment)
    return dg.Definitions(
        assets=layer.assets,
        asset_checks=layer.checks,
        jobs=[*registered.values(), *dry_runs, *SENSOR_JOBS, housekeeping],
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
    return {*OPERATIONAL_JOBS, *asset_entries().values()} & CATALOG.keys()


def is_registered(deployment: Deployment, name: str) -> bool:
    """Whether the deployment file wants an entry here."""
    return bool(deployment.options(name, entry(name).family).registered)


_built: list[tuple[Deployment, dg.Definitions]] = []


@dg.definitions
def defs() -> dg.Definitions:
    """What Dagster loads: the deployment is read when Dagster asks, so that importing this module needs none.

    Dagster asks several times in a run; what was built of a deployment serves again.
    """
    deployment = load_deployment()
    if not _built or _built[0][0] != deployment:
        _built[:] = [(deployment, build_definitions(deployment))]
        gc.freeze()  # all this stays as long as the process: no collection has to look through it again
    return _built[0][1]
