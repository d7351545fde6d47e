"""Which rules of billing hold on a site: newer versions of Waldur have other ones (spec newer_billing 0).

Each is asked of the site's own schema by itself, since sites in between exist; docs/waldur-versions.md lists them.
"""

from __future__ import annotations

from waldur_dagster.database.site_schema import SiteSchema
from waldur_dagster.schema import invoices, marketplace
from waldur_dagster.work import Work

GRACE_HOURS = "WALDUR_INVOICES.INVOICE_FINALIZATION_GRACE_PERIOD_HOURS"
# The last tick that closes invoices is on day 3 at 23:10.
MOST_GRACE_HOURS = 71


def has_one_billing_service(schema: SiteSchema) -> bool:
    """Offerings of every type are billed, items name their plan component, and each item has its events."""
    return schema.has_column(invoices.invoiceitem.c.plan_component_id)


def has_volume_discounts(schema: SiteSchema) -> bool:
    """Prices have formulas, and items say which price they have."""
    priced = marketplace.plancomponent
    formula = schema.has_column(priced.c.discount_formula) and schema.has_column(priced.c.discount_aggregation)
    return formula and has_one_billing_service(schema)


def has_own_limit_periods(schema: SiteSchema) -> bool:
    """Limits by quarter and year have items of that length, made when it begins; else they are billed every month."""
    return schema.holds(marketplace.offeringcomponent.c.limit_period, "quarterly")


def has_prepaid_components(schema: SiteSchema) -> bool:
    component = marketplace.offeringcomponent
    return schema.has_column(component.c.is_prepaid) and schema.has_column(component.c.overage_component_id)


def has_billing_modes(schema: SiteSchema) -> bool:
    """Plans may say how their components are billed; the nearest sign that usage has one item for each plan."""
    mode, governed = marketplace.plan.c.billing_mode, marketplace.offeringcomponent.c.billed_per_plan
    return schema.has_column(mode) and schema.has_column(governed)


def has_amounts_of_charges(schema: SiteSchema) -> bool:
    """What is paid once is paid for the amount that the plan has of it; no sign of its own, billing modes are near."""
    return has_billing_modes(schema)


def has_usage_policies(schema: SiteSchema) -> bool:
    """A report of usage says what holds for months without one; else it may repeat itself."""
    return schema.has_column(marketplace.componentusage.c.missing_usage_policy)


def has_affiliates(schema: SiteSchema) -> bool:
    return schema.has(invoices.customeraffiliate.name) and schema.has(invoices.affiliatefeeaccrual.name)


def grace_hours(work: Work) -> int:
    """How long after the month's end its invoices still change; 0 where they are closed at once.

    More hours than there are ticks that close invoices would leave them open for ever, so they count as that many.
    """
    if not has_one_billing_service(work.schema):
        return 0
    hours = int(work.settings[GRACE_HOURS])
    if hours > MOST_GRACE_HOURS:
        work.outcome.warn(GRACE_HOURS, f"{hours} hours are more than the {MOST_GRACE_HOURS} that are kept")
    return min(hours, MOST_GRACE_HOURS)
