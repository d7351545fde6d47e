"""How long the quotas, the usage totals and the daily history of a large site take, stage by stage.

``python -m benchmarks.quotas`` makes the site on an embedded server with OpenStack tenants and their servers and disks,
orders, allocations, and a log in which every quota is wrong. Each job runs twice: everything has to be written first,
and nothing then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import typer
from rich.console import Console
from sqlalchemy import Engine

from benchmarks import runner
from benchmarks.recorder import Recorder, Stage
from benchmarks.runner import SIZES, DirectoryOption, GenerationOption, SizeOption, StatementsOption, Tell
from benchmarks.site import BORN, MONTH, Filler, Size, lay, tidy
from waldur_dagster.marketplace import category_usage
from waldur_dagster.platform.quota_usage import OF_TENANTS
from waldur_dagster.quotas import daily_history, recount
from waldur_dagster.quotas.fields import CUSTOMER, FIELDS, OFFERING, PROJECT, Kind
from waldur_dagster.schema import analytics, django, marketplace, openstack, quotas, slurm, structure
from waldur_dagster.schema.generations import Generation
from waldur_dagster.site import Site
from waldur_dagster.work import Work

AS_OF = MONTH.previous.end
USAGE_MONTH = MONTH.previous
LIFETIME = timedelta(days=31)

INSTANCES, VOLUMES, SNAPSHOTS, PORTS = 3, 4, 2, 3


@dataclass(frozen=True)
class Job:
    """What is measured: steps (entry, what it does), and the most seconds they may take together."""

    name: str
    most_seconds: float
    steps: tuple[tuple[str, Callable[[Work], None]], ...]


JOBS = (
    Job(
        "recalculation of quotas",
        10,
        ((recount.STANDARD, recount.recount_standard_quotas), (recount.CUSTOM, recount.recount_custom_quotas)),
    ),
    Job(
        "usage totals of a month",
        10,
        ((category_usage.ENTRY, lambda work: category_usage.total_usage(work, USAGE_MONTH)),),
    ),
    Job(
        "daily history",
        5,
        ((daily_history.ENTRY, lambda work: daily_history.keep_daily_quotas(work, AS_OF.date())),),
    ),
)


@dataclass
class Figures:
    """The stages of each job, when all has to be written and when nothing has."""

    jobs: dict[str, list[Stage]] = field(default_factory=dict)
    again: dict[str, list[Stage]] = field(default_factory=dict)

    @property
    def stages(self) -> list[Stage]:
        return [stage for found in (self.jobs, self.again) for stages in found.values() for stage in stages]

    def misses(self) -> list[str]:
        """The targets that this run missed; they are meant for the site of the default size."""
        return runner.missed(
            (f"seconds for {job.name}", Stage.sum("", self.jobs[job.name]).seconds, job.most_seconds) for job in JOBS
        )


def measure(engine: Engine, size: Size, progress: Tell = print, generation: Generation = Generation.NEWEST) -> Figures:
    """Make a site in an empty database and let each job run twice."""
    lay(engine, size, progress, LAYERS, generation)
    recorder, figures = Recorder(engine), Figures()
    for when, found in (("", figures.jobs), (" again", figures.again)):
        for job in JOBS:
            found[job.name] = stages = []
            for entry, step in job.steps:
                progress(entry + when)
                with recorder.stage(entry + when) as stage:
                    stage.rows = _run(engine, recorder, entry, step)
                stages.append(stage)
        tidy(engine)
    return figures


def _run(engine: Engine, recorder: Recorder, entry: str, step: Callable[[Work], None]) -> int:
    """Returns the number of rows that were written."""
    with Site(runner.deployment_of(engine)) as site:
        recorder.watch(site.engine)
        with site.work(entry, AS_OF) as work:
            step(work)
    return sum(kinds.total() for kinds in site.outcome.rows.values())


def _clouds(fill: Filler) -> None:
    """An OpenStack tenant in each project, with servers, disks and ports; an allocation in every tenth one."""
    for app, model in (("openstack", "tenant"), ("marketplace", "category")):
        fill.add(django.content_type, f"(VALUES ('{app}', '{model}')) v(app, model)", app_label="app", model="v.model")
    fill.add(structure.servicesettings, "(VALUES ('Cloud')) v(name)", name="v.name", type="'OpenStack'")
    place = {"project_id": "p.id", "service_settings_id": "s.id"}
    projects = "structure_project p, structure_servicesettings s"
    fill.add(openstack.tenant, projects, **place)
    if fill.schema.has(slurm.allocation.name):  # newer versions of Waldur have none
        fill.add(slurm.allocation, f"{projects} WHERE p.id % 10 = 0", **place)
    inside = {"project_id": "t.project_id", "service_settings_id": "t.service_settings_id", "tenant_id": "t.id"}
    for table, number, values in (
        (openstack.instance, INSTANCES, {"cores": "1 + n", "ram": "1024 * n"}),
        (openstack.volume, VOLUMES, {"size": "10240 * n"}),
        (openstack.snapshot, SNAPSHOTS, {"size": "1024 * n"}),
        (openstack.port, PORTS, {}),
    ):
        fill.add(table, f"openstack_tenant t, generate_series(1, {number}) n", **inside, **values)


def _orders(fill: Filler) -> None:
    """The order that made each resource."""
    fill.add(
        marketplace.order,
        "marketplace_resource r, (SELECT min(id) AS id FROM core_user) u",
        resource_id="r.id",
        offering_id="r.offering_id",
        project_id="r.project_id",
        created_by_id="u.id",
        state="3",
        created=BORN,
    )


def _quota_log(fill: Filler) -> None:
    """Three changes of each quota of each scope, and of each quota of each tenant; hardly any sum is right."""
    fill.run("DELETE FROM quotas_quotausage")
    names = {
        scope: [f.name for f in FIELDS if f.scope is scope and f.kind is not Kind.PLAIN]
        for scope in (CUSTOMER, PROJECT, OFFERING)
    }
    logged = {scope.table.name: (scope.model, found) for scope, found in names.items()}
    for table, (model, found) in (*logged.items(), ("openstack_tenant", ("tenant", list(OF_TENANTS)))):
        fill.add(
            quotas.quotausage,
            f"{table} s, unnest(ARRAY{found}) v(name), generate_series(1, 3) n",
            name="v.name",
            object_id="s.id",
            content_type_id=f"(SELECT t.id FROM django_content_type t WHERE t.model = '{model}')",
            delta="n + s.id % 5",
        )


def _category_components(fill: Filler) -> None:
    """What the components of all offerings are summed to: a component of their category for each type."""
    fill.add(
        marketplace.categorycomponent,
        "(SELECT DISTINCT o.category_id, c.type FROM marketplace_offeringcomponent c"
        " JOIN marketplace_offering o ON o.id = c.offering_id) v",
        category_id="v.category_id",
        type="v.type",
        name="v.type",
    )
    fill.run(
        "UPDATE marketplace_offeringcomponent c SET parent_id = p.id"
        " FROM marketplace_offering o, marketplace_categorycomponent p"
        " WHERE o.id = c.offering_id AND p.category_id = o.category_id AND p.type = c.type"
    )


def _history(fill: Filler) -> None:
    """Two days that are kept and one that is kept too long, of all quotas of customers and projects."""
    oldest = AS_OF.date() - LIFETIME - timedelta(days=1)
    fill.add(
        analytics.dailyquotahistory,
        "(SELECT DISTINCT content_type_id, object_id, name FROM quotas_quotausage u"
        " JOIN django_content_type t ON t.id = u.content_type_id WHERE t.model IN ('customer', 'project')) v,"
        " generate_series(0, 2) n",
        content_type_id="v.content_type_id",
        object_id="v.object_id",
        name="v.name",
        usage="n",
        date=f"date '{oldest}' + n",
    )


LAYERS: tuple[Callable[[Filler], None], ...] = (_clouds, _orders, _quota_log, _category_components, _history)


def _total(name: str, stages: list[Stage]) -> list[Stage]:
    return [Stage.sum(name, stages)] if len(stages) > 1 else []


def main(
    size: SizeOption = "large",
    statements: StatementsOption = 0,
    directory: DirectoryOption = None,
    generation: GenerationOption = Generation.NEWEST,
) -> None:
    """Recount the quotas of a large site, total its usage and take its day; fails when a target is missed."""
    console, chosen = Console(), runner.size_of(size)
    with runner.empty_database(directory, console) as (engine, progress):
        figures = measure(engine, chosen, progress, generation)
    title = f"Quotas of {chosen.customers:,} customers and {chosen.customers * chosen.projects:,} projects"
    sections = [[*stages, *_total(name, stages)] for name, stages in figures.jobs.items()]
    console.print(runner.stage_table(title, [*sections, *figures.again.values()]))
    if statements:
        console.print(runner.slowest(figures.stages, statements))
    runner.conclude(console, figures.misses() if chosen == SIZES["large"] else [])


if __name__ == "__main__":
    typer.run(main)
