"""How long it takes to pull many things from outside systems, which stand in a process of their own on loopback.

``python -m benchmarks.pulls``: two loopback clouds with 1,000 OpenStack tenants between them, each with 20 servers, 30
volumes, 10 snapshots and 40 ports, which answer after 5 ms. ``python -m benchmarks.pulls usage``: the usage of 100,000
resources of 5 remote Waldurs, in pages of 200 that are answered after 50 ms. The first pull writes every row, the
second finds nothing to write, and the third of the clouds does so while a third cloud is down.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import httpx
import typer
from rich.console import Console
from sqlalchemy import Engine

from benchmarks import runner
from benchmarks.recorder import Recorder, Stage
from benchmarks.runner import DirectoryOption, StatementsOption, Tell
from tests.openstack.cloud import PASSWORD, LoopbackCloud, serving_cloud
from tests.openstack.scenes import ENTRY, NOW, port, project_id, server, snapshot, volume
from tests.remote.remote_waldur import TOKEN, RemoteWaldur, serving_remote, uuid_of
from tests.remote.scenes import MADE, OFFERING, RESOURCE, TYPE, usage
from tests.remote.scenes import NOW as REMOTE_NOW
from waldur_dagster.openstack.pull_resources import pull_tenant_resources
from waldur_dagster.outbox.migrate import migrate
from waldur_dagster.platform.month import Month
from waldur_dagster.platform.plugin_resources import PLUGIN_RESOURCES
from waldur_dagster.remote.usage import pull_usage
from waldur_dagster.schema import django, marketplace, openstack, structure
from waldur_dagster.schema.generations import Generation, create_tables
from waldur_dagster.site import Site
from waldur_dagster.visits import loop as visits
from waldur_dagster.work import Work

USAGE_ENTRY = "waldur-remote-pull-usage"
SERVERS, VOLUMES, SNAPSHOTS, PORTS = 20, 30, 10, 40
ANSWER_AFTER = 0.005  # seconds
DOWN = "pull with a third cloud down"
MOST_SECONDS = {"first pull": 180.0, "second pull": 120.0, DOWN: 120.0}
MOST_MEMORY = 300.0  # MiB


@dataclass(frozen=True)
class Counted:
    """Names of what a tenant has; ids are unique in the cloud."""

    tenant: int

    def names(self, kind: str, count: int) -> list[str]:
        return [f"id-{kind}-{self.tenant}-{n}" for n in range(count)]


REMOTES, MONTHS = 5, 2  # remotes, and months that each of their resources has used something in
PAGE_AFTER = 0.05  # seconds
MOST_SECONDS_OF_USAGE = {"first pull": 600.0, "second pull": 600.0}
MOST_MEMORY_OF_USAGE = 1500.0  # MiB


class LargeRemote(RemoteWaldur):
    """A remote with one offering, whose lists need no search."""

    def _found(self, path: str, query: dict[str, str]) -> list[dict[str, Any]]:
        time.sleep(PAGE_AFTER)
        return self.objects[path]


app = typer.Typer(add_completion=False)


@app.command()
def serve(tenants: int) -> None:
    """Be the cloud: print the address, and answer until the input ends."""
    cloud = LoopbackCloud(pause=ANSWER_AFTER)
    for number in range(tenants):
        own, names = cloud.data[project_id(number)], Counted(number).names
        own["servers"] = [server(id) for id in names("s", SERVERS)]
        own["volumes"] = [volume(id, size=20) for id in names("v", VOLUMES)]
        own["snapshots"] = [snapshot(id, size=20) for id in names("n", SNAPSHOTS)]
        own["ports"] = [port(id, device_id=f"id-s-{number}-{n % SERVERS}") for n, id in enumerate(names("p", PORTS))]
    with serving_cloud(cloud):
        print(cloud.url, flush=True)
        for line in sys.stdin:
            if line.strip() == "calls":
                print(sum(cloud.calls.values()), flush=True)


@app.callback(invoke_without_command=True)
def measure(
    context: typer.Context,
    tenants: int = 1000,
    statements: StatementsOption = 0,
    directory: DirectoryOption = None,
) -> None:
    """Pull three times, and tell seconds, calls and statements of each."""
    if context.invoked_subcommand:
        return
    console = Console()
    with runner.empty_database(directory, console) as (engine, tell), _served("serve", tenants) as (first, calls):
        url = first()
        _until_it_answers(f"{url}/keystone/v3")
        tell("making the site")
        _make(engine, tenants, [url, url])
        recorder = Recorder(engine)
        asked, parts = [0], []
        for name in MOST_SECONDS:
            if name == DOWN:
                with Site(runner.deployment_of(engine)) as site, site.work("pull", NOW) as work:
                    _add_cloud(work, 3, "http://127.0.0.1:9", range(tenants, tenants + tenants // 2))
            with _told_apart() as part:
                _pull(engine, recorder, name, tell)
            parts.append(part)
            asked.append(calls())
    console.print(runner.stage_table(f"{tenants} tenants", [recorder.stages], tenants))
    for before, after, part, stage in zip(asked, asked[1:], parts, recorder.stages, strict=False):
        console.print(
            f"{stage.name}: {part['fetch']:.1f} s of fetching, {visits.PARALLEL} tenants of a cloud at once; "
            f"{part['merge']:.1f} s of merging; {after - before:,} calls, "
            f"{len(stage.statements) / tenants:.1f} statements a tenant"
        )
    if statements:
        console.print(runner.slowest(recorder.stages, statements))
    figures = [(f"seconds for the {s.name}", s.seconds, MOST_SECONDS[s.name]) for s in recorder.stages]
    memory = ("MiB of memory", max(stage.peak for stage in recorder.stages), MOST_MEMORY)
    runner.conclude(console, runner.missed([*figures, memory]))


@app.command()
def serve_remotes(resources: int) -> None:
    """Be the remotes: print their addresses, and answer until the input ends."""
    remotes = [LargeRemote() for _ in range(REMOTES)]
    for number, remote in enumerate(remotes, 1):
        ids = range(number, resources + 1, REMOTES)
        months = [{"date": f"2025-0{3 - n}-05T00:00:00Z", "billing_period": f"2025-0{3 - n}-01"} for n in range(MONTHS)]
        remote.objects["marketplace-component-usages"] = [
            usage(id * MONTHS + n, id, number, **month) for id in ids for n, month in enumerate(months)
        ]
    with ExitStack() as stack:
        for remote in remotes:
            print(stack.enter_context(serving_remote(remote)).api_url, flush=True)
        for line in sys.stdin:
            if line.strip() == "calls":
                print(sum(sum(remote.calls.values()) for remote in remotes), flush=True)


@app.command("usage")
def measure_usage(
    resources: int = 100_000, statements: StatementsOption = 0, directory: DirectoryOption = None
) -> None:
    """Pull the usage of remote resources twice, and tell seconds, calls and statements of each."""
    console = Console()
    with runner.empty_database(directory, console) as (engine, tell), _served("serve-remotes", resources) as served:
        address, calls = served
        tell("making the site")
        _make_reseller(engine, resources, [address() for _ in range(REMOTES)])
        recorder = Recorder(engine)
        asked = [0]
        for name in MOST_SECONDS_OF_USAGE:
            tell(name)
            with Site(runner.deployment_of(engine)) as site, recorder.stage(name) as stage:
                recorder.watch(site.engine)
                pull_usage(site.transactions(USAGE_ENTRY, REMOTE_NOW), Month.of(REMOTE_NOW, site.deployment.zone))
                stage.rows = sum(count for kinds in site.outcome.rows.values() for count in kinds.values())
                assert not site.outcome.failures
            asked.append(calls())
    console.print(runner.stage_table(f"{resources:,} resources", [recorder.stages], resources))
    for before, after, stage in zip(asked, asked[1:], recorder.stages, strict=False):
        console.print(f"{stage.name}: {after - before:,} requests")
    if statements:
        console.print(runner.slowest(recorder.stages, statements))
    figures = [(f"seconds for the {s.name}", s.seconds, MOST_SECONDS_OF_USAGE[s.name]) for s in recorder.stages]
    memory = ("MiB of memory", max(stage.peak for stage in recorder.stages), MOST_MEMORY_OF_USAGE)
    runner.conclude(console, runner.missed([*figures, memory]))


@contextmanager
def _told_apart() -> Iterator[Counter[str]]:
    """Seconds in which threads fetched, summed up, and in which the program merged."""
    seconds: Counter[str] = Counter()

    def timed(name: str, do: Callable[..., Any]) -> Callable[..., Any]:
        def measured(*arguments: Any) -> Any:
            begun = time.perf_counter()
            try:
                return do(*arguments)
            finally:
                seconds[name] += time.perf_counter() - begun  # type: ignore[assignment]

        return measured

    journey = visits._Journey
    with (
        patch.object(journey, "_fetched", timed("fetch", journey._fetched)),
        patch.object(journey, "_settle", timed("merge", journey._settle)),
    ):
        yield seconds


@contextmanager
def _served(command: str, size: int) -> Iterator[tuple[Callable[[], str], Callable[[], int]]]:
    """What reads the next address that the outside systems print, and what tells how many calls they have had."""
    written = [sys.executable, "-m", "benchmarks.pulls", command, str(size)]
    with subprocess.Popen(written, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdin is not None and running.stdout is not None
        stdin, stdout = running.stdin, running.stdout

        def calls() -> int:
            print("calls", file=stdin, flush=True)
            return int(stdout.readline())

        yield lambda: stdout.readline().strip(), calls
        running.terminate()


def _until_it_answers(url: str) -> None:
    for _ in range(100):
        try:
            httpx.get(url)
            return
        except httpx.TransportError:
            time.sleep(0.1)


def _make_reseller(engine: Engine, resources: int, api_urls: list[str]) -> None:
    """An offering at each remote; resources are dealt out to them in turn."""
    with engine.begin() as connection:
        create_tables(connection, Generation.OCTOBER_2024)
    migrate(engine)
    with Site(runner.deployment_of(engine)) as site, site.work(USAGE_ENTRY, REMOTE_NOW) as work:
        work.insert(structure.customer, [{"id": 1, "name": "Customer"}])
        work.insert(structure.project, [{"id": 1, "name": "Project", "customer_id": 1}])
        work.insert(marketplace.category, [{"id": 1, "title": "Category"}])
        for number, url in enumerate(api_urls, 1):
            row = {"id": number, "name": f"Cluster {number}", "type": TYPE, "state": 2, "customer_id": 1}
            secrets = {"secret_options": {"api_url": url, "token": TOKEN}, "plugin_options": {}, "slug": str(number)}
            work.insert(
                marketplace.offering, [row | secrets | {"backend_id": uuid_of(OFFERING, number), "category_id": 1}]
            )
            component = {"id": number, "offering_id": number, "type": "cpu", "name": "CPU", "billing_type": "usage"}
            work.insert(marketplace.offeringcomponent, [component])
            work.insert(marketplace.plan, [{"id": number, "offering_id": number, "name": "Plan", "unit": "month"}])
        places = [((id - 1) % REMOTES + 1, id) for id in range(1, resources + 1)]
        work.insert(
            marketplace.resource,
            [
                {"id": id, "name": f"r{id}", "offering_id": offering, "plan_id": offering, "project_id": 1, "state": 2}
                | {"backend_id": uuid_of(RESOURCE, id), "created": MADE, "limits": {}, "slug": f"r{id}"}
                for offering, id in places
            ],
        )
        periods = [{"id": id, "resource_id": id, "plan_id": offering, "start": MADE} for offering, id in places]
        work.insert(marketplace.resourceplanperiod, periods)


def _make(engine: Engine, tenants: int, urls: list[str]) -> None:
    with engine.begin() as connection:
        create_tables(connection, Generation.OCTOBER_2024)
    migrate(engine)
    with Site(runner.deployment_of(engine)) as site, site.work("pull", NOW) as work:
        types = {(plugin.app_label, plugin.model) for plugin in PLUGIN_RESOURCES}
        types |= {("structure", "project"), ("structure", "customer"), ("core", "user"), ("marketplace", "resource")}
        work.insert(django.content_type, [{"app_label": a, "model": m} for a, m in sorted(types)])
        work.insert(structure.customer, [{"id": 1, "name": "Customer"}])
        work.insert(structure.project, [{"id": 1, "name": "Project", "customer_id": 1}])
        share = tenants // len(urls)
        for number, url in enumerate(urls):
            _add_cloud(work, number + 1, url, range(number * share, (number + 1) * share))


def _add_cloud(work: Work, settings: int, url: str, tenants: Sequence[int]) -> None:
    row = {"type": "OpenStack", "state": 3, "is_active": True, "username": "admin", "options": "{}"}
    address = {"backend_url": f"{url}/keystone/v3", "password": PASSWORD, "domain": "Default"}
    work.insert(structure.servicesettings, [{"id": settings, "name": f"cloud {settings}"} | row | address])
    place = {"service_settings_id": settings, "project_id": 1, "state": 3, "modified": NOW}
    login = {"user_username": "user", "user_password": PASSWORD, "action_details": "{}"}
    rows = [{"id": n + 1, "name": f"t{n}", "backend_id": project_id(n)} | place | login for n in tenants]
    work.insert(openstack.tenant, rows)
    kinds: list[tuple[Any, str, int, dict[str, Any]]] = [
        (openstack.instance, "s", SERVERS, {"action_details": "{}"}),
        (openstack.volume, "v", VOLUMES, {"action_details": "{}", "metadata": "{}", "image_metadata": "{}"}),
        (openstack.snapshot, "n", SNAPSHOTS, {"action_details": "{}", "metadata": "{}"}),
    ]
    for table, kind, count, values in kinds:
        own = [
            {"tenant_id": n + 1, "backend_id": id, "name": "old"} | place | values
            for n in tenants
            for id in Counted(n).names(kind, count)
        ]
        work.insert(table, own)


def _pull(engine: Engine, recorder: Recorder, name: str, tell: Tell) -> Stage:
    tell(name)
    with Site(runner.deployment_of(engine)) as site, recorder.stage(name) as stage:
        recorder.watch(site.engine)
        pull_tenant_resources(site.transactions(ENTRY, NOW))
        stage.rows = sum(count for kinds in site.outcome.rows.values() for count in kinds.values())
    return stage


if __name__ == "__main__":
    app()
