"""What was used by category and month, over the year up to the partition's month."""

import pandas as pd
from matplotlib.figure import Figure
from sqlalchemy import func, select

from assets.report import Report, small_multiples
from waldur_dagster.platform.month import Month
from waldur_dagster.resources import RunSite
from waldur_dagster.schema import marketplace, structure
from waldur_dagster.work import Work

MONTHS, SHOWN_COMPONENTS = 12, 9
COLUMNS = ["month", "category", "component", "unit", "customer", "reported", "fixed"]


def usage(work: Work, month: Month) -> pd.DataFrame:
    """Reported and fixed usage by month, category component and customer; months are their first days."""
    total, component, category = (
        marketplace.categorycomponentusage,
        marketplace.categorycomponent,
        marketplace.category,
    )
    customer = structure.customer
    beginning = Month(month.year - 1, month.month, month.zone).last
    statement = (
        select(
            total.c.date,
            category.c.title,
            component.c.name,
            component.c.measured_unit,
            customer.c.name,
            func.coalesce(total.c.reported_usage, 0),
            func.coalesce(total.c.fixed_usage, 0),
        )
        .select_from(
            total.join(component, component.c.id == total.c.component_id)
            .join(category, category.c.id == component.c.category_id)
            .join(customer, customer.c.id == total.c.object_id)
        )
        .where(
            total.c.content_type_id == work.content_types("structure", "customer"),
            total.c.date > beginning,
            total.c.date <= month.last,
        )
        .order_by(total.c.date, category.c.title, component.c.name, customer.c.name)
    )
    rows = [tuple(row) for row in work.connection.execute(statement)]
    return pd.DataFrame(rows, columns=COLUMNS).astype({"reported": "int64", "fixed": "int64"})


def plot(frame: pd.DataFrame, month: Month) -> Figure:
    """A small plot for each category component, those of the most months and customers first."""
    kinds = frame.groupby(["category", "component", "unit"]).size().nlargest(SHOWN_COMPONENTS).index
    figure, cells = small_multiples(len(kinds), f"Usage by category up to {month}")
    months = [stamp.date() for stamp in pd.date_range(end=pd.Timestamp(month.first), periods=MONTHS, freq="MS")]
    january = next(day for day in months if day.month == 1)
    by_kind = frame.groupby(["category", "component", "unit", "month"])[["reported", "fixed"]].sum()
    for kind, cell in zip(kinds, cells, strict=True):
        category, component, unit = kind
        table = by_kind.loc[kind].reindex(months, fill_value=0)
        table.index = pd.Index([f"{day:%b\n%Y}" if day in (months[0], january) else f"{day:%b}" for day in months])
        table.plot.bar(stacked=True, ax=cell, width=0.8, rot=0, legend=False, color=["#1f77b4", "#ffb55a"])
        cell.set_title(f"{category}: {component}", fontsize=9)
        cell.set(xlabel="", ylabel=unit)
        cell.yaxis.set_major_formatter("{x:,.0f}")
        cell.tick_params(labelsize=7)
    if cells:
        figure.legend(*cells[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return figure


def report(work: Work, site: RunSite) -> Report:
    frame = usage(work, site.month)
    current = frame[frame["month"] == site.month.first]
    figures = {"customers": int(current["customer"].nunique()), "components": int(current["component"].nunique())}
    top = current.assign(total=current["reported"] + current["fixed"]).sort_values("total", ascending=False).head(10)
    return Report(frame, plot(frame, site.month), figures, top.drop(columns="month"))
