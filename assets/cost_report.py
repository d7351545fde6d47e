"""What the month costs, by organization, project and offering: a table, kept as Parquet, and a plot."""

import pandas as pd
from matplotlib.figure import Figure
from sqlalchemy import func, select

from assets.figures import money
from assets.report import Report, largest_columns, new_figure
from waldur_dagster.invoices.money import item_price
from waldur_dagster.platform.month import Month
from waldur_dagster.resources import RunSite
from waldur_dagster.schema import invoices, marketplace, structure
from waldur_dagster.work import Work

SHOWN_CUSTOMERS, SHOWN_OFFERINGS = 15, 6
COLUMNS = ["customer", "project", "offering", "items", "price"]


def costs(work: Work, month: Month) -> pd.DataFrame:
    """Price without VAT and number of items by customer, project and offering, dearest first."""
    invoice, item, customer = invoices.invoice, invoices.invoiceitem, structure.customer
    resource, offering = marketplace.resource, marketplace.offering
    statement = (
        select(
            customer.c.name.label("customer"),
            item.c.project_name.label("project"),
            func.coalesce(offering.c.name, "other").label("offering"),
            func.count().label("items"),
            func.sum(item_price(item)).label("price"),
        )
        .select_from(
            item.join(invoice, invoice.c.id == item.c.invoice_id)
            .join(customer, customer.c.id == invoice.c.customer_id)
            .outerjoin(resource, resource.c.id == item.c.resource_id)
            .outerjoin(offering, offering.c.id == resource.c.offering_id)
        )
        .where(invoice.c.year == month.year, invoice.c.month == month.month, invoice.c.state != "canceled")
        .group_by(customer.c.id, item.c.project_name, offering.c.id)
    )
    rows = work.connection.execute(statement).all()
    frame = pd.DataFrame([tuple(row) for row in rows], columns=COLUMNS).astype({"price": "float64", "items": "int64"})
    return frame.sort_values("price", ascending=False, ignore_index=True)


def plot(frame: pd.DataFrame, month: Month, currency: str) -> Figure:
    """The dearest customers as bars, made of their offerings."""
    table = frame.pivot_table(index="customer", columns="offering", values="price", aggfunc="sum", fill_value=0.0)
    table = largest_columns(table, SHOWN_OFFERINGS, "other offerings")
    table = table.loc[table.sum(axis=1).nlargest(SHOWN_CUSTOMERS).index[::-1]]
    figure, axes = new_figure(len(table))
    if len(table):
        table.plot.barh(stacked=True, ax=axes, width=0.75, colormap="tab10")
        axes.legend(title="", frameon=False, fontsize=8)
    axes.set(title=f"Costs in {month}", xlabel=f"{currency}, without VAT", ylabel="")
    return figure


def report(work: Work, site: RunSite) -> Report:
    frame = costs(work, site.month)
    figures = {
        "customers": int(frame["customer"].nunique()),
        "items": int(frame["items"].sum()),
        "price": money(frame["price"].sum()),
    }
    return Report(frame, plot(frame, site.month, work.constance["CURRENCY_NAME"]), figures, frame.head(10))
