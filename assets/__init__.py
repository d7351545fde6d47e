"""Usage, invoices and quotas as Dagster assets, with their checks, and the reports that are made of them."""

from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg

from assets import (
    cost_report,
    credit_checks,
    invoice_checks,
    invoices,
    quota_checks,
    quota_reports,
    quotas,
    usage,
    usage_checks,
    usage_report,
)
from assets.entry_asset import entry_asset_job, entry_of
from assets.parquet import ParquetIOManager
from assets.partitions import days, months
from assets.sources import SOURCES
from waldur_dagster.deployment import Deployment

UTC = ZoneInfo("UTC")


@dataclass(frozen=True)
class AssetLayer:
    """Everything of the asset graph for one deployment.

    ``jobs`` are the asset jobs by the entry they implement, ``partitions`` the partitions of those that have some.
    """

    assets: list[Any]
    checks: list[dg.AssetChecksDefinition]
    jobs: dict[str, Any]
    partitions: dict[str, dg.PartitionsDefinition]
    resources: dict[str, Any] = field(default_factory=dict)


def entry_assets(zone: ZoneInfo) -> list[dg.AssetsDefinition]:
    """The assets that implement an entry of the catalog."""
    return [*invoices.build(months(zone)), *usage.build(months(zone)), *quotas.build(days())]


def asset_jobs(zone: ZoneInfo = UTC) -> dict[str, Any]:
    """The asset jobs by the entry that each implements."""
    return {entry_of(asset): entry_asset_job(asset) for asset in entry_assets(zone)}


def build_assets(deployment: Deployment) -> AssetLayer:
    made = entry_assets(deployment.zone)
    reports = [
        cost_report.build(months(deployment.zone)),
        usage_report.build(months(deployment.zone)),
        *quota_reports.build(days()),
    ]
    return AssetLayer(
        assets=[*SOURCES, *made, quotas.POLICIES, *reports],
        checks=[*invoice_checks.build(), *credit_checks.build(), *usage_checks.build(), *quota_checks.build()],
        jobs=asset_jobs(deployment.zone),
        partitions={entry_of(asset): asset.partitions_def for asset in made if asset.partitions_def},
        resources={"parquet": ParquetIOManager(deployment.reports)},
    )
