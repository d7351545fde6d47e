"""How the function that does an entry's work becomes an asset of one step, with its job."""

from collections.abc import Callable, Iterable
from typing import Any

import dagster as dg

from waldur_dagster.catalog import entry
from waldur_dagster.platform.month import Month
from waldur_dagster.resources import RunSite
from waldur_dagster.work import Work

Step = Callable[[Work, RunSite], Any]


def of_month(do: Callable[[Work, Month], Any]) -> Step:
    """A step that is given the month of the run's partition."""
    return lambda work, site: do(work, site.month)


def entry_asset(
    name: str,
    entry_name: str,
    do: Step,
    *,
    group: str,
    deps: Iterable[Any],
    partitions: dg.PartitionsDefinition | None = None,
    of_present: bool = False,
) -> dg.AssetsDefinition:
    """An asset that one step makes, for an entry of the catalog.

    ``of_present``: the step works as of the present, whatever the partition; otherwise as of the partition's beginning.
    """

    @dg.asset(
        name=name,
        group_name=group,
        partitions_def=partitions,
        deps=deps,
        description=entry(entry_name).description,
        required_resource_keys={"site"},
        kinds={"postgresql"},
        tags={"waldur/entry": entry_name},
        pool=entry(entry_name).dagster_name,  # one run at a time, in a backfill too
    )
    def asset(context: dg.AssetExecutionContext) -> None:
        site: RunSite = context.resources.site
        with site.step(context.op_execution_context, entry_name, site.present if of_present else None) as work:
            do(work, site)
        site.finish(context.op_execution_context, entry_name)

    return asset


def entry_of(asset: dg.AssetsDefinition) -> str:
    """The name of the entry that an asset implements."""
    return asset.tags_by_key[asset.key]["waldur/entry"]


def entry_asset_job(asset: dg.AssetsDefinition) -> Any:
    """The job of the entry that an asset implements."""
    documented = entry(entry_of(asset))
    return dg.define_asset_job(
        documented.dagster_name, selection=[asset.key], description=documented.description, tags=documented.tags
    )
