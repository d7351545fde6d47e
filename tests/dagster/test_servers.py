"""The server deployment: the files of deploy/ with the values that the compose file gives, as real processes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml
from sqlalchemy import Engine, create_engine, insert, text
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from tests.conftest import PROJECT
from tests.mail_server import free_port
from tests.tcp_server import tcp_server
from waldur_dagster.demo import server
from waldur_dagster.deployment import CONFIG_VARIABLE
from waldur_dagster.outbox.migrate import migrate
from waldur_dagster.outbox.tables import message
from waldur_dagster.schema.generations import Generation, create_tables

PATIENCE = 180  # seconds; a quiet machine needs a tenth of it
ENTRY = "cancel_expired_group_invitations"
RUNS = (
    """{ runsOrError(filter: {pipelineName: "%s"}) { ... on Runs { results { runId status tags { key value } } } } }"""
)
MARK = "ZZsecretZZ"
# Every outside system is away, and has a secret that can be recognized.
DEPLOYMENT = """
reports = "{folder}/reports"
[database]
url = "{url}"
[mail]
host = "127.0.0.1"
port = {port}
user = "u"
password = "{mark}-mail"
[celery]
broker_url = "amqp://u:{mark}-broker@127.0.0.1:{port}//"
[waldur_api]
url = "http://u:{mark}-userinfo@127.0.0.1:{port}"
token = "{mark}-api"
[waldur]
"WALDUR_CORE.INVITATION_WEBHOOK_URL" = "http://127.0.0.1:{port}/hook?token={mark}-address"
"WALDUR_CORE.INVITATION_WEBHOOK_TOKEN_URL" = "http://127.0.0.1:{port}/token"
"WALDUR_CORE.INVITATION_WEBHOOK_TOKEN_SECRET" = "{mark}-hook"
"WALDUR_FREEIPA.HOSTNAME" = "http://127.0.0.1:{port}"
"WALDUR_FREEIPA.USERNAME" = "waldur"
"WALDUR_FREEIPA.PASSWORD" = "{mark}-freeipa"
[entries.cancel_expired_group_invitations]
schedule = "* * * * *"
running = true
"""
MESSAGES = (
    {"kind": "mail", "subject": "S", "body": "B", "from_address": "a@x.org", "to": ["b@x.org"]},
    {"kind": "handover", "task": "waldur_mastermind.marketplace.tasks.process_order", "args": ["x"]},
    {"kind": "api_call", "path": "/api/x/"},
    {"kind": "invitation", "fields": {"email": "guest@x.org"}},
    {"kind": "account", "user_id": 1, "username": "guest", "password": f"{MARK}-account"},
)
ALL_RUNS = """{ runsOrError { ... on Runs { results {
    runId status runConfigYaml tags { key value }
    stats { ... on PythonError { message stack } }
    eventConnection { events { __typename ... on MessageEvent { message level stepKey }
        ... on ErrorEvent { error { message stack causes { message } } }
        ... on EngineEvent { metadataEntries { label ... on TextMetadataEntry { text } } }
        ... on ExecutionStepOutputEvent { metadataEntries { label
            ... on TextMetadataEntry { text } ... on MarkdownMetadataEntry { mdStr } } } } }
} } } }"""
ALL_TICKS = """{ repositoriesOrError { ... on RepositoryConnection { nodes { name
    schedules { name scheduleState { ticks { status skipReason error { message stack } } } }
    sensors { name sensorState { ticks { status skipReason error { message stack } } } }
    pipelines { name description tags { key value } }
} } } }"""
SETTINGS = """{ instance { info runLauncher { name } daemonHealth { allDaemonStatuses { lastHeartbeatErrors { message
    stack } } } } }"""
LOGS = """query ($key: [String!]!) { capturedLogs(logKey: $key) { stderr } }"""


class Servers:
    """The compose file's services as processes of this machine."""

    def __init__(self, folder: Path, storage_port: int, site: Engine):
        self.site = site
        self.folder, self.ports = folder, {"code": free_port(), "webserver": free_port()}
        self.compose = yaml.safe_load((PROJECT / "deploy" / "compose.yaml").read_text())
        (folder / "dagster.yaml").write_text((PROJECT / "deploy" / "dagster.yaml").read_text())
        workspace = (PROJECT / "deploy" / "workspace.yaml").read_text()
        (folder / "workspace.yaml").write_text(
            workspace.replace("host: code", "host: 127.0.0.1").replace("4000", str(self.ports["code"]))
        )
        given = self.compose["services"]["daemon"]["environment"]
        values = {name: re.sub(r"\$\{[^}]*\}", "secret", str(value)) for name, value in given.items()}
        values["DAGSTER_STORAGE_URL"] = values["DAGSTER_STORAGE_URL"].replace(
            "storage:5432", f"127.0.0.1:{storage_port}"
        )
        values["DAGSTER_COMPUTE_LOGS"] = str(folder / "logs")
        self.environment = os.environ | values | {"DAGSTER_HOME": str(folder), "PYTHONPATH": str(PROJECT)}
        self.environment[CONFIG_VARIABLE] = str(folder / "waldur.toml")
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        (code,) = [
            line.removeprefix("CMD ")
            for line in (PROJECT / "deploy" / "Dockerfile").read_text().splitlines()
            if line.startswith("CMD ")
        ]
        commands = [yaml.safe_load(code)] + [
            self.compose["services"][one]["command"] for one in ("webserver", "daemon")
        ]
        for words in commands:
            own = [word.replace("4000", str(self.ports["code"])) for word in words]
            own = [word.replace("3000", str(self.ports["webserver"])) for word in own]
            own[0] = str(Path(sys.executable).with_name(own[0]))
            with (self.folder / f"{Path(own[0]).name}.log").open("w") as log:
                self.processes.append(
                    subprocess.Popen(
                        own, cwd=self.folder, env=self.environment, stdout=log, stderr=log, start_new_session=True
                    )
                )

    def stop(self) -> None:
        for process in self.processes:
            os.killpg(process.pid, signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)

    def ask(self, query: str, **variables: Any) -> Any:
        url = f"http://127.0.0.1:{self.ports['webserver']}/graphql"
        answer = httpx.post(url, json={"query": query, "variables": variables}, timeout=60).raise_for_status().json()
        (data,) = answer["data"].values()
        return data

    def logs(self) -> str:
        return "\n".join(file.read_text()[-2000:] for file in self.folder.glob("*.log"))


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    tmp_path = tmp_path_factory.mktemp("servers")
    with tcp_server(tmp_path / "postgresql") as address:
        engine = create_engine(address, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text("CREATE ROLE dagster LOGIN PASSWORD 'secret'"))
            connection.execute(text("CREATE DATABASE dagster OWNER dagster"))
        engine.dispose()
        site = server.create_database(address, "waldur")
        engine = create_engine(site)
        with engine.begin() as connection:
            create_tables(connection, Generation.OCTOBER_2024)
        migrate(engine)
        engine.dispose()
        assert address.port is not None
        made = Servers(tmp_path, address.port, create_engine(site))
        url = site.set(username="postgres", password=f"{MARK}-database").render_as_string(hide_password=False)
        (tmp_path / "waldur.toml").write_text(DEPLOYMENT.format(folder=tmp_path, url=url, port=free_port(), mark=MARK))
        made.start()
        try:
            yield made
        finally:
            made.stop()
            made.site.dispose()


