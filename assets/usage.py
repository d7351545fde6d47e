"""What was used in each month, summed by category (spec quotas, waldur-marketplace-calculate-usage)."""

import dagster as dg

from assets.entry_asset import EntryAsset, Step
from waldur_dagster.functions import Function


def build(months: dg.PartitionsDefinition[str]) -> list[EntryAsset]:
    do = Function("waldur_dagster.marketplace.category_usage:total_usage")
    return [
        EntryAsset(
            "category_component_usage",
            "waldur-marketplace-calculate-usage",
            "usage",
            steps=(Step(do, of="month", of_present=True),),
            deps=("remote_usage",),
            tables=("marketplace_componentusage", "marketplace_resourceplanperiod", "marketplace_plancomponent"),
            partitions=months,
            table="marketplace_categorycomponentusage",
            figures=Function("assets.figures:of_usage"),
        ),
        EntryAsset(
            "remote_usage",
            "waldur-remote-pull-usage",
            "usage",
            steps=(
                Step(
                    Function("waldur_dagster.remote.usage:pull_usage"), of="month", of_present=True, item_by_item=True
                ),
            ),
            tables=("remote_offerings",),
            partitions=months,
            table="marketplace_componentusage",
        ),
    ]
