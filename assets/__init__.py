"""Usage, invoices and quotas as Dagster assets, with their checks, and the reports that are made of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg

from assets import invoices, quotas, reports, sources, usage
from assets.checks import CHECKS
from assets.entry_asset import EntryAsset
from assets.partitions import days, months
from assets.tables import described
from waldur_dagster.deployment import Deployment

UTC, FIRST = ZoneInfo("UTC"), date(2020, 1, 1)  # of assets of which only the names are asked


@dataclass(frozen=True)
class AssetLayer:
    """Everything of the asset graph for one deployment.

    ``jobs`` are the asset jobs by the entry they implement, ``partitions`` the partitions of those that have some,
    ``dry_runs`` the jobs of their dry runs by the same names.
    """

    assets: list[Any]
    checks: list[dg.AssetChecksDefinition]
    jobs: dict[str, Any]
    dry_runs: dict[str, dg.JobDefinition]
    partitions: dict[str, dg.PartitionsDefinition]
    resources: dict[str, Any] = field(default_factory=dict)


def entry_assets(months: dg.PartitionsDefinition, days: dg.PartitionsDefinition) -> list[EntryAsset]:
    """The assets that implement an entry of the catalog."""
    return [*invoices.build(months), *usage.build(months), *quotas.build(days)]


@cache
def asset_entries() -> dict[str, str]:
    """The entries that assets implement, by the name of the asset."""
    made = entry_assets(months(UTC, FIRST), days(FIRST))
    return {asset.name: asset.entry for asset in made}


def build_assets(deployment: Deployment) -> AssetLayer:
    first = deployment.first_partition
    by_month, by_day = months(deployment.zone, first), days(first)
    made = entry_assets(by_month, by_day)
    return AssetLayer(
        assets=[
            *sources.build(deployment),
            *(asset.definition(deployment) for asset in made),
            described(quotas.POLICIES, deployment, source=[quotas.POLICIES_SOURCE]),
            *(report.definition(deployment) for report in reports.build(by_month, by_day)),
        ],
        checks=[check.definition() for check in CHECKS],
        jobs={asset.entry: asset.job() for asset in made},
        dry_runs={asset.entry: asset.dry_run(deployment) for asset in made},
        partitions={asset.entry: asset.partitions for asset in made if asset.partitions},
        resources={"parquet": parquet_folder(deployment)},
    )


def parquet_folder(deployment: Deployment) -> dg.IOManagerDefinition:
    """Where the reports are kept; made with its libraries in the runs that make reports."""

    @dg.io_manager
    def parquet(_: dg.InitResourceContext) -> dg.IOManager:
        from assets.parquet import ParquetIOManager

        return ParquetIOManager(deployment.reports)

    return parquet
