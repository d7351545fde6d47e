"""``waldur-dagster partitions``: what was there before this program came is shown as there."""

from datetime import date

import dagster as dg
import typer
from rich.console import Console

from assets import asset_entries, build_assets
from waldur_dagster.cli.instance import dagster_instance
from waldur_dagster.deployment import load_deployment
from waldur_dagster.past_partitions import made_before
from waldur_dagster.site import Site

app = typer.Typer(help="Months and days that Waldur has made before.", no_args_is_help=True)


@app.callback()
def partitions() -> None:
    """Months and days that Waldur has made before."""


@app.command()
def sync() -> None:
    """Report months and days that the site's database has as materialized, where Dagster does not know of them."""
    deployment, console = load_deployment(), Console()
    keys = {name: build_assets(deployment).partitions.get(entry) for name, entry in asset_entries().items()}
    with Site(deployment) as site:
        site.check()
        found = made_before(site)
    with dagster_instance() as instance:
        for asset, rows in found.items():
            definition = keys[asset]
            assert definition is not None
            missing = _missing(instance, dg.AssetKey(asset), definition, rows)
            for day in missing:
                instance.report_runless_asset_event(
                    dg.AssetMaterialization(
                        asset,
                        description="Made by Waldur before this program came.",
                        metadata={"rows": rows[day]},
                        partition=day.isoformat(),
                    )
                )
            console.print(f"{asset}: {len(missing)} of {len(rows)} reported")


def _missing(
    instance: dg.DagsterInstance, key: dg.AssetKey, partitions: dg.PartitionsDefinition, rows: dict[date, int]
) -> list[date]:
    """The partitions of the site that this deployment has, and that Dagster does not know as materialized."""
    known = instance.get_materialized_partitions(key)
    shown = set(partitions.get_partition_keys())
    return [day for day in sorted(rows) if day.isoformat() in shown - known]
