"""What was used in each month, summed by category (spec quotas, waldur-marketplace-calculate-usage)."""

import dagster as dg

from assets.entry_asset import entry_asset, of_month
from assets.sources import source
from waldur_dagster.marketplace.category_usage import ENTRY, total_usage

READ = ("marketplace_componentusage", "marketplace_resourceplanperiod", "marketplace_plancomponent")


def build(partitions: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    totals = entry_asset(
        "category_component_usage",
        ENTRY,
        of_month(total_usage),
        group="usage",
        deps=[source(table) for table in READ],
        partitions=partitions,
        of_present=True,
    )
    return [totals]
