"""How long an idle evaluation of all policies takes on a large site: it runs every minute on the first of a month.

``python -m benchmarks.policies`` makes the site on an embedded server, gives policies to every customer, project and
offering, lets them fire once, and then evaluates them again while nothing changes.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from sqlalchemy import Engine, create_engine, func, select

from benchmarks.site import MONTH, Filler, Size, build, tidy
from tests.statements import counted
from waldur_dagster.demo import server
from waldur_dagster.deployment import Deployment, parse_deployment
from waldur_dagster.policies import evaluate_policies
from waldur_dagster.schema import policy, structure
from waldur_dagster.site import Site

ENTRY, RUNS, MOST_SECONDS = "check-polices", 7, 1.0
AS_OF = MONTH.previous.end
KINDS = (
    policy.projectestimatedcostpolicy,
    policy.customerestimatedcostpolicy,
    policy.offeringestimatedcostpolicy,
    policy.offeringusagepolicy,
)


def add_policies(engine: Engine, size: Size, *, projects: bool) -> None:
    """A policy on the cost of every customer (and every project), and on the cost and usage of every offering.

    One limit in ten is exceeded.
    """
    with engine.begin() as connection:
        fill = Filler(connection, size)
        fill.add(structure.organizationgroup, "(VALUES ('All')) v(name)", name="v.name")
        fill.run("UPDATE structure_customer SET organization_group_id = (SELECT id FROM structure_organizationgroup)")
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


def measure(deployment: Deployment) -> tuple[list[float], int]:
    """Seconds of each idle evaluation, and the number of its statements."""
    with Site(deployment) as site, site.work(ENTRY, AS_OF) as work:
        evaluate_policies(work)
    seconds: list[float] = []
    statements = 0
    for _ in range(RUNS):
        with Site(deployment) as site, site.work(ENTRY, AS_OF) as work, counted(work.connection) as sent:
            started = time.perf_counter()
            evaluate_policies(work)
            seconds.append(time.perf_counter() - started)
            statements = len(sent)
            if work.outcome.rows:
                raise RuntimeError("an idle evaluation wrote")
    return seconds, statements


def main(
    customers: Annotated[int, typer.Option(help="How many customers the site has.")] = 10_000,
    projects: Annotated[bool, typer.Option(help="Give every project a policy too.")] = False,
) -> None:
    console, size = Console(), Size(customers=customers)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        url = server.create_database(server.url_of(server.start(Path(folder) / "pg", after_exit="delete")), "bench")
        deployment = parse_deployment({"database": {"url": url.render_as_string(hide_password=False)}})
        engine = create_engine(url)
        build(engine, deployment, size, console.print)
        add_policies(engine, size, projects=projects)
        with engine.connect() as connection:
            policies = sum(connection.scalar(select(func.count()).select_from(kind)) or 0 for kind in KINDS)
        engine.dispose()
        seconds, statements = measure(deployment)
    middle = statistics.median(seconds)
    console.print(f"{policies} policies, {size.items} items a month: {middle:.2f} s, {statements} statements")
    if middle > MOST_SECONDS:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
