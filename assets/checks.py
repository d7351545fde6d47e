"""Asset checks that are queries: what a query finds should not be there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg

from waldur_dagster.functions import Function
from waldur_dagster.outcome import counted

if TYPE_CHECKING:
    from waldur_dagster.resources import RunSite

SHOWN = 20


@dataclass(frozen=True)
class Check:
    """A check that passes when a query finds nothing.

    ``violations`` is given the unit of work and the run's site, and returns the query. A check of ``monthly`` facts
    says which month it looked at. A ``grave`` one is an error, any other a warning.
    """

    asset: str
    name: str
    description: str
    violations: Function
    monthly: bool = True
    grave: bool = False

    def definition(self) -> dg.AssetChecksDefinition:
        @dg.asset_check(asset=self.asset, name=self.name, description=self.description, required_resource_keys={"site"})
        def check(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
            site: RunSite = context.resources.site
            count, found = site.look_for(f"check {self.asset} {self.name}", self.violations, SHOWN)
            when = {"month": str(site.month)} if self.monthly else {"day": str(site.day)}
            (period,) = when.values()
            return dg.AssetCheckResult(
                passed=not count,
                severity=dg.AssetCheckSeverity.ERROR if self.grave else dg.AssetCheckSeverity.WARN,
                description=f"{counted(count, 'violations')} in {period}",
                metadata=when | {"violations": count} | {str(n): _shown(row) for n, row in enumerate(found, 1)},
            )

        return check


def _shown(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in row.items())


CHECKS = (
    Check(
        "invoices",
        "credits_are_not_overdrawn",
        "Credits that have paid more than they had.",
        Function("assets.credit_checks:overdrawn_credits"),
    ),
    Check(
        "invoices",
        "ledgers_agree_with_balances",
        "Credits whose ledger does not add up to their value.",
        Function("assets.credit_checks:unbalanced_ledgers"),
        grave=True,
    ),
    Check(
        "invoices",
        "compensations_are_within_their_items",
        "Compensations of the month that was closed last that pay more than their item costs.",
        Function("assets.credit_checks:excessive_compensations"),
        grave=True,
    ),
    Check(
        "invoices",
        "compensations_are_booked",
        "Invoices of the month that was closed last whose compensations are more than the ledger says was drawn.",
        Function("assets.credit_checks:unbooked_compensations"),
        grave=True,
    ),
    Check(
        "invoices",
        "totals_are_the_sum_of_items",
        "Invoices whose stored totals are not the sum of their items.",
        Function("assets.invoice_checks:stale_totals"),
        grave=True,
    ),
    Check(
        "invoices",
        "one_invoice_for_each_customer",
        "Active customers with something to bill that have no invoice of the month, or more than one.",
        Function("assets.invoice_checks:customers_without_invoice"),
    ),
    Check(
        "invoices",
        "past_invoices_are_closed",
        "Invoices of earlier months that are still open.",
        Function("assets.invoice_checks:open_past_invoices"),
    ),
    Check(
        "invoices",
        "items_lie_in_their_time",
        "Items of the month that begin before their time or end after it: the month, or a limit's quarter or year.",
        Function("assets.invoice_checks:items_outside_their_time"),
    ),
    Check(
        "invoices",
        "discounts_are_within_their_items",
        "Items of the month whose volume discounts take off more than they cost.",
        Function("assets.invoice_checks:discounts_above_their_items"),
        grave=True,
    ),
    Check(
        "category_component_usage",
        "usage_is_not_negative",
        "Usage below 0, as it was reported for the month or as it was summed.",
        Function("assets.usage_checks:negative_usage"),
    ),
    Check(
        "standard_quotas",
        "counters_equal_a_recount",
        "Scopes whose logged usage is not what counts now; delta is what is missing.",
        Function("assets.quota_checks:wrong_standard_counters"),
        monthly=False,
    ),
    Check(
        "custom_quotas",
        "counters_equal_a_recount",
        "Scopes whose logged usage is not what counts now; delta is what is missing.",
        Function("assets.quota_checks:wrong_custom_counters"),
        monthly=False,
    ),
    Check(
        "tenant_quotas",
        "usage_is_within_limits",
        "Tenants that use more than their cloud allows them; limits below 0 are none.",
        Function("assets.quota_checks:tenants_over_limit"),
        monthly=False,
    ),
    Check(
        "tenant_quotas",
        "tenants_are_read_every_day",
        "Tenants that are erred since more than a day, or whose quotas were never read.",
        Function("assets.quota_checks:tenants_not_read"),
        monthly=False,
    ),
    Check(
        "daily_quotas",
        "history_is_complete_up_to_yesterday",
        "Days that the history should have, and that nobody took.",
        Function("assets.quota_checks:missing_days"),
        monthly=False,
    ),
)
