"""Usage, invoices and quotas as Dagster assets, with their checks, and the reports that are made of them."""

from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from assets import cost_report, invoice_checks, invoices
from assets.parquet import ParquetIOManager
from assets.partitions import months
from assets.sources import SOURCES
from waldur_dagster.deployment import Deployment


@dataclass(frozen=True)
class AssetLayer:
    """Everything of the asset graph for one deployment; ``jobs`` are the asset jobs by the entry they implement."""

    assets: list[Any]
    checks: list[dg.AssetChecksDefinition]
    jobs: dict[str, Any]
    resources: dict[str, Any] = field(default_factory=dict)


def asset_jobs() -> dict[str, Any]:
    """The asset jobs by the entry that each implements."""
    return invoices.jobs()


def build_assets(deployment: Deployment) -> AssetLayer:
    partitions = months(deployment.zone)
    invoice_assets = invoices.build(partitions)
    report = cost_report.build(partitions)
    return AssetLayer(
        assets=[*SOURCES, *invoice_assets, report],
        checks=invoice_checks.build(),
        jobs=asset_jobs(),
        resources={"parquet": ParquetIOManager(deployment.reports)},
    )
