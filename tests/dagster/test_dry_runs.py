"""A dry run of an asset's job leaves no trace of the asset: as its own job, and as an option in the Launchpad."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest
import yaml
from dagster._config.snap import ConfigSchemaSnapshot
from dagster._core.remote_representation.external_data import JobDataSnap
from dagster._core.snap.snap_to_yaml import default_values_yaml_from_type_snap
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from tests.dagster.runs import APRIL, billable, execute, figures
from tests.scene import Scene
from waldur_dagster.catalog import entry
from waldur_dagster.definitions import build_definitions
from waldur_dagster.resources import is_dry_run
from waldur_dagster.schema import invoices

BILLING, TOTALS, QUOTAS = "waldur-create-invoices", "update-invoices-total-cost", "update-standard-quotas"
INVOICES = dg.AssetKey("invoices")
ASSET_EVENTS = {
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.ASSET_OBSERVATION,
}
PLANNED = {
    dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED,
}


@pytest.fixture
def site(scene: Scene) -> Iterator[Scene]:
    """A site with something to bill in April."""
    billable(scene)
    yield scene
    assert scene.rows(invoices.invoice) == scene.rows(invoices.invoiceitem) == []


def _dry_run(name: str) -> str:
    return f"{entry(name).dagster_name}_dry_run"


def _told(instance: dg.DagsterInstance, run_id: str) -> set[dg.DagsterEventType]:
    return {record.get_dagster_event().event_type for record in instance.all_logs(run_id) if record.dagster_event}


def _green(scene: Scene, instance: dg.DagsterInstance) -> tuple[set[str], set[str]]:
    """The months of the invoices that the UI shows as filled, and as failed."""
    months = build_definitions(scene.deployment()).resolve_asset_graph().get(INVOICES).partitions_def
    status = get_and_update_asset_status_cache_value(instance, INVOICES, months)
    if status is None or months is None:
        return set(), set()
    filled, failed = (
        status.deserialize_materialized_partition_subsets(months),
        status.deserialize_failed_partition_subsets(months),
    )
    return set(filled.get_partition_keys()), set(failed.get_partition_keys())


def _requested(scene: Scene, instance: dg.DagsterInstance) -> int:
    """How many reports the automation would make now."""
    definitions = build_definitions(scene.deployment())
    return dg.evaluate_automation_conditions(
        definitions, instance, asset_selection=dg.AssetSelection.groups("reports")
    ).total_requested


def test_the_job_of_a_dry_run_tells_what_would_be_done_and_knows_no_asset(
    site: Scene, instance: dg.DagsterInstance
) -> None:
    result = execute(site.deployment(), _dry_run(BILLING), instance, partition=APRIL)
    assert result.success
    told = figures(result)
    assert (told["dry run"], told["invoices"], told["invoices_invoiceitem inserted"]) == (True, 1, 1)
    assert not _told(instance, result.run_id) & (ASSET_EVENTS | PLANNED)
    assert _green(site, instance) == (set(), set())
    run = instance.get_run_by_id(result.run_id)
    assert run is not None and is_dry_run(run)


@pytest.mark.parametrize("name", [BILLING, TOTALS, QUOTAS])
def test_the_option_dry_run_of_an_asset_job_materializes_nothing_and_records_no_check(
    site: Scene, instance: dg.DagsterInstance, name: str
) -> None:
    partition = None if name == QUOTAS else APRIL
    result = execute(site.deployment(), name, instance, partition=partition, dry_run=True)
    assert result.success
    assert not _told(instance, result.run_id) & ASSET_EVENTS
    assert _green(site, instance) == (set(), set())


def test_a_dry_run_starts_no_report(site: Scene, instance: dg.DagsterInstance) -> None:
    deployment = site.deployment()
    assert execute(deployment, _dry_run(BILLING), instance, partition=APRIL).success
    assert execute(deployment, BILLING, instance, partition=APRIL, dry_run=True).success
    assert _requested(site, instance) == 0
    everything = execute(
        deployment, "", instance, assets=["invoices", "cost_report"], partition=APRIL, dry_run=True, deliver=False
    )
    assert everything.success and not _told(instance, everything.run_id) & ASSET_EVENTS


def test_a_real_run_does_all_that_and_its_asset_has_the_runs_whole_figures(
    scene: Scene, instance: dg.DagsterInstance
) -> None:
    customer = billable(scene)
    scene.invoice(customer, 2025, 3)
    result = execute(scene.deployment(), BILLING, instance, partition=APRIL)
    assert _told(instance, result.run_id) >= ASSET_EVENTS - {dg.DagsterEventType.ASSET_OBSERVATION} | PLANNED
    assert _green(scene, instance) == ({APRIL}, set())
    (materialized,) = result.get_asset_materialization_events()
    metadata = materialized.step_materialization_data.materialization.metadata
    told = {name: value.value for name, value in metadata.items()}
    wanted = {
        "month": "2025-04",
        "invoices": 1,
        "invoices that are closed": 0,
        "items": 1,
        "price without VAT": 10.0,
        "total with VAT": 12.0,
        "invoices closed": 1,
        "invoices_invoice inserted": 1,
        "dagster/partition_row_count": 1,
        "dagster/row_count": 2,
    }
    assert {name: told[name] for name in wanted} == wanted


def test_every_asset_of_an_entry_has_the_job_of_its_dry_run_and_only_registered_ones(scene: Scene) -> None:
    off = {"entries": {BILLING: {"registered": False}}}
    for document, expected in (({}, True), (off, False)):
        jobs = {
            job.name: job for job in build_definitions(scene.deployment(**document)).get_repository_def().get_all_jobs()
        }
        assert (_dry_run(BILLING) in jobs) is expected
        assert (entry(BILLING).dagster_name in jobs) is expected
        for name, job in jobs.items():
            if job.asset_layer.executable_asset_keys and "waldur/entry" in job.tags:
                assert f"{name}_dry_run" in jobs and f"{name}_dry_run" in str(job.description)


def test_the_launchpad_shows_the_options_of_every_job(scene: Scene) -> None:
    repository = build_definitions(scene.deployment()).get_repository_def()
    jobs = [job for job in repository.get_all_jobs() if "waldur/entry" in job.tags]
    assert any(job.asset_layer.executable_asset_keys for job in jobs)
    for job in (*jobs, repository.get_implicit_global_asset_job_def()):
        shown = yaml.safe_load(_root_default_yaml(job))["resources"]["site"]["config"]
        options = {"as_of": ""} if job.name.endswith("_dry_run") else {"as_of": "", "deliver": True, "dry_run": False}
        assert shown == options, job.name


def _root_default_yaml(job: dg.JobDefinition) -> str:
    """What the Launchpad begins with."""
    data = JobDataSnap.from_job_def(job, include_parent_snapshot=False)
    schema: ConfigSchemaSnapshot = data.job.config_schema_snapshot
    root = data.job.mode_def_snaps[0].root_config_key
    assert root is not None
    return str(default_values_yaml_from_type_snap(schema, schema.get_config_snap(root)))


def test_an_empty_as_of_is_the_present(scene: Scene, instance: dg.DagsterInstance) -> None:
    assert execute(scene.deployment(), QUOTAS, instance, as_of="").success
