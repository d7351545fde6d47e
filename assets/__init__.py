"""Usage, invoices and quotas as Dagster assets, with their checks, and the reports that are made of them."""

from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg

from assets import (
    cost_report,
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

UTC, FIRST = ZoneInfo("UTC"), date(2020, 1, 1)  # of assets of which only the names are asked


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


def entry_assets(months: dg.PartitionsDefinition, days: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    """The assets that implement an entry of the catalog."""
    return [*invoices.build(months), *usage.build(months), *quotas.build(days)]


@cache
def asset_entries() -> dict[str, str]:
    """The entries that assets implement, by the name of the asset."""
    made = entry_assets(months(UTC, FIRST), days(FIRST))
    return {asset.key.to_user_string(): entry_of(asset) for asset in made}


def build_assets(deployment: Deployment) -> AssetLayer:
    first = deployment.first_partition
    by_month, by_day = months(deployment.zone, first), days(first)
    made = entry_assets(by_month, by_day)
    reports = [cost_report.build(by_month), usage_report.build(by_month), *quota_reports.build(by_day)]
    return AssetLayer(
        assets=[*SOURCES, *made, quotas.POLICIES, *reports],
        checks=[*invoice_checks.build(), *usage_checks.build(), *quota_checks.build()],
        jobs={entry_of(asset): entry_asset_job(asset) for asset in made},
        partitions={entry_of(asset): asset.partitions_def for asset in made if asset.partitions_def},
        resources={"parquet": ParquetIOManager(deployment.reports)},
    )
