"""The report of last month's invoices for the site's accounting (spec invoices, waldur-create-invoices)."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sqlalchemy import Numeric, Select, cast, func, select

from waldur_dagster.invoices.accounting_lines import Format, Line, format_of
from waldur_dagster.invoices.money import item_price, with_tax
from waldur_dagster.outbox import AttachmentWriter, put
from waldur_dagster.platform.mail import plain_mail
from waldur_dagster.platform.month import Month
from waldur_dagster.platform.templates import Templates
from waldur_dagster.schema import invoices, marketplace, structure
from waldur_dagster.work import Work

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

# Bytes of an attachment that most mail servers take.
COMMON_LIMIT = 10 * 2**20


def send_accounting_report(work: Work, billed: Month) -> int:
    """Mail the report of the month before ``billed`` where the site wants it; once for each month.

    It is sent also when there is nothing to report. Returns the number of new mails.
    """
    options = work.settings["WALDUR_INVOICES.INVOICE_REPORTING"]
    if not options["ENABLE"]:
        return 0
    month = billed.previous
    shown = {"month": month.month, "year": month.year}
    report = AttachmentWriter()
    write_accounting_report(work, month, report)
    if report.size > COMMON_LIMIT:
        size = f"has {report.size / 2**20:.0f} MiB; many mail servers refuse that"
        work.outcome.warn(f"accounting report {month}", f"{size}. The asset cost_report has the month's costs too")
    attachment = report.attachment(f"3M{month.month:02}{month.year}Waldur.txt")
    mail = plain_mail(
        work,
        f"accounting report {month}",
        options["EMAIL"],
        work.once(Templates).render("invoices/report_subject.txt", shown).strip(),
        work.once(Templates).render("invoices/report_body.txt", shown).strip(),
        attachments=[attachment],
    )
    return put(work, [mail])


def write_accounting_report(work: Work, month: Month, stream: SupportsWrite[str]) -> None:
    """The report as CSV text, amounts computed from the items; line by line, however long it is."""
    options = work.settings["WALDUR_INVOICES.INVOICE_REPORTING"]
    kind = format_of(options)
    writer = csv.DictWriter(stream, kind.columns, **options["CSV_PARAMS"])
    writer.writeheader()
    writer.writerows(kind.line(line) for line in _lines(work, month, kind))


def _lines(work: Work, month: Month, kind: Format) -> Iterator[Line]:
    options = work.settings["WALDUR_INVOICES.INVOICE_REPORTING"]
    interval = work.settings["WALDUR_INVOICES.PAYMENT_INTERVAL"]
    rows = work.connection.execute(_query(work, month, kind), execution_options={"stream_results": True})
    for row in rows:
        yield Line(row, month, options, interval)


def _query(work: Work, month: Month, kind: Format) -> Select[tuple]:
    invoice, item, customer = invoices.invoice, invoices.invoiceitem, structure.customer
    resource, offering, project = marketplace.resource, marketplace.offering, structure.project
    plan = marketplace.plan
    plans = select(func.count()).where(plan.c.offering_id == offering.c.id).correlate(offering).scalar_subquery()
    price = item_price(item)
    sums = (
        select(item.c.invoice_id, cast(func.sum(price), Numeric).label("invoice_price"))
        .join(invoice, invoice.c.id == item.c.invoice_id)
        .where(invoice.c.year == month.year, invoice.c.month == month.month)
        .group_by(item.c.invoice_id)
        .subquery("sums")
    )
    statement = (
        select(
            invoice.c.id.label("invoice_id"),
            invoice.c.uuid.label("invoice_uuid"),
            *(invoice.c[name] for name in ("year", "month", "invoice_date", "tax_percent")),
            customer.c.uuid.label("customer_uuid"),
            customer.c.name.label("customer_name"),
            *(
                customer.c[name]
                for name in ("agreement_number", "sponsor_number", "registration_code", "country", "contact_details")
            ),
            *(
                item.c[name]
                for name in (
                    *("name", "article_code", "unit_price", "unit", "quantity", "start", "end"),
                    *("project_name", "project_uuid"),
                )
            ),
            *(item.c.details[name].astext.label(name) for name in ("plan_name", "offering_component_name")),
            project.c.name.label("current_project_name"),
            resource.c.name.label("resource_name"),
            offering.c.name.label("offering_name"),
            plans.label("plans"),
            sums.c.invoice_price,
        )
        .select_from(
            item.join(invoice, invoice.c.id == item.c.invoice_id)
            .join(customer, customer.c.id == invoice.c.customer_id)
            .join(sums, sums.c.invoice_id == invoice.c.id)
            .outerjoin(project, project.c.id == item.c.project_id)
            .outerjoin(resource, resource.c.id == item.c.resource_id)
            .outerjoin(offering, offering.c.id == resource.c.offering_id)
        )
        .where(
            invoice.c.year == month.year,
            invoice.c.month == month.month,
            ~customer.c.archived,
            with_tax(price, invoice.c.tax_percent) != 0,
        )
    )
    if work.settings["WALDUR_CORE.ENABLE_ACCOUNTING_START_DATE"]:
        statement = statement.where(customer.c.accounting_start_date <= month.end)
    if kind.by_project:
        return statement.order_by(invoice.c.id, item.c.project_name, item.c.name, item.c.id)
    return statement.order_by(invoice.c.id, item.c.id)
