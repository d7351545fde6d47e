"""The monthly billing, waldur-create-invoices: its steps in their order (spec invoices, section 2).

Each step is one transaction and can be repeated: what is done already is left alone. So a run that was killed between
two steps is finished by the next one.
"""

from __future__ import annotations

from sqlalchemy import select

from waldur_dagster.invoices.accounting_report import send_accounting_report
from waldur_dagster.invoices.closing import close_invoices
from waldur_dagster.invoices.customer_mails import send_customer_invoices
from waldur_dagster.invoices.month import Month
from waldur_dagster.invoices.new_invoices import create_invoices
from waldur_dagster.invoices.prices import switch_prices
from waldur_dagster.platform.price_estimates import refresh_price_estimates
from waldur_dagster.schema import invoices
from waldur_dagster.work import Work

ENTRY = "waldur-create-invoices"


def switch_announced_prices(work: Work, month: Month) -> None:
    if is_newest(work, month):
        work.outcome.figures["prices switched"] = switch_prices(work)


def close_past_invoices(work: Work, month: Month) -> None:
    work.outcome.figures["invoices closed"] = close_invoices(work, month)


def make_new_invoices(work: Work, month: Month) -> None:
    """Invoices with their items and totals, and the estimates that follow from them: all or nothing."""
    made = create_invoices(work, month)
    if is_newest(work, month):
        refresh_price_estimates(work, month, select(made.c.customer_id))


def write_mails(work: Work, month: Month) -> None:
    if is_newest(work, month):
        send_accounting_report(work, month)
        send_customer_invoices(work, month)


def is_newest(work: Work, month: Month) -> bool:
    """Whether the site has no invoices of later months.

    A backfill of a month before others must not switch today's prices, estimate today's costs or write mails again.
    """
    invoice = invoices.invoice
    later = select(invoice.c.id).where(invoice.c.year * 12 + invoice.c.month > month.year * 12 + month.month)
    return not work.connection.scalar(select(later.exists()))
