"""How long the jobs of Rancher and its Keycloak take at a large site, stage by stage.

``python -m benchmarks.rancher measure`` makes a site on an embedded server and, in a process of its own, a loopback
Rancher of 1,000 clusters with 10 nodes each and a loopback Keycloak of 10,000 groups with 10 members each, which answer
after 5 ms. Every job runs twice: the first run writes what lacks, the second finds (nearly) nothing to do.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any

import typer
from rich.console import Console
from sqlalchemy import Engine

from benchmarks import runner
from benchmarks.recorder import Recorder
from benchmarks.runner import DirectoryOption, StatementsOption
from tests.rancher.keycloak_server import LoopbackKeycloak, serving_keycloak
from tests.rancher.rancher_server import KEY, SECRET, LoopbackRancher, node, serving_rancher
from tests.rancher.rancher_site import NOW
from waldur_dagster.outbox.migrate import migrate
from waldur_dagster.platform.plugin_resources import PLUGIN_RESOURCES
from waldur_dagster.rancher.bindings import sync_bindings
from waldur_dagster.rancher.keycloak_groups import delete_leftover_groups
from waldur_dagster.rancher.keycloak_memberships import delete_leftover_memberships
from waldur_dagster.rancher.keycloak_users import sync_users
from waldur_dagster.rancher.nodes import update_nodes
from waldur_dagster.schema import django, rancher, structure
from waldur_dagster.schema.generations import Generation, create_tables
from waldur_dagster.site import Site, Transactions
from waldur_dagster.work import Work

NODES, ROLES, MEMBERS = 10, 10, 10  # of a cluster, of a cluster, of a group
PENDING = 1000  # people who wait, one in each of the first groups
ANSWER_AFTER = 0.005  # seconds
JOBS: dict[str, Callable[[Transactions], None]] = {
    "waldur-rancher-update-clusters-nodes": update_nodes,
    "waldur-rancher-sync-rancher-group-bindings": sync_bindings,
    "waldur-rancher-sync-keycloak-users": sync_users,
    "waldur-rancher-delete-leftover-keycloak-groups": delete_leftover_groups,
    "waldur-rancher-delete-leftover-keycloak-memberships": delete_leftover_memberships,
}
MOST_SECONDS, MOST_MEMORY = 240.0, 400.0  # of a run; MiB

app = typer.Typer(add_completion=False)


def uuid_of(cluster: int) -> uuid.UUID:
    return uuid.UUID(int=cluster + 1)


def names_of(cluster: int) -> list[str]:
    return [f"c_{uuid_of(cluster).hex}_role-{n}" for n in range(ROLES)]


def _pause(*_: Any) -> None:
    time.sleep(ANSWER_AFTER)


@app.command()
def serve(clusters: int) -> None:
    """Be both: print the addresses and the ids of the groups, and answer until the input ends."""
    server, keycloak = LoopbackRancher(fault=_pause), LoopbackKeycloak(fault=_pause)
    server.collections = {"clusterroletemplatebindings": [], "projectroletemplatebindings": []}
    users = [keycloak.user(f"user{n}") for n in range(MEMBERS)]
    for n in range(PENDING):
        keycloak.user(f"waiting{n}")
    ids: dict[str, str] = {}
    for cluster in range(clusters):
        server.collections[f"clusters/c-{cluster}/nodes"] = [node(f"n{cluster}-{n}") for n in range(NODES)]
        ids |= {name: keycloak.group(name, *users) for name in names_of(cluster)}
    with serving_rancher(server), serving_keycloak(keycloak):
        print(json.dumps([server.url, keycloak.options, ids]), flush=True)
        for line in sys.stdin:
            if line.strip() == "calls":
                print(len(server.calls) + len(keycloak.calls), flush=True)


@app.command()
def measure(clusters: int = 1000, statements: StatementsOption = 0, directory: DirectoryOption = None) -> None:
    """Run every job twice, and tell seconds, calls and statements of each run."""
    console = Console()
    with ExitStack() as stack:
        engine, tell = stack.enter_context(runner.empty_database(directory, console))
        url, options, ids, calls = stack.enter_context(_servers(clusters))
        tell("making the site")
        _make(engine, clusters, url, options, ids)
        recorder, asked = Recorder(engine), [calls()]
        for entry, do in JOBS.items():
            for number, turn in enumerate(("first run", "second run")):
                tell(f"{entry}, {turn}")
                with Site(runner.deployment_of(engine)) as site, recorder.stage(f"{entry}, {turn}") as stage:
                    recorder.watch(site.engine)
                    do(site.transactions(entry, NOW + timedelta(hours=number)))
                    stage.rows = sum(count for kinds in site.outcome.rows.values() for count in kinds.values())
                asked.append(calls())
                for found in site.outcome.failures:
                    console.print(f"{found.item}: {found.problem}")
    console.print(runner.stage_table(f"{clusters} clusters", [recorder.stages], clusters))
    for before, after, stage in zip(asked, asked[1:], recorder.stages, strict=False):
        console.print(f"{stage.name}: {after - before:,} calls, {len(stage.statements):,} statements")
    if statements:
        console.print(runner.slowest(recorder.stages, statements))
    figures = [(f"seconds for {stage.name}", stage.seconds, MOST_SECONDS) for stage in recorder.stages]
    memory = ("MiB of memory", max(stage.peak for stage in recorder.stages), MOST_MEMORY)
    runner.conclude(console, runner.missed([*figures, memory]))


@contextmanager
def _servers(clusters: int) -> Iterator[tuple[str, dict[str, Any], dict[str, str], Callable[[], int]]]:
    """Rancher's address, the options that name Keycloak, its groups' ids by name, and what tells the calls so far."""
    command = [sys.executable, "-m", "benchmarks.rancher", "serve", str(clusters)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdin is not None and running.stdout is not None
        stdin, stdout = running.stdin, running.stdout

        def calls() -> int:
            print("calls", file=stdin, flush=True)
            return int(stdout.readline())

        url, options, ids = json.loads(stdout.readline())
        yield url, options, ids, calls
        running.terminate()


def _make(engine: Engine, clusters: int, url: str, options: dict[str, Any], ids: dict[str, str]) -> None:
    with engine.begin() as connection:
        create_tables(connection, Generation.NEWEST)
    migrate(engine)
    with Site(runner.deployment_of(engine)) as site, site.work("a benchmark", NOW) as work:
        types = {(plugin.app_label, plugin.model) for plugin in PLUGIN_RESOURCES}
        types |= {("structure", "project"), ("structure", "customer"), ("core", "user"), ("marketplace", "resource")}
        work.insert(django.content_type, [{"app_label": a, "model": m} for a, m in sorted(types)])
        work.insert(structure.customer, [{"id": 1, "name": "Customer"}])
        work.insert(structure.project, [{"id": 1, "name": "Project", "customer_id": 1}])
        row = {"type": "Rancher", "state": 3, "is_active": True, "username": KEY, "password": SECRET}
        where = {"backend_url": url, "options": json.dumps(options)}
        work.insert(structure.servicesettings, [{"id": 1, "name": "rancher"} | row | where])
        _add_clusters(work, clusters, ids)


def _add_clusters(work: Work, clusters: int, ids: dict[str, str]) -> None:
    place = {"settings_id": 1, "service_settings_id": 1, "project_id": 1, "state": 3, "modified": NOW}
    rows = [
        {"id": n + 1, "name": f"c-{n}", "backend_id": f"c-{n}", "uuid": uuid_of(n)} | place for n in range(clusters)
    ]
    work.insert(work.schema.whole(rancher.cluster), [row | {"vm_project_id": 1} for row in rows])
    nodes = [(n, f"n{n}-{m}") for n in range(clusters) for m in range(NODES)]
    row = {"state": 6, "runtime_state": "registering", "labels": {}, "annotations": {}}
    work.insert(
        rancher.node, [row | {"cluster_id": n + 1, "name": name, "backend_id": f"m-{name}"} for n, name in nodes]
    )
    role = {"scope_type": "cluster", "settings_id": 1}
    roles = [role | {"id": n + 1, "name": f"role-{n}", "display_name": f"role-{n}"} for n in range(ROLES)]
    work.insert(rancher.roletemplate, roles)
    groups = [(n, m, name) for n in range(clusters) for m, name in enumerate(names_of(n))]
    work.insert(
        rancher.keycloakgroup,
        [
            {"id": id, "name": name, "backend_id": ids[name], "scope_uuid": uuid_of(n), "role_id": m + 1}
            for id, (n, m, name) in enumerate(groups, 1)
        ],
    )
    row = {"created": NOW, "last_checked": NOW, "state": "active"}
    members = [
        row | {"group_id": id, "username": f"user{n}"} for id in range(1, len(groups) + 1) for n in range(MEMBERS)
    ]
    waiting = [row | {"group_id": n + 1, "username": f"waiting{n}", "state": "pending"} for n in range(PENDING)]
    work.insert(rancher.membership, members + waiting[: len(groups)])


if __name__ == "__main__":
    app()
