"""Running a deployment's jobs as Dagster does, and reading what a run told."""

from __future__ import annotations

from functools import cache
from typing import Any

import dagster as dg

from tests.scene import Scene
from waldur_dagster.catalog import entry
from waldur_dagster.definitions import build_definitions
from waldur_dagster.deployment import Deployment

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
APRIL, APRIL_START = "2025-04-01", "2025-04-01T00:00:00+00:00"


@cache
def passing_instance() -> dg.DagsterInstance:
    """An instance in memory for runs of which nothing is looked up afterwards; making one costs as much as a run."""
    return dg.DagsterInstance.ephemeral()


def execute(
    deployment: Deployment,
    name: str,
    instance: dg.DagsterInstance,
    *,
    partition: str | None = None,
    assets: list[str] | None = None,
    tags: dict[str, str] | None = None,
    **options: Any,
) -> dg.ExecuteInProcessResult:
    """Run the job of an entry, or another job by its own name; ``options`` are those that every job has."""
    definitions = build_definitions(deployment)
    if assets is not None:
        job = definitions.resolve_implicit_global_asset_job_def()
    else:
        job = definitions.resolve_job_def(entry(name).dagster_name if "-" in name else name)
    return job.execute_in_process(
        instance=instance,
        partition_key=partition,
        asset_selection=None if assets is None else [dg.AssetKey(asset) for asset in assets],
        run_config=QUIET | {"resources": {"site": {"config": options}}},
        tags=tags,
        raise_on_error=False,
    )


def check_only(
    deployment: Deployment, asset: str, name: str, instance: dg.DagsterInstance
) -> dg.ExecuteInProcessResult:
    """Run a check on an asset as it is, without making the asset."""
    job = build_definitions(deployment).resolve_implicit_global_asset_job_def()
    only = job.get_subset(asset_selection=set(), asset_check_selection={dg.AssetCheckKey(dg.AssetKey(asset), name)})
    return only.execute_in_process(instance=instance, run_config=QUIET, raise_on_error=False)


def troubles(result: dg.ExecuteInProcessResult) -> str:
    """All error texts of a run, causes included."""
    data = [event.event_specific_data for event in result.all_events]
    return "\n".join(error.to_string() for one in data if (error := getattr(one, "error", None)) is not None)


def figures(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """The metadata of all outputs of a run together."""
    found: dict[str, Any] = {}
    for event in result.all_events:
        if event.event_type == dg.DagsterEventType.STEP_OUTPUT:
            found |= {name: value.value for name, value in event.step_output_data.metadata.items()}
    return found


def billable(scene: Scene, **values: Any) -> int:
    """A customer with one resource of ten a month; returns the customer."""
    customer = scene.customer(**({"default_tax_percent": 20} | values))
    offering = scene.offering(scene.customer("Provider", archived=True), "Machines")
    plan = scene.plan(offering)
    scene.price(plan, scene.component(offering), 10, amount=1)
    scene.resource(scene.project(customer), offering, plan)
    return customer
