"""The demo as ``make up`` starts it: a web server and a daemon, asked from outside."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from sqlalchemy import func, select

from tests.conftest import PROJECT
from tests.mail_server import free_port
from waldur_dagster.billing.monthly import ENTRY as BILLING
from waldur_dagster.catalog import ADDED, entry
from waldur_dagster.definitions import implemented_entries
from waldur_dagster.deployment import CONFIG_VARIABLE, load_deployment
from waldur_dagster.platform.month import Month
from waldur_dagster.schema import invoices
from waldur_dagster.site import make_engine

pytestmark = pytest.mark.waits
PATIENCE = 300  # seconds; a quiet machine needs a tenth of it
SCHEDULES = """{ schedulesOrError(repositorySelector:
    {repositoryLocationName: "waldur", repositoryName: "__repository__"})
    { ... on Schedules { results { name cronSchedule executionTimezone scheduleState { status } } } } }"""
LAUNCH = """mutation { launchPipelineExecution(executionParams: {
    selector: {repositoryLocationName: "waldur", repositoryName: "__repository__", jobName: "%s"}
    executionMetadata: {tags: [{key: "dagster/partition", value: "%s"}]}
    runConfigData: "{resources: {site: {config: %s}}}" })
    { __typename ... on LaunchRunSuccess { results: run { id } } ... on PythonError { message }
      ... on RunConfigValidationInvalid { errors { message } } } }"""
# Of Python, or of Dagster itself; a run's warnings, which name job and run, are about rows of the site.
# What Dagster says at every first start of its daemon, and when a code server ends before its proxy.
OF_DAGSTER = ("No cursor for event type", "Code server process has exited with code 0")
WARNING = re.compile(r"[A-Z]\w*Warning: |WARNING\S* - (?!\w+ - [0-9a-f-]{36} )")
STATUS = """{ runOrError(runId: "%s") { ... on Run { results: status } } }"""
PARTITIONS = """{ assetNodeOrError(assetKey: {path: ["invoices"]}) { ... on AssetNode { results: partitionStats
    { numMaterialized numFailed numMaterializing } } } }"""
RUNS = """{ runsOrError(filter: {pipelineName: "waldur_create_invoices"})
    { ... on Runs { results { status startTime tags { key value } } } } }"""


class Demo:
    """``waldur-dagster demo up`` in a process group of its own."""

    def __init__(self, folder: Path):
        self.folder, self.url = folder, ""
        self.environment = os.environ | {
            "PYTHONPATH": str(PROJECT),
            "DAGSTER_HOME": str(folder / "dagster"),
            CONFIG_VARIABLE: str(folder / "waldur.toml"),
        }

    def command(self, script: str, *words: str) -> list[str]:
        return [str(Path(sys.executable).with_name(script)), *words]

    def ask(self, query: str) -> Any:
        answer = httpx.post(f"{self.url}/graphql", json={"query": query}, timeout=60).raise_for_status().json()
        (data,) = answer["data"].values()
        return data.get("results")

    def wait_for(self, what: Callable[[], Any]) -> Any:
        """What ``what`` returns once it is true."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                if found := what():
                    return found
            except httpx.HTTPError:
                pass
            time.sleep(0.5)
        raise AssertionError((self.folder / "log").read_text()[-3000:])


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    made, port = Demo(tmp_path / "demo"), free_port()
    made.folder.mkdir()
    made.url = f"http://127.0.0.1:{port}"
    command = made.command("waldur-dagster", "demo", "up", "--folder", str(made.folder), "--port", str(port))
    with (made.folder / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=PROJECT, env=made.environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield made
    finally:
        # Not SIGINT: a shell that starts the tests in the background has its children ignore that.
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=PATIENCE)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    assert _left_behind(made.folder) == []