def _until(found: Callable[[], Any], servers: Servers) -> Any:
    """Wait until something is found."""

    def look() -> Any:
        what = found()
        if not what:
            raise TimeoutError(servers.logs())
        return what

    attempts = Retrying(
        stop=stop_after_delay(PATIENCE),
        wait=wait_fixed(0.5),
        retry=retry_if_exception_type((TimeoutError, httpx.HTTPError)),
        reraise=True,
    )
    return attempts(look)


def _ended(servers: Servers, name: str) -> list[dict[str, Any]]:
    return [run for run in servers.ask(RUNS % name)["results"] if run["status"] in {"SUCCESS", "FAILURE"}]


def test_a_scheduled_job_runs_to_its_end_on_the_servers_of_the_compose_file(servers: Servers) -> None:
    run = _until(lambda: _ended(servers, ENTRY), servers)[-1]
    tags = {tag["key"]: tag["value"] for tag in run["tags"]}
    assert run["status"] == "SUCCESS", servers.logs()
    assert tags["dagster/schedule_name"] == ENTRY
    # What the run printed, in the code server's process, is read by the web server.
    (captured,) = (servers.folder / "logs" / run["runId"] / "compute_logs").glob("*.err")
    shown = servers.ask(LOGS, key=[run["runId"], "compute_logs", captured.stem])
    assert shown["stderr"] == captured.read_text() != ""


