"""How a table with a plot becomes a report: an asset kept as Parquet, its plot beside it and in the metadata."""

import base64
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

mpl.use("Agg")


@dataclass(frozen=True)
class Report:
    """What a report asset makes; ``figures`` and the table ``top`` are shown with it."""

    frame: pd.DataFrame
    plot: Figure
    figures: Mapping[str, int | float]
    top: pd.DataFrame


def metadata_of(made: Report, name: str, partition: str, folder: Path) -> dict[str, Any]:
    """What is shown of a report; its plot is also kept as ``plots/<name>-<partition>.png`` under ``folder``."""
    picture = as_png(made.plot)
    file = folder / "plots" / f"{name}-{partition}.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(picture)
    encoded = base64.b64encode(picture).decode()
    return {
        **made.figures,
        "dagster/partition_row_count": len(made.frame),
        "plot": dg.MetadataValue.md(f"![{name}](data:image/png;base64,{encoded})"),
        "plot file": dg.MetadataValue.path(file),
        "top": dg.MetadataValue.md(made.top.to_markdown(index=False, floatfmt=",.2f", intfmt=",")),
    }


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