def _left_behind(folder: Path) -> list[str]:
    """What a stopped demo has left: processes that know its folder, or Dagster's warnings in what it printed."""
    here = str(folder)
    processes = [" ".join(one.info["cmdline"] or ()) for one in psutil.process_iter(["cmdline"])]
    warned = [
        line
        for line in (folder / "log").read_text().splitlines()
        if WARNING.search(line) and not any(words in line for words in OF_DAGSTER)
    ]
    return [line for line in processes if here in line] + warned


def _dry_runs_from_the_launchpad(demo: Demo, month: str) -> None:
    """Launch both kinds of dry run as the UI does, and see that no month is filled, fails, or is being filled."""
    job = entry(BILLING).dagster_name
    for name, options in ((f"{job}_dry_run", "{}"), (job, "{dry_run: true}")):
        run = demo.ask(LAUNCH % (name, month, options))["id"]
        assert demo.wait_for(partial(_end_of, demo, run)) == "SUCCESS"
        assert demo.ask(PARTITIONS) == {"numMaterialized": 0, "numFailed": 0, "numMaterializing": 0}


def _end_of(demo: Demo, run: str) -> str | None:
    status = demo.ask(STATUS % run)
    return status if status in ("SUCCESS", "FAILURE") else None


def test_a_port_that_is_taken_is_told_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        words = ("demo", "up", "--folder", str(tmp_path / "demo"), "--port", port)
        answer = subprocess.run(
            Demo(tmp_path).command("waldur-dagster", *words), check=False, cwd=PROJECT, capture_output=True, text=True
        )
    assert answer.returncode == 2 and f"port {port} is taken" in " ".join(answer.stderr.split())
    assert "make up PORT=" in " ".join(answer.stderr.split()) and not (tmp_path / "demo").exists()


def test_the_demo_shows_its_schedules_and_a_backfill_bills_months_in_order(demo: Demo) -> None:
    schedules = {one["name"]: one for one in demo.wait_for(lambda: demo.ask(SCHEDULES))}
    names = {entry(name).dagster_name for name in implemented_entries() | ADDED.keys()}
    assert set(schedules) == names | {"remove_old_history"}
    billing = schedules[entry(BILLING).dagster_name]
    assert (billing["cronSchedule"], billing["executionTimezone"]) == ("0 0 1 * *", "Europe/Tallinn")
    assert {one["scheduleState"]["status"] for one in schedules.values()} == {"STOPPED"}

    deployment = load_deployment(demo.folder / "waldur.toml")
    this_month = Month.of(datetime.now(UTC), deployment.zone)
    months = [this_month.previous.first.isoformat(), this_month.first.isoformat()]
    _dry_runs_from_the_launchpad(demo, months[1])
    words = ("job", "backfill", "--workspace", "workspace.yaml", "--job", entry(BILLING).dagster_name, "--noprompt")
    command = demo.command("dagster", *words, "--from", months[0], "--to", months[1])
    subprocess.run(command, cwd=PROJECT, env=demo.environment, check=True, capture_output=True, timeout=PATIENCE)

    def finished() -> list[dict[str, Any]]:
        runs = [run for run in demo.ask(RUNS) if "dagster/backfill" in {tag["key"] for tag in run["tags"]}]
        return runs if len(runs) == 2 and {run["status"] for run in runs} <= {"SUCCESS", "FAILURE"} else []

    runs = sorted(demo.wait_for(finished), key=lambda run: float(run["startTime"]))
    assert [run["status"] for run in runs] == ["SUCCESS", "SUCCESS"]
    tags = [{tag["key"]: tag["value"] for tag in run["tags"]} for run in runs]
    assert [one["dagster/partition"] for one in tags] == months

    engine, invoice = make_engine(deployment.database), invoices.invoice
    with engine.connect() as connection:
        counted = connection.execute(
            select(invoice.c.month, func.count(), func.count().filter(invoice.c.state == "pending"))
            .group_by(invoice.c.month)
            .order_by(invoice.c.month)
        )
        found = {month: (count, pending) for month, count, pending in counted}
    engine.dispose()
    assert found[this_month.previous.month][0] > 0 and found[this_month.previous.month][1] == 0
    assert found[this_month.month][0] == found[this_month.month][1] > 0
