"""The invoices of each month, their stored totals, and the overview for accounting (spec invoices)."""

from collections.abc import Callable, Iterable
from typing import Any

import dagster as dg

from assets.entry_asset import entry_asset, of_month
from assets.sources import BILLING_TABLES, source
from waldur_dagster.catalog import entry
from waldur_dagster.invoices import billing
from waldur_dagster.invoices.monthly_report import send_monthly_report
from waldur_dagster.invoices.totals import refresh_month_totals
from waldur_dagster.platform.month import Month
from waldur_dagster.resources import RunSite
from waldur_dagster.work import Work

TOTALS = "update-invoices-total-cost"
MONTHLY_REPORT = "send-monthly-invoicing-reports-about-customers"
GROUP = "invoices"

Step = Callable[[Work, Month], Any]


def _step(
    name: str,
    entry_name: str,
    do: Step,
    description: str,
    *,
    waits_for: Iterable[str] = ("before",),
    last: bool = False,
) -> dg.OpDefinition:
    """An op that does one step of an entry in a transaction of its own; ``last`` also delivers and tells failures."""

    @dg.op(
        name=name,
        description=description,
        ins={name: dg.In(dg.Nothing) for name in waits_for},
        out=dg.Out(dg.Nothing),
        required_resource_keys={"site"},
        tags={"kind": "postgresql"},
        pool=entry(entry_name).dagster_name,  # one run at a time, in a backfill too
    )
    def run(context: dg.OpExecutionContext) -> None:
        site: RunSite = context.resources.site
        with site.step(context, entry_name) as work:
            do(work, site.month)
        if last:
            site.finish(context, entry_name)

    return run


def build(partitions: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    return [_invoices(partitions), _invoice_totals(partitions), _monthly_report(partitions)]


def _invoices(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    switch = _step(
        "switch_announced_prices",
        billing.ENTRY,
        billing.switch_announced_prices,
        "Prices announced for this month take effect.",
        waits_for=BILLING_TABLES,
    )
    close = _step(
        "close_past_invoices",
        billing.ENTRY,
        billing.close_past_invoices,
        "Invoices of past months are closed; credits pay what they cover.",
    )
    make = _step(
        "make_new_invoices",
        billing.ENTRY,
        billing.make_new_invoices,
        "Every organization gets its invoice with items and total; this month's price estimates follow.",
    )
    mails = _step(
        "write_and_deliver_mails",
        billing.ENTRY,
        billing.write_mails,
        "The report for accounting and the mails to owners, where the site wants them.",
        last=True,
    )

    @dg.graph_asset(
        name="invoices",
        group_name=GROUP,
        partitions_def=partitions,
        ins={table: dg.AssetIn(source(table), dagster_type=dg.Nothing) for table in BILLING_TABLES},
        description=entry(billing.ENTRY).description,
        kinds={"postgresql"},
        tags={"waldur/entry": billing.ENTRY},
    )
    def invoices(**tables: Any) -> Any:
        return mails(before=make(before=close(before=switch(**tables))))

    return invoices


def _invoice_totals(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    return entry_asset(
        "invoice_totals", TOTALS, of_month(refresh_month_totals), group=GROUP, deps=["invoices"], partitions=partitions
    )


def _monthly_report(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    deps = ["invoices", source("invoices_paymentprofile")]
    return entry_asset(
        "monthly_invoicing_report",
        MONTHLY_REPORT,
        of_month(send_monthly_report),
        group=GROUP,
        deps=deps,
        partitions=partitions,
    )
