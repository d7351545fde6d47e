"""How the functions that do an entry's work become an asset with its job, and the job of its dry run.

A dry run is a job of ops, not of assets: Dagster counts every run of an asset job as an attempt to make its assets,
and what depends on them follows. The very same steps run in both; only the asset job may tell of an asset. Where
somebody sets ``dry_run`` in a run of the asset job all the same, its last step has no output: nothing is materialized,
no check is run, and nothing downstream follows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import dagster as dg

from assets.tables import described, key_of
from waldur_dagster.catalog import Entry, entry
from waldur_dagster.functions import Function
from waldur_dagster.resources import DRY_RUN_TAG, site_resource

if TYPE_CHECKING:
    from waldur_dagster.deployment import Deployment
    from waldur_dagster.resources import RunSite
    from waldur_dagster.site import Transactions
    from waldur_dagster.work import Work

DRY_RUN = "Dry run: reports what would change and be sent, and rolls it back."


@dataclass(frozen=True)
class Step:
    """One step of an entry: a function of the unit of work, and of the run's month or day when ``of`` says so.

    ``of_present``: it works as of the present, whatever the partition; otherwise as of the partition's beginning.
    ``item_by_item``: the function is given what opens the next transaction (site.Transactions) instead.
    """

    do: Function
    description: str | None = None
    name: str | None = None
    of: Literal["month", "day"] | None = None
    of_present: bool = False
    item_by_item: bool = False

    def __call__(self, work: "Work | Transactions", site: "RunSite") -> None:
        partition = () if self.of is None else (getattr(site, self.of),)
        self.do(work, *partition)


@dataclass(frozen=True)
class EntryAsset:
    """An asset that implements an entry of the catalog: its steps in their order, and what people see of it.

    ``deps`` are the assets, ``tables`` those of Waldur's tables that it is made of; ``table`` is the one that it lies
    in. ``figures`` gives numbers of the asset itself, as the last step leaves it.
    """

    name: str
    entry: str
    group: str
    steps: tuple[Step, ...]
    deps: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    partitions: dg.PartitionsDefinition[str] | None = None
    table: str | None = None
    figures: Function | None = None

    @property
    def documented(self) -> Entry:
        return entry(self.entry)

    @property
    def made_of(self) -> dict[str, dg.AssetKey]:
        """What it is made of, by name."""
        return {name: dg.AssetKey(name) for name in self.deps} | {name: key_of(name) for name in self.tables}

    def definition(self, deployment: "Deployment") -> dg.AssetsDefinition:
        """The asset. What is seen of it is described in one place for all assets (assets/tables.py)."""
        ops = self._ops
        if len(ops) == 1:
            made = dg.AssetsDefinition.from_op(
                ops[0],
                keys_by_input_name=self.made_of,
                keys_by_output_name={"result": dg.AssetKey(self.name)},
                partitions_def=self.partitions,
            )
        else:
            made = _graph_asset(self, ops)
        return made.map_asset_specs(
            lambda spec: described(
                spec.replace_attributes(
                    description=self.documented.description,
                    group_name=self.group,
                    kinds={"postgresql"},
                    tags={"waldur/entry": self.entry},
                ),
                deployment,
                source=[step.do for step in self.steps],
                table=self.table,
                documented=self.documented,
            )
        )

    def job(self) -> Any:
        """The job that makes the asset."""
        name, tags = self.documented.dagster_name, self.documented.tags
        description = f"{self.documented.description} Its dry run is the job {self.dry_run_name}."
        return dg.define_asset_job(name, selection=[dg.AssetKey(self.name)], description=description, tags=tags)

    @property
    def dry_run_name(self) -> str:
        return dry_run_name(self.documented)

    def dry_run(self, deployment: "Deployment") -> dg.JobDefinition:
        """The job of its dry run: the same steps, and no asset."""

        @dg.job(
            name=self.dry_run_name,
            description=f"{DRY_RUN} {self.documented.description}",
            tags=self.documented.tags | {DRY_RUN_TAG: "true"},
            partitions_def=self.partitions,
            resource_defs={"site": site_resource(deployment, dry_run=True)},
        )
        def job() -> None:
            first, *others = self._ops
            done = first()
            for op in others:
                done = op(before=done)

        return job

    @cached_property
    def _ops(self) -> list[dg.OpDefinition]:
        """The steps as ops; both jobs have the same ones, since names of ops are unique in a code location."""
        last = len(self.steps) - 1
        return [_op(self, step, first=n == 0, last=n == last) for n, step in enumerate(self.steps)]


def dry_run_name(documented: Entry) -> str:
    """The name of the job of an asset's dry run."""
    return f"{documented.dagster_name}_dry_run"


def _op(asset: EntryAsset, step: Step, *, first: bool, last: bool) -> dg.OpDefinition:
    """An op that does one step in a transaction of its own; the last one also delivers, and tells failures."""

    @dg.op(
        name=asset.name if first and last else step.name or step.do.__name__,
        description=step.description or asset.documented.description,
        ins={name: dg.In(dg.Nothing) for name in (asset.made_of if first else ["before"])},
        out=dg.Out(dg.Nothing, is_required=not last),
        required_resource_keys={"site"},
        tags={"kind": "postgresql"},
        pool=asset.documented.dagster_name,  # one run at a time, in a backfill too
    )
    def run(context: dg.OpExecutionContext) -> Iterator[dg.Output[None]]:
        site: RunSite = context.resources.site
        as_of = site.present if step.of_present else None
        if step.item_by_item:
            with site.transactions(context, asset.entry, as_of) as transaction:
                step(transaction, site)
        else:
            site.do(
                context,
                asset.entry,
                lambda work: step(work, site),
                as_of,
                figures=asset.figures if last else None,
            )
        if last:
            site.finish(context, asset.entry)
        if not (last and site.dry_run and context.has_assets_def):
            yield dg.Output(None)

    return run


def _graph_asset(asset: EntryAsset, ops: list[dg.OpDefinition]) -> dg.AssetsDefinition:
    first, *others = ops

    @dg.graph_asset(
        name=asset.name,
        partitions_def=asset.partitions,
        ins={name: dg.AssetIn(key, dagster_type=dg.Nothing) for name, key in asset.made_of.items()},
    )
    def steps(**made_of: Any) -> Any:
        done = first(**made_of)
        for op in others:
            done = op(before=done)
        return done

    return steps
