"""How long an idle evaluation of all policies takes on a large site: it runs every minute on the first of a month.

``python -m benchmarks.policies`` makes the site on an embedded server, gives policies to every customer, project and
offering, lets them fire once, and then evaluates them again while nothing changes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import typer
from rich.console import Console
from sqlalchemy import Engine, func, select

from benchmarks import runner
from benchmarks.recorder import Recorder, Stage
from benchmarks.runner import SIZES, DirectoryOption, GenerationOption, SizeOption, StatementsOption, Tell
from benchmarks.site import MONTH, Filler, Size, build, tidy
from waldur_dagster.policies import check_policies
from waldur_dagster.schema import policy, structure
from waldur_dagster.schema.generations import Generation
from waldur_dagster.site import Site

ENTRY, RUNS, MOST_SECONDS = "check-polices", 7, 1.0
FIRST, IDLE = "policies fire", "nothing changes"
AS_OF = MONTH.previous.end
KINDS = (
    policy.projectestimatedcostpolicy,
    policy.customerestimatedcostpolicy,
    policy.offeringestimatedcostpolicy,
    policy.offeringusagepolicy,
)


@dataclass(frozen=True)
class Figures:
    """The first evaluation, in which a tenth of the policies fire, and those after it, in which nothing changes."""

    policies: int
    items: int
    first: Stage
    idle: list[Stage]

    @property
    def median(self) -> Stage:
        middle = sorted(self.idle, key=lambda stage: stage.seconds)[len(self.idle) // 2]
        return replace(middle, name=f"{IDLE}, median", is_sum=True)

    def misses(self) -> list[str]:
        return runner.missed([("seconds", self.median.seconds, MOST_SECONDS)])


def add_policies(engine: Engine, size: Size, *, projects: bool) -> None:
    """A policy on the cost of every customer (and every project), and on the cost and usage of every offering.

    One limit in ten is exceeded.
    """
    with engine.begin() as connection:
        fill = Filler(connection, size)
        _join_groups(fill)
        limits = {"limit_cost": "CASE s.id % 10 WHEN 0 THEN 1 ELSE 1000000 END", "actions": "''", "period": "2"}
        scopes = {
            policy.customerestimatedcostpolicy: "structure_customer",
            policy.offeringestimatedcostpolicy: "marketplace_offering",
        }
        if projects:
            scopes[policy.projectestimatedcostpolicy] = "structure_project"
        for table, scope in scopes.items():
            fill.add(table, f"{scope} s", scope_id="s.id", **limits)
        fill.add(policy.offeringusagepolicy, "marketplace_offering s", scope_id="s.id", actions="''", period="2")
        for table in (
            policy.offeringestimatedcostpolicy_organization_groups,
            policy.offeringusagepolicy_organization_groups,
        ):
            owner = table.name.removeprefix("policy_").removesuffix("_organization_groups")
            fill.add(
                table,
                f"policy_{owner} p, structure_organizationgroup g",
                organizationgroup_id="g.id",
                **{f"{owner}_id": "p.id"},
            )
        fill.add(
            policy.offeringcomponentlimit,
            "policy_offeringusagepolicy p JOIN marketplace_offeringcomponent c ON c.offering_id = p.scope_id",
            policy_id="p.id",
            component_id="c.id",
            limit="1000000000",
        )
    tidy(engine)


def _join_groups(fill: Filler) -> None:
    """All organizations are in one group."""
    membership = structure.customer_organization_groups
    if fill.schema.has(membership.name):
        fill.add(structure.organizationgroup, "(VALUES ('All')) v(name)", name="v.name")
        everybody = "structure_customer c, structure_organizationgroup g"
        fill.add(membership, everybody, customer_id="c.id", organizationgroup_id="g.id")
    else:
        fill.run("INSERT INTO structure_organizationgrouptype (uuid, name) VALUES (gen_random_uuid(), 'Kind')")
        fill.run(
            "INSERT INTO structure_organizationgroup (uuid, name, type_id)"
            " SELECT gen_random_uuid(), 'All', id FROM structure_organizationgrouptype"
        )
        fill.run("UPDATE structure_customer SET organization_group_id = (SELECT id FROM structure_organizationgroup)")


def measure(
    engine: Engine,
    size: Size,
    *,
    projects: bool = False,
    progress: Tell = print,
    generation: Generation = Generation.NEWEST,
) -> Figures:
    """Make a site in an empty database, let its policies fire, and evaluate them again and again."""
    build(engine, runner.deployment_of(engine), size, progress, generation)
    progress("policies")
    add_policies(engine, size, projects=projects)
    recorder = Recorder(engine)
    first = _evaluate(engine, recorder, FIRST, progress)
    tidy(engine)
    idle = [_evaluate(engine, recorder, f"{IDLE}, run {n}", progress) for n in range(1, RUNS + 1)]
    with engine.connect() as connection:
        policies = sum(connection.scalar(select(func.count()).select_from(kind)) or 0 for kind in KINDS)
    return Figures(policies, size.items, first, idle)


def _evaluate(engine: Engine, recorder: Recorder, name: str, progress: Tell) -> Stage:
    progress(name)
    with Site(runner.deployment_of(engine)) as site:
        recorder.watch(site.engine)
        with site.work(ENTRY, AS_OF) as work, recorder.stage(name) as stage:
            check_policies(work)
        stage.rows = sum(kinds.total() for kinds in site.outcome.rows.values())
    return stage


def main(
    size: SizeOption = "large",
    projects: Annotated[bool, typer.Option(help="Give every project a policy too.")] = False,
    statements: StatementsOption = 0,
    directory: DirectoryOption = None,
    generation: GenerationOption = Generation.NEWEST,
) -> None:
    """Evaluate the policies of a large site; fails when an evaluation in which nothing changes is too slow."""
    console, chosen = Console(), runner.size_of(size)
    with runner.empty_database(directory, console) as (engine, progress):
        figures = measure(engine, chosen, projects=projects, progress=progress, generation=generation)
    title = f"Evaluating {figures.policies:,} policies on {figures.items:,} items a month"
    console.print(runner.stage_table(title, [[figures.first, *figures.idle], [figures.median]]))
    if statements:
        console.print(runner.slowest([figures.idle[-1]], statements))
    # The target is a site whose customers have policies.
    runner.conclude(console, figures.misses() if chosen == SIZES["large"] and not projects else [])


if __name__ == "__main__":
    typer.run(main)
