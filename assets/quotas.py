"""The quotas as they are, and their history day by day (spec quotas)."""

import dagster as dg

from assets.entry_asset import EntryAsset, Step
from assets.tables import key_of
from waldur_dagster.functions import Function

GROUP = "quotas"
COUNTED = ("structure_customer", "structure_project", "marketplace_order", "plugin_resources", "quotas_quotausage")
COUNTED_OWN_WAY = ("permissions_userrole", "marketplace_offering", "quotas_quotausage")
RECOUNT = "waldur_dagster.quotas.recount"
QUOTA_FIGURES = Function("assets.figures:of_quotas")

# Not a step of the graph: check-polices evaluates them, and so does the billing.
POLICIES = dg.AssetSpec(
    "policies",
    description="Limits on cost and usage, and whether they are exceeded.",
    deps=["invoices", key_of("marketplace_componentusage")],
    group_name=GROUP,
    kinds={"postgresql"},
)
POLICIES_SOURCE = Function("waldur_dagster.policies.evaluation:check_policies")


def build(days: dg.PartitionsDefinition[str]) -> list[EntryAsset]:
    return [
        EntryAsset(
            "standard_quotas",
            "update-standard-quotas",
            GROUP,
            steps=(Step(Function(f"{RECOUNT}:recount_standard_quotas")),),
            tables=COUNTED,
            table="quotas_quotausage",
            figures=QUOTA_FIGURES,
        ),
        EntryAsset(
            "custom_quotas",
            "update-custom-quotas",
            GROUP,
            steps=(Step(Function(f"{RECOUNT}:recount_custom_quotas")),),
            tables=COUNTED_OWN_WAY,
            table="quotas_quotausage",
            figures=QUOTA_FIGURES,
        ),
        EntryAsset(
            "tenant_quotas",
            "openstack-tenant-pull-quotas",
            GROUP,
            steps=(Step(Function("waldur_dagster.openstack.quotas:pull_quotas"), item_by_item=True),),
            tables=("openstack_tenant",),
            table="quotas_quotalimit",
        ),
        EntryAsset(
            "daily_quotas",
            "waldur-sync-daily-quotas",
            GROUP,
            steps=(Step(Function("waldur_dagster.quotas.daily_history:keep_daily_quotas"), of="day", of_present=True),),
            deps=("standard_quotas", "custom_quotas", "tenant_quotas"),
            partitions=days,
            table="analytics_dailyquotahistory",
            figures=Function("assets.figures:of_daily_quotas"),
        ),
    ]
