"""How a table with a plot becomes a report: an asset kept as Parquet, its plot beside it and in the metadata."""

import base64
import io
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from waldur_dagster.resources import RunSite
from waldur_dagster.work import Work

mpl.use("Agg")


@dataclass(frozen=True)
class Report:
    """What a report asset makes; ``figures`` and the table ``top`` are shown with it."""

    frame: pd.DataFrame
    plot: Figure
    figures: Mapping[str, int | float]
    top: pd.DataFrame


def report_asset(
    name: str,
    make: Callable[[Work, RunSite], Report],
    *,
    deps: Iterable[Any],
    partitions: dg.PartitionsDefinition,
    description: str,
) -> dg.AssetsDefinition:
    """A report for each partition, made anew when what it reads has changed."""

    @dg.asset(
        name=name,
        group_name="reports",
        partitions_def=partitions,
        deps=deps,
        io_manager_key="parquet",
        required_resource_keys={"site"},
        automation_condition=dg.AutomationCondition.eager(),
        kinds={"pandas", "parquet"},
        description=description,
    )
    def report(context: dg.AssetExecutionContext) -> pd.DataFrame:
        site: RunSite = context.resources.site
        with site.step(context.op_execution_context, name) as work:
            made = make(work, site)
        picture = as_png(made.plot)
        file = site.deployment.reports / "plots" / f"{name}-{context.partition_key}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(picture)
        encoded = base64.b64encode(picture).decode()
        context.add_output_metadata(
            {
                **made.figures,
                "plot": dg.MetadataValue.md(f"![{name}](data:image/png;base64,{encoded})"),
                "plot file": dg.MetadataValue.path(file),
                "top": dg.MetadataValue.md(made.top.to_markdown(index=False, floatfmt=".2f")),
            }
        )
        return made.frame

    return report


def new_figure(rows: int) -> tuple[Figure, Axes]:
    """A figure high enough for so many bars, and its axes."""
    figure = Figure(figsize=(10, 1.5 + 0.35 * max(rows, 3)), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def small_multiples(number: int, title: str) -> tuple[Figure, list[Axes]]:
    """A figure of so many small plots, up to three in a row, and their axes."""
    columns = min(3, max(number, 1))
    rows = math.ceil(max(number, 1) / columns)
    figure = Figure(figsize=(4 * columns, 0.6 + 2.4 * rows), layout="constrained")
    figure.suptitle(title)
    cells = list(figure.subplots(rows, columns, squeeze=False).flat)
    for cell in cells[number:]:
        cell.set_axis_off()
    for cell in cells[:number]:
        cell.spines[["top", "right"]].set_visible(False)
        cell.tick_params(labelsize=8)
    return figure, cells[:number]


def largest_columns(table: pd.DataFrame, shown: int, rest: str) -> pd.DataFrame:
    """The columns with the largest sums, largest first; all others are added up under the name ``rest``."""
    largest = table.sum().nlargest(shown).index
    others = table.drop(columns=largest).sum(axis=1)
    return table[largest].assign(**{rest: others}) if others.abs().sum() > 0 else table[largest]


def as_png(figure: Figure) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110)
    return stream.getvalue()
