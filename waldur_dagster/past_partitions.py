"""Which months and days the site's database has: made by Waldur before this program came, or by this program."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, case, cast, func, select
from sqlalchemy import Date as DateType

from waldur_dagster.schema import analytics, invoices, marketplace, structure
from waldur_dagster.site import Site

invoice, customer = invoices.invoice, structure.customer
usage, history = marketplace.categorycomponentusage, analytics.dailyquotahistory
# A row with a broken month must not stop the others.
VALID = invoice.c.month.between(1, 12) & invoice.c.year.between(2000, 2999)
MONTH: ColumnElement[date] = case((VALID, func.make_date(invoice.c.year, invoice.c.month, 1)))


def made_before(site: Site) -> dict[str, dict[date, int]]:
    """By asset the first days of the partitions that the site has rows of, and how many.

    Mails are not told from the database: ``monthly_invoicing_report`` is not among them. Tables that are not there
    count as empty.
    """
    statements: dict[str, tuple[Table, Select[Any]]] = {
        "invoices": (invoice, _counted(MONTH).where(VALID)),
        "invoice_totals": (invoice, _counted(MONTH).where(VALID, invoice.c.total_price > 0)),
        "category_component_usage": (usage, _counted(cast(func.date_trunc("month", usage.c.date), DateType))),
        "daily_quotas": (history, _counted(history.c.date)),
    }
    with site.engine.connect() as connection:
        return {
            asset: {row[0]: row[1] for row in connection.execute(statement)} if site.schema.has(table.name) else {}
            for asset, (table, statement) in statements.items()
        }


def suggested_first_month(site: Site) -> tuple[date | None, str]:
    """The month that the site was first billed for as its data tell it, and where that is from; None when empty.

    The first invoice, else the month of the oldest accounting start of a customer that is billed.
    """
    with site.engine.connect() as connection:
        first = connection.scalar(select(func.min(MONTH)).where(VALID))
        if first is not None:
            return first, "the first invoice"
        started = func.min(func.timezone(site.deployment.zone.key, customer.c.accounting_start_date))
        oldest = connection.scalar(select(started).where(~customer.c.archived))
    return (oldest.date().replace(day=1), "the oldest accounting start") if oldest else (None, "")


def _counted(day: ColumnElement[Any]) -> Select[Any]:
    return select(day, func.count()).group_by(day)
