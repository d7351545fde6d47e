"""The monthly billing, waldur-create-invoices: its steps in their order (spec invoices, section 2; newer_billing 1.1).

Each step is one transaction and can be repeated: what is done already is left alone. So a run that was killed between
two steps is finished by the next one.
"""

from __future__ import annotations

from datetime import UTC, timedelta

from sqlalchemy import Select, Table, and_, or_, select

from waldur_dagster.invoices import rules
from waldur_dagster.invoices.accounting_report import send_accounting_report
from waldur_dagster.invoices.closing import close_invoices, close_waiting_invoices, let_invoices_wait
from waldur_dagster.invoices.customer_mails import send_customer_invoices
from waldur_dagster.invoices.held import ESTIMATE, fail_for_held, names_of_held
from waldur_dagster.invoices.monthly_report import send_monthly_report
from waldur_dagster.invoices.new_invoices import create_invoices
from waldur_dagster.invoices.price_estimates import refresh_price_estimates
from waldur_dagster.invoices.prices import switch_prices
from waldur_dagster.invoices.states import WAITING
from waldur_dagster.locks import ENTRIES, held
from waldur_dagster.platform.isolation import isolated
from waldur_dagster.platform.month import Month, month_number
from waldur_dagster.policies import Affected, evaluate_policies
from waldur_dagster.schema import invoices, marketplace, structure
from waldur_dagster.temporary import temporary_table
from waldur_dagster.users.system_robot import act_as_robot
from waldur_dagster.work import Work

ENTRY, FINALIZATION = "waldur-create-invoices", "finalize-previous-invoices"


def switch_announced_prices(work: Work, month: Month) -> None:
    _name_the_actor(work)
    if is_newest(work, month):
        work.outcome.figures["prices switched"] = switch_prices(work)


def close_past_invoices(work: Work, month: Month) -> None:
    _name_the_actor(work)
    if rules.grace_hours(work):
        work.outcome.figures["invoices left open for the time of grace"] = let_invoices_wait(work, month)
    else:
        work.outcome.figures["invoices closed"] = close_invoices(work, month)


def finalize_invoices(work: Work, month: Month) -> None:
    """Close what waits for it, once the hours of grace since the beginning of ``month`` have passed.

    Policies follow, since discounts, compensations and what is left of the credits change what they look at. When no
    invoice waits any more, the mails of the month are written, which the monthly billing left to this. While the
    monthly billing itself is at work nothing is done: an hour later is early enough.
    """
    _name_the_actor(work)
    waited = work.as_of.astimezone(UTC) - month.start.astimezone(UTC)
    if not _any_waits(work) or waited < timedelta(hours=rules.grace_hours(work)):
        return
    if held(work.connection, ENTRIES, [ENTRY]):
        work.outcome.warn("invoices", "the monthly billing is at work; they are closed in the next hour")
        return
    waiting = temporary_table(work, "waiting", _waiting())
    work.outcome.figures["invoices closed"] = close_waiting_invoices(work, month)
    with isolated(work, "policies on closed invoices"):
        evaluate_policies(work, _affected_by_closing(waiting))
    if not _any_waits(work):
        _write_mails(work, month)


def _any_waits(work: Work) -> bool:
    return bool(work.connection.scalar(select(_waiting().exists())))


def _waiting() -> Select[tuple[int, int]]:
    invoice = invoices.invoice
    return select(invoice.c.id, invoice.c.customer_id).where(invoice.c.state == WAITING)


def _affected_by_closing(waiting: Table) -> Affected:
    """Whose costs or credits have changed, of the invoices that waited: a credit is for all projects of a customer."""
    item, resource, project, invoice = invoices.invoiceitem, marketplace.resource, structure.project, invoices.invoice
    closed = waiting.join(invoice, and_(invoice.c.id == waiting.c.id, invoice.c.state != WAITING))
    customers = select(waiting.c.customer_id).select_from(closed)
    items = item.join(waiting, waiting.c.id == item.c.invoice_id)
    billed = select(item.c.project_id).select_from(items)
    return Affected(
        projects=select(project.c.id).where(or_(project.c.customer_id.in_(customers), project.c.id.in_(billed))),
        customers=customers,
        offerings=select(resource.c.offering_id).select_from(items.join(resource, resource.c.id == item.c.resource_id)),
    )


def make_new_invoices(work: Work, month: Month) -> None:
    """Invoices with their items and totals, and the estimates that follow from them: all or nothing.

    Policies follow too; when that cannot be told, the invoices hold, and the next ``check-polices`` looks again.
    """
    _name_the_actor(work)
    made = create_invoices(work, month)
    if is_newest(work, month):
        refresh_price_estimates(work, month, select(made.c.customer_id))
        with isolated(work, "policies on new invoices"):
            evaluate_policies(work, _affected_by(made, month))


def try_held_again(work: Work, month: Month) -> None:
    """What the steps before have left because somebody else was writing it; what is left now has failed."""
    close_past_invoices(work, month)
    if is_newest(work, month):
        invoice = invoices.invoice
        of_month = select(invoice.c.customer_id).where(invoice.c.year == month.year, invoice.c.month == month.month)
        if held := names_of_held(work, ESTIMATE):
            customer = structure.customer
            theirs = of_month.join(customer, customer.c.id == invoice.c.customer_id)
            refresh_price_estimates(work, month, theirs.where(customer.c.name.in_(held)))
    fail_for_held(work)


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
    """At once, or after the time of grace by ``finalize_invoices``."""
    if not rules.grace_hours(work):
        _write_mails(work, month)


def _write_mails(work: Work, month: Month) -> None:
    if is_newest(work, month):
        send_accounting_report(work, month)
        send_customer_invoices(work, month)
        if rules.has_one_billing_service(work.schema):  # it has no schedule of its own any more
            send_monthly_report(work, month)


def _name_the_actor(work: Work) -> None:
    """In newer versions the system robot acts in all of the run."""
    if rules.has_one_billing_service(work.schema):
        act_as_robot(work)


def is_newest(work: Work, month: Month) -> bool:
    """Whether no month after this one, up to the present one, has invoices.

    A backfill of a month before others must not switch today's prices, estimate today's costs or write mails again.
    Invoices of the future, which somebody made ahead of time, say nothing about that.
    """
    invoice, present = invoices.invoice, Month.of(work.present, work.zone)
    number = month_number(invoice)
    later = select(invoice.c.id).where(number > month.number, number <= present.number)
    return not work.connection.scalar(select(later.exists()))
