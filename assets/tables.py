"""What people see of an asset beside its runs: its table with columns, owners, source, and how fresh it has to be."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import dagster as dg

from waldur_dagster.catalog import Entry
from waldur_dagster.functions import ROOT, Function
from waldur_dagster.timetable import cron_of, longest_gap

if TYPE_CHECKING:
    from waldur_dagster.deployment import Deployment

SCHEMA = ROOT / "waldur_dagster" / "schema" / "generations" / "8.json"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def key_of(table: str) -> dg.AssetKey:
    """The key of one of Waldur's own tables."""
    return dg.AssetKey(["waldur", table])


def described(
    spec: dg.AssetSpec,
    deployment: Deployment,
    *,
    source: Sequence[Function] = (),
    table: str | None = None,
    documented: Entry | None = None,
) -> dg.AssetSpec:
    """A spec with what the deployment and the table tell of it; ``documented`` is the entry whose schedule makes it."""
    metadata = dict(spec.metadata) | (table_metadata(table, deployment) if table else {})
    if source:
        metadata |= {"dagster/code_references": _references(source, deployment)}
    replaced = spec.replace_attributes(owners=list(deployment.owners), metadata=metadata)
    return (
        replaced if documented is None else replaced.replace_attributes(freshness_policy=fresh(documented, deployment))
    )


def fresh(documented: Entry, deployment: Deployment) -> dg.FreshnessPolicy | None:
    """An asset is late an hour after its next tick, and stale after an interval more, a day at most."""
    options = deployment.options(documented.name, documented.family)
    if not options.registered:
        return None
    gap = longest_gap(options.schedule or cron_of(documented), deployment.zone)
    late = gap + HOUR
    return dg.FreshnessPolicy.time_window(fail_window=late + min(gap, DAY), warn_window=late)


def table_metadata(table: str, deployment: Deployment) -> dict[str, Any]:
    """Name and columns of one of Waldur's tables."""
    facts = _facts().get(table, {"columns": [], "uniques": [], "primary_key": None})
    keys = [key["columns"] for key in (*facts["uniques"], facts["primary_key"]) if key]
    columns = [
        dg.TableColumn(
            one["name"],
            one["type"],
            constraints=dg.TableColumnConstraints(nullable=one["nullable"], unique=[one["name"]] in keys),
        )
        for one in facts["columns"]
    ]
    name = f"{deployment.database.name}.public.{table}"
    return {"dagster/table_name": name} | ({"dagster/column_schema": dg.TableSchema(columns)} if columns else {})


@cache
def _facts() -> dict[str, Any]:
    """Waldur's tables as its newest version has them; read as data, so that no table is loaded to show it."""
    facts: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return facts


def _references(functions: Sequence[Function], deployment: Deployment) -> dg.CodeReferencesMetadataValue:
    """Where the work of an asset is written: in the deployment's repository, else in the installed files."""
    references: list[dg.LocalFileCodeReference | dg.UrlCodeReference] = []
    for function in functions:
        file, line = function.source
        if deployment.source_url is None:
            references.append(dg.LocalFileCodeReference(file_path=str(file), line_number=line, label=function.__name__))
        else:
            url = f"{deployment.source_url}/{file.relative_to(ROOT).as_posix()}#L{line}"
            references.append(dg.UrlCodeReference(url=url, label=function.__name__))
    return dg.CodeReferencesMetadataValue(code_references=references)
