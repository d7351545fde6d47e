"""Waldur's own tables that the assets are made of: they are somebody else's, and the lineage begins at them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from assets.tables import described, key_of

if TYPE_CHECKING:
    from waldur_dagster.deployment import Deployment

BILLING_TABLES = {
    "structure_customer": "Organizations: who is billed, at what tax rate.",
    "structure_project": "Projects of organizations; removed ones are billed as well.",
    "marketplace_resource": "What is sold: plan, limits and state of every resource.",
    "marketplace_plancomponent": "Prices of plans, and those announced for next month.",
    "marketplace_componentusage": "What was used, as reported by month.",
    "invoices_customercredit": "What organizations have paid in advance.",
    "invoices_paymentprofile": "How organizations pay; contracts with a fixed price.",
    "promotions_discountedresource": "Resources that take part in a campaign.",
}
QUOTA_TABLES = {
    "marketplace_resourceplanperiod": "Which plan a resource had, from when until when.",
    "marketplace_offering": "What is offered, by category.",
    "marketplace_order": "Orders of offerings.",
    "openstack_tenant": "Tenants: a project at an OpenStack cloud each, where their quotas are read.",
    "permissions_userrole": "Who has which role where.",
    "plugin_resources": "Servers, disks, allocations and so on, as the plugins made them: 36 tables.",
    "quotas_quotausage": "The log of quota usage: each row a change.",
    "quotas_quotalimit": "Limits of quotas.",
}
REMOTE_TABLES = {"remote_offerings": "Offerings of other Waldurs that are resold here: type Waldur.RemoteOffering."}
TABLES = BILLING_TABLES | QUOTA_TABLES | REMOTE_TABLES


def build(deployment: Deployment) -> list[dg.AssetSpec]:
    return [
        described(
            dg.AssetSpec(key_of(table), description=text, group_name="waldur", kinds={"postgresql"}),
            deployment,
            table=table,
        )
        for table, text in TABLES.items()
    ]
