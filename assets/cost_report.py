"""What the month costs, by organization, project and offering: a table, kept as Parquet, and a plot."""

import base64
import io
from typing import Any

import dagster as dg
import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure
from sqlalchemy import func, select

from waldur_dagster.invoices.money import item_price
from waldur_dagster.invoices.month import Month
from waldur_dagster.resources import RunSite
from waldur_dagster.schema import invoices, marketplace, structure
from waldur_dagster.work import Work

mpl.use("Agg")
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
    largest = table.sum().nlargest(SHOWN_OFFERINGS).index
    rest = table.drop(columns=largest).sum(axis=1)
    table = table[largest]
    if rest.abs().sum() > 0:
        table = table.assign(**{"other offerings": rest})
    table = table.loc[table.sum(axis=1).nlargest(SHOWN_CUSTOMERS).index[::-1]]
    figure = Figure(figsize=(10, 1.5 + 0.35 * max(len(table), 3)), layout="constrained")
    axes = figure.subplots()
    if len(table):
        table.plot.barh(stacked=True, ax=axes, width=0.75, colormap="tab10")
        axes.legend(title="", frameon=False, fontsize=8)
    axes.set(title=f"Costs in {month}", xlabel=f"{currency}, without VAT", ylabel="")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def as_png(figure: Figure) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110)
    return stream.getvalue()


def build(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    @dg.asset(
        name="cost_report",
        group_name="reports",
        partitions_def=partitions,
        deps=["invoices"],
        io_manager_key="parquet",
        required_resource_keys={"site"},
        automation_condition=dg.AutomationCondition.eager(),
        kinds={"pandas", "parquet"},
        description="What the month costs by organization, project and offering.",
    )
    def cost_report(context: dg.AssetExecutionContext) -> pd.DataFrame:
        site: RunSite = context.resources.site
        with site.step(context.op_execution_context, "cost report") as work:
            frame = costs(work, site.month)
            picture = as_png(plot(frame, site.month, work.constance["CURRENCY_NAME"]))
        file = site.deployment.reports / "plots" / f"cost_report-{site.month}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(picture)
        context.add_output_metadata(_metadata(frame, picture) | {"plot file": dg.MetadataValue.path(file)})
        return frame

    return cost_report


def _metadata(frame: pd.DataFrame, picture: bytes) -> dict[str, Any]:
    encoded = base64.b64encode(picture).decode()
    return {
        "customers": int(frame["customer"].nunique()),
        "items": int(frame["items"].sum()),
        "price": float(frame["price"].sum()),
        "plot": dg.MetadataValue.md(f"![costs](data:image/png;base64,{encoded})"),
        "dearest": dg.MetadataValue.md(frame.head(10).to_markdown(index=False, floatfmt=".2f")),
    }