def test_a_run_whose_process_is_killed_is_started_again(servers: Servers) -> None:
    """By the code server, which misses it, and the daemon, as ``run_retries`` says."""

    def retried() -> list[dict[str, Any]]:
        return [run for run in _ended(servers, ENTRY) if "dagster/parent_run_id" in {tag["key"] for tag in run["tags"]}]

    with servers.site.connect() as holder:
        holder.execute(text("LOCK TABLE users_groupinvitation IN ACCESS EXCLUSIVE MODE"))
        process = _until(lambda: _at_work(servers), servers)
        process.kill()
        holder.rollback()
    run = _until(retried, servers)[-1]
    assert run["status"] == "SUCCESS", servers.logs()


def _at_work(servers: Servers) -> psutil.Process | None:
    """The process of the run that waits for a lock; PostgreSQL knows the port that it comes from."""
    waiting = text(
        "SELECT client_port FROM pg_stat_activity "
        "WHERE application_name = 'waldur-dagster' AND wait_event_type = 'Lock'"
    )
    with servers.site.connect() as connection:
        port = connection.scalar(waiting)
    code_server = psutil.Process(servers.processes[0].pid)
    for process in code_server.children(recursive=True):
        with suppress(psutil.NoSuchProcess, FileNotFoundError):
            if port in {found.laddr.port for found in process.net_connections("tcp")}:
                return process
    return None


def test_nothing_that_the_servers_show_or_keep_holds_a_secret(servers: Servers) -> None:
    rows = [
        {"key": part["kind"], "kind": part["kind"], "entry": "e", "run_id": "", "payload": part} for part in MESSAGES
    ]
    with servers.site.begin() as connection:
        connection.execute(insert(message).values(rows))
        # What is at work is ended, and what comes next meets a table that is not there.
        connection.execute(text("ALTER TABLE users_groupinvitation RENAME TO away"))
    names = ("deliver_waiting_messages", ENTRY)
    _until(lambda: all(_ended(servers, name) for name in names) and len(_resting(servers)) == len(MESSAGES), servers)
    answers = [servers.ask(query) for query in (ALL_RUNS, ALL_TICKS, SETTINGS)]
    told = json.dumps(answers)
    assert "left alone" in told or "not delivered" in told  # the troubles are told of
    files = [file for file in servers.folder.rglob("*") if file.is_file() and file.name != "waldur.toml"]
    kept = {str(file): file.read_bytes() for file in files if "postgresql" not in file.parts}
    kept |= {f"database {name}": rows for name, rows in _tables(servers).items()}
    shown = {"GraphQL": told.encode()} | kept
    assert {
        name: words for name, rows in shown.items() if (words := re.findall(rb".{0,80}" + MARK.encode(), rows))
    } == {}


def _resting(servers: Servers) -> list[str]:
    with servers.site.connect() as connection:
        return list(connection.scalars(text("SELECT name FROM waldur_dagster.outbox_system")))


def _tables(servers: Servers) -> dict[str, bytes]:
    """All rows of Dagster's storage and of the site's tables, but the payloads of what waits."""
    found: dict[str, bytes] = {}
    for database in ("dagster", "waldur"):
        engine = create_engine(servers.site.url.set(database=database))
        with engine.connect() as connection:
            tables = connection.execute(
                text("SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('public', 'waldur_dagster')")
            ).all()
            for schema, name in tables:
                row = "to_jsonb(t) - 'payload'" if name == "outbox_message" else "to_jsonb(t)"
                rows = connection.scalars(text(f'SELECT CAST({row} AS text) FROM {schema}."{name}" t')).all()
                found[f"{database}.{name}"] = "\n".join(rows).encode()
        engine.dispose()
    return found
