"""Numbers of an asset as it is after its last step: Dagster shows them with it, and plots them over its partitions."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import Select, Table, func, select

from waldur_dagster.invoices.states import is_open
from waldur_dagster.resources import RunSite
from waldur_dagster.schema import analytics, invoices, marketplace, quotas
from waldur_dagster.work import Work

invoice, item = invoices.invoice, invoices.invoiceitem
ROWS, ALL_ROWS = "dagster/partition_row_count", "dagster/row_count"


def of_invoices(work: Work, site: RunSite) -> dict[str, Any]:
    """The invoices of the run's month: how many, with how many items, what they come to, and how many are closed."""
    of_month = (invoice.c.year == site.month.year, invoice.c.month == site.month.month)
    count, price, total, open_ = work.connection.execute(
        select(
            func.count(),
            func.coalesce(func.sum(invoice.c.total_price), 0),
            func.coalesce(func.sum(invoice.c.total_cost), 0),
            func.count().filter(is_open()),
        ).where(*of_month)
    ).one()
    items = select(func.count()).select_from(item.join(invoice, invoice.c.id == item.c.invoice_id)).where(*of_month)
    return {
        "month": str(site.month),
        "invoices": count,
        "invoices that are closed": count - open_,
        "items": work.connection.scalar(items),
        "price without VAT": money(price),
        "total with VAT": money(total),
        ROWS: count,
        ALL_ROWS: _rows(work, invoice),
    }


def of_usage(work: Work, site: RunSite) -> dict[str, Any]:
    """Usage totals of the run's month."""
    total = marketplace.categorycomponentusage
    of_month = total.c.date == site.month.first
    customers = select(func.count(total.c.object_id.distinct())).where(
        of_month, total.c.content_type_id == work.content_types("structure", "customer")
    )
    return {
        "month": str(site.month),
        "customers": work.connection.scalar(customers),
        ROWS: work.connection.scalar(_counted(total).where(of_month)),
        ALL_ROWS: _rows(work, total),
    }


def of_quotas(work: Work, _: RunSite) -> dict[str, Any]:
    """The log of quota usage."""
    return {ALL_ROWS: _rows(work, quotas.quotausage)}


def of_daily_quotas(work: Work, site: RunSite) -> dict[str, Any]:
    """The quotas of the run's day."""
    history = analytics.dailyquotahistory
    count, quotas_, scopes = work.connection.execute(
        select(
            func.count(),
            func.count(history.c.name.distinct()),
            func.count(func.row(history.c.content_type_id, history.c.object_id).distinct()),
        ).where(history.c.date == site.day)
    ).one()
    return {"day": str(site.day), "quotas": quotas_, "scopes": scopes, ROWS: count, ALL_ROWS: _rows(work, history)}


def money(amount: Decimal | float) -> float:
    """An amount as people write it, to the cent."""
    return round(float(amount), 2)


def _counted(table: Table) -> Select[Any]:
    return select(func.count()).select_from(table)


def _rows(work: Work, table: Table) -> int:
    return work.connection.scalar(_counted(table)) or 0
