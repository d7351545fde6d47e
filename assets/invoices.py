"""The invoices of each month, their stored totals, and the overview for accounting (spec invoices)."""

import dagster as dg

from assets.entry_asset import EntryAsset, Step
from assets.sources import BILLING_TABLES
from waldur_dagster.functions import Function

GROUP = "invoices"
BILLING = "waldur_dagster.billing.monthly"
FIGURES = Function("assets.figures:of_invoices")


def build(months: dg.PartitionsDefinition[str]) -> list[EntryAsset]:
    return [
        EntryAsset(
            "invoices",
            "waldur-create-invoices",
            GROUP,
            steps=(
                Step(
                    Function(f"{BILLING}:switch_announced_prices"),
                    "Prices announced for this month take effect.",
                    of="month",
                ),
                Step(
                    Function(f"{BILLING}:close_past_invoices"),
                    "Invoices of past months are closed; credits pay what they cover.",
                    of="month",
                ),
                Step(
                    Function(f"{BILLING}:make_new_invoices"),
                    "Every organization gets its invoice with items and total; this month's price estimates follow.",
                    of="month",
                ),
                Step(
                    Function(f"{BILLING}:try_held_again"),
                    "Bills of which somebody else was writing something are finished, or told as failed.",
                    of="month",
                ),
                Step(
                    Function(f"{BILLING}:write_mails"),
                    "The report for accounting and the mails to owners, where the site wants them.",
                    name="write_and_deliver_mails",
                    of="month",
                ),
            ),
            tables=tuple(BILLING_TABLES),
            partitions=months,
            table="invoices_invoice",
            figures=FIGURES,
        ),
        EntryAsset(
            "finalized_invoices",
            "finalize-previous-invoices",
            GROUP,
            steps=(Step(Function(f"{BILLING}:finalize_invoices"), of="month", of_present=True),),
            deps=("invoices",),
            partitions=months,
            table="invoices_invoice",
            figures=FIGURES,
        ),
        EntryAsset(
            "invoice_totals",
            "update-invoices-total-cost",
            GROUP,
            steps=(Step(Function("waldur_dagster.invoices.totals:refresh_month_totals"), of="month"),),
            deps=("invoices", "remote_invoices"),
            partitions=months,
            table="invoices_invoice",
            figures=FIGURES,
        ),
        EntryAsset(
            "remote_invoices",
            "waldur-remote-pull-invoices",
            GROUP,
            steps=(
                Step(
                    Function("waldur_dagster.remote.invoices:pull_invoices"),
                    of="month",
                    of_present=True,
                    item_by_item=True,
                ),
            ),
            deps=("invoices",),
            tables=("remote_offerings",),
            partitions=months,
            table="invoices_invoiceitem",
            figures=FIGURES,
        ),
        EntryAsset(
            "monthly_invoicing_report",
            "send-monthly-invoicing-reports-about-customers",
            GROUP,
            steps=(Step(Function("waldur_dagster.invoices.monthly_report:send_monthly_report"), of="month"),),
            deps=("invoices",),
            tables=("invoices_paymentprofile",),
            partitions=months,
            figures=FIGURES,
        ),
    ]
