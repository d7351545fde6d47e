"""The monthly billing, waldur-create-invoices: its steps in their order (spec invoices, section 2).

Each step is one transaction and can be repeated: what is done already is left alone. So a run that was killed between
two steps is finished by the next one.
"""

from __future__ import annotations

from sqlalchemy import Table, select

from waldur_dagster.invoices.accounting_report import send_accounting_report
from waldur_dagster.invoices.closing import close_invoices
from waldur_dagster.invoices.customer_mails import send_customer_invoices
from waldur_dagster.invoices.new_invoices import create_invoices
from waldur_dagster.invoices.price_estimates import refresh_price_estimates
from waldur_dagster.invoices.prices import switch_prices
from waldur_dagster.platform.month import Month, month_number
from waldur_dagster.policies import Affected, evaluate_policies
from waldur_dagster.schema import invoices, marketplace, structure
from waldur_dagster.work import Work

ENTRY = "waldur-create-invoices"


def switch_announced_prices(work: Work, month: Month) -> None:
    if is_newest(work, month):
        work.outcome.figures["prices switched"] = switch_prices(work)


def close_past_invoices(work: Work, month: Month) -> None:
    work.outcome.figures["invoices closed"] = close_invoices(work, month)


def make_new_invoices(work: Work, month: Month) -> None:
    """Invoices with their items and totals, and the estimates and policies that follow from them: all or nothing."""
    made = create_invoices(work, month)
    if is_newest(work, month):
        refresh_price_estimates(work, month, select(made.c.customer_id))
        evaluate_policies(work, _affected_by(made, month))


def _affected_by(made: Table, month: Month) -> Affected:
    """Whose costs and usage the new invoices have changed: those that got items or copies of usage."""
    item, resource, project = invoices.invoiceitem, marketplace.resource, structure.project
    usage = marketplace.componentusage
    items = item.join(made, made.c.id == item.c.invoice_id)
    used = (
        usage.join(resource, resource.c.id == usage.c.resource_id)
        .join(project, project.c.id == resource.c.project_id)
        .join(made, made.c.customer_id == project.c.customer_id)
    )
    return Affected(
        projects=select(item.c.project_id).select_from(items),
        customers=select(made.c.customer_id).select_from(items),
        offerings=select(resource.c.offering_id).select_from(items.join(resource, resource.c.id == item.c.resource_id)),
        metered_offerings=select(resource.c.offering_id).select_from(used).where(usage.c.billing_period == month.first),
    )


def write_mails(work: Work, month: Month) -> None:
    if is_newest(work, month):
        send_accounting_report(work, month)
        send_customer_invoices(work, month)


def is_newest(work: Work, month: Month) -> bool:
    """Whether no month after this one, up to the present one, has invoices.

    A backfill of a month before others must not switch today's prices, estimate today's costs or write mails again.
    Invoices of the future, which somebody made ahead of time, say nothing about that.
    """
    invoice, present = invoices.invoice, Month.of(work.present, work.zone)
    number = month_number(invoice)
    later = select(invoice.c.id).where(number > month.number, number <= present.number)
    return not work.connection.scalar(select(later.exists()))
