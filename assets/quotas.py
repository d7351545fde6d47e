"""The quotas as they are, and their history day by day (spec quotas)."""

import dagster as dg

from assets.entry_asset import entry_asset
from assets.sources import source
from waldur_dagster.quotas import daily_history, recount

GROUP = "quotas"
COUNTED = ("structure_customer", "structure_project", "marketplace_order", "plugin_resources", "quotas_quotausage")
COUNTED_OWN_WAY = ("permissions_userrole", "marketplace_offering", "quotas_quotausage")


# Not a step of the graph: check-polices evaluates them, and so does the billing.
POLICIES = dg.AssetSpec(
    "policies",
    description="Limits on cost and usage, and whether they are exceeded.",
    deps=["invoices", source("marketplace_componentusage")],
    group_name=GROUP,
    kinds={"postgresql"},
)


def build(days: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    return [
        entry_asset(
            "standard_quotas",
            recount.STANDARD,
            lambda work, _: recount.recount_standard_quotas(work),
            group=GROUP,
            deps=[source(table) for table in COUNTED],
        ),
        entry_asset(
            "custom_quotas",
            recount.CUSTOM,
            lambda work, _: recount.recount_custom_quotas(work),
            group=GROUP,
            deps=[source(table) for table in COUNTED_OWN_WAY],
        ),
        entry_asset(
            "daily_quotas",
            daily_history.ENTRY,
            lambda work, site: daily_history.keep_daily_quotas(work, site.day),
            group=GROUP,
            deps=["standard_quotas", "custom_quotas"],
            partitions=days,
            of_present=True,
        ),
    ]
