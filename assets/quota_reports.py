"""How full the projects' quotas are, and how quotas have gone; both made of the daily history."""

from datetime import date

import pandas as pd
from matplotlib.dates import ConciseDateFormatter
from matplotlib.figure import Figure
from sqlalchemy import func, select

from assets.report import Report, new_figure, small_multiples
from waldur_dagster.quotas.daily_history import first_kept_day
from waldur_dagster.resources import RunSite
from waldur_dagster.schema import analytics, quotas, structure
from waldur_dagster.work import Work

SHOWN_PROJECTS, SHOWN_QUOTAS = 20, 9
UTILISATION = ["customer", "project", "quota", "usage", "limit", "utilisation"]
TREND = ["date", "quota", "usage", "scopes"]
NEARLY_FULL = 0.9
OVER, FULL, ROOM = "#c0392b", "#e59f3c", "#1f77b4"
history, limit = analytics.dailyquotahistory, quotas.quotalimit


def utilisation(work: Work, day: date) -> pd.DataFrame:
    """Usage of a day, limit and their ratio for each limited quota of each project, fullest first.

    Unlimited quotas (-1) are left out, and so are limits of 0: nothing is a part of them.
    """
    project, customer = structure.project, structure.customer
    used = func.greatest(history.c.usage, 0)
    statement = (
        select(customer.c.name, project.c.name, limit.c.name, used, limit.c.value)
        .select_from(
            limit.join(
                history,
                (history.c.content_type_id == limit.c.content_type_id)
                & (history.c.object_id == limit.c.object_id)
                & (history.c.name == limit.c.name)
                & (history.c.date == day),
            )
            .join(project, project.c.id == limit.c.object_id)
            .join(customer, customer.c.id == project.c.customer_id)
        )
        .where(limit.c.content_type_id == work.content_types("structure", "project"), limit.c.value > 0)
        .where(~project.c.is_removed)
    )
    frame = pd.DataFrame([tuple(row) for row in work.connection.execute(statement)], columns=UTILISATION[:-1])
    frame = frame.astype({"usage": "int64", "limit": "int64"})
    frame["utilisation"] = frame["usage"] / frame["limit"]
    return frame.sort_values(["utilisation", "usage"], ascending=False, ignore_index=True)


def utilisation_plot(frame: pd.DataFrame, day: date) -> Figure:
    """The fullest quotas as bars, with a line at the limit."""
    shown = frame.head(SHOWN_PROJECTS)[::-1]
    figure, axes = new_figure(len(shown))
    percent = shown["utilisation"] * 100
    labels = shown["project"] + ", " + shown["customer"] + ": " + shown["quota"]
    colors = [
        "#c0392b" if part > 1 else "#e59f3c" if part >= NEARLY_FULL else "#1f77b4" for part in shown["utilisation"]
    ]
    bars = axes.barh(range(len(shown)), percent, color=colors)
    amounts = [f" {used:,} of {most:,}" for used, most in zip(shown["usage"], shown["limit"], strict=True)]
    axes.bar_label(bars, labels=amounts, fontsize=8)
    axes.set_yticks(range(len(shown)), labels, fontsize=8)
    axes.axvline(100, color="grey", linewidth=0.8, linestyle="--", zorder=0)
    axes.set(title=f"Fullest quotas of projects on {day}", xlabel="% of the limit")
    axes.margins(x=0.2)
    return figure


def trend(work: Work, day: date) -> pd.DataFrame:
    """Usage of all customers together by day and quota, from the oldest day that is kept to ``day``."""
    statement = (
        select(
            history.c.date,
            history.c.name,
            func.sum(func.greatest(history.c.usage, 0)),
            func.count(),
        )
        .where(
            history.c.content_type_id == work.content_types("structure", "customer"),
            history.c.date.between(first_kept_day(work), day),
        )
        .group_by(history.c.date, history.c.name)
        .order_by(history.c.date, history.c.name)
    )
    rows = [tuple(row) for row in work.connection.execute(statement)]
    return pd.DataFrame(rows, columns=TREND).astype({"usage": "int64", "scopes": "int64"})


def trend_plot(table: pd.DataFrame, day: date) -> Figure:
    """A line for each quota, those with the largest relative range first; days that are missing leave a gap."""
    spread = (table.max() - table.min()) / table.max().clip(lower=1)
    names = spread.sort_values(ascending=False, kind="stable").index[:SHOWN_QUOTAS]
    figure, cells = small_multiples(len(names), f"Quotas of all organizations up to {day}")
    for name, cell in zip(names, cells, strict=True):
        cell.plot(table.index, table[name], color="#1f77b4", marker=".", markersize=3)
        cell.set_title(name, fontsize=9)
        cell.set_ylim(bottom=0)
        cell.yaxis.set_major_formatter("{x:,.0f}")
        cell.xaxis.set_major_formatter(ConciseDateFormatter(cell.xaxis.get_major_locator()))
    return figure


def _by_day(frame: pd.DataFrame) -> pd.DataFrame:
    """Days as rows, without holes, and quotas as columns."""
    table = frame.pivot_table(index="date", columns="quota", values="usage")
    table.index = pd.DatetimeIndex(table.index)
    return table.asfreq("D") if len(table) else table


def utilisation_report(work: Work, site: RunSite) -> Report:
    frame = utilisation(work, site.day)
    figures = {
        "limited quotas": len(frame),
        "nearly full": int((frame["utilisation"] >= NEARLY_FULL).sum()),
        "over their limit": int((frame["utilisation"] > 1).sum()),
    }
    return Report(frame, utilisation_plot(frame, site.day), figures, frame.head(10))


def trend_report(work: Work, site: RunSite) -> Report:
    frame = trend(work, site.day)
    table = _by_day(frame)
    filled = table.ffill().bfill()
    change = filled.iloc[[0, -1]].T.set_axis(["first", "last"], axis=1) if len(filled) else pd.DataFrame()
    change = change.assign(change=change["last"] - change["first"]) if len(change) else change
    figures = {"days": int(frame["date"].nunique()), "quotas": int(frame["quota"].nunique())}
    return Report(frame, trend_plot(table, site.day), figures, change.reset_index())
