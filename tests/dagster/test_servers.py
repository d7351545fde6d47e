"""The server deployment: the files of deploy/ with the values that the compose file gives, as real processes.

Each test takes the servers as the one before leaves them, so that two ticks of a schedule are waited for in all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import psutil
import pytest
from sqlalchemy import create_engine, insert, text

from schedules.entry_schedule import TICK, TRIED_AGAIN
from tests.dagster.servers import Servers, tags_of
from tests.mail_server import free_port, mail_server
from tests.scene import Scene
from tests.tcp_server import tcp_server
from waldur_dagster.catalog import entry
from waldur_dagster.demo import server
from waldur_dagster.outbox.migrate import migrate
from waldur_dagster.outbox.tables import message
from waldur_dagster.schema.generations import Generation, create_tables

pytestmark = pytest.mark.waits
ENTRY, KILLED = "cancel_expired_group_invitations", "expired-reviews-should-be-cancelled"
# Whichever minute comes first, it is that of a tick which is tried again for two minutes.
EVEN, ODD = "check-expired-permissions", "valimo-auth-cleanup-auth-results"
MARK = "ZZsecretZZ"
# Every outside system is away, and has a secret that can be recognized.
DEPLOYMENT = """
reports = "{folder}/reports"
[database]
url = "{url}"
[mail]
host = "127.0.0.1"
port = {mail}
user = "u"
password = "{mark}-mail"
[alerts]
to = ["operators@example.org"]
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
[entries.check-expired-permissions]
schedule = "*/2 * * * *"
running = true
[entries.valimo-auth-cleanup-auth-results]
schedule = "1-59/2 * * * *"
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
TICKS = """query ($name: String!) { scheduleOrError(scheduleSelector: {
    repositoryLocationName: "waldur", repositoryName: "__repository__", scheduleName: $name }) {
    ... on Schedule { scheduleState { ticks { status skipReason timestamp } } } } }"""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    tmp_path = tmp_path_factory.mktemp("servers")
    with tcp_server(tmp_path / "postgresql") as postgresql:
        engine = create_engine(postgresql.address, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text("CREATE ROLE dagster LOGIN PASSWORD 'secret'"))
            connection.execute(text("CREATE DATABASE dagster OWNER dagster"))
        engine.dispose()
        site = create_engine(server.create_database(postgresql.address, "waldur"))
        with site.begin() as connection:
            create_tables(connection, Generation.OCTOBER_2024)
        migrate(site)
        Scene(site)  # what each site has: its types of things
        url = site.url.set(username="postgres", password=f"{MARK}-database").render_as_string(hide_password=False)
        mail = free_port()
        deployment = DEPLOYMENT.format(folder=tmp_path, url=url, mark=MARK, port=free_port(), mail=mail)
        made = Servers(tmp_path, site, deployment, mail)
        try:
            made.start()
            yield made
        finally:
            made.stop()


def test_a_tick_while_the_database_is_away_is_told_and_runs_when_it_is_back(servers: Servers) -> None:
    with servers.site_away(), mail_server(port=servers.mail_port) as mails:
        name, tick = servers.until(lambda: _first_tick(servers, EVEN) or _first_tick(servers, ODD))
        assert (tick["status"], "not currently accepting connections" in tick["skipReason"]) == ("SKIPPED", True)
        assert tick["skipReason"].endswith(TRIED_AGAIN)
        (told,) = servers.until(
            lambda: [mail for _, mail in mails.received if name in mail.get_content()], hurry="late_ticks"
        )
        assert told["To"] == "operators@example.org"
    job, instant = entry(name).dagster_name, datetime.fromtimestamp(tick["timestamp"], UTC).isoformat()
    (run,) = servers.until(lambda: servers.ended(job, **{TICK: instant}), hurry="late_ticks")
    assert (run["status"], tags_of(run)["dagster/sensor_name"]) == ("SUCCESS", "late_ticks"), servers.logs()
    assert instant in run["runConfigYaml"]


def _first_tick(servers: Servers, name: str) -> tuple[str, dict[str, Any]] | None:
    schedule = servers.ask(TICKS, name=entry(name).dagster_name)
    ended = [tick for tick in schedule["scheduleState"]["ticks"] if tick["status"] != "STARTED"]
    return (name, ended[-1]) if ended else None


def test_a_run_whose_process_is_killed_is_started_again(servers: Servers) -> None:
    """By the code server, which misses it, and the daemon, as ``run_retries`` says."""
    job = entry(KILLED).dagster_name
    with servers.site.connect() as holder:
        holder.execute(text("LOCK TABLE proposal_review IN ACCESS EXCLUSIVE MODE"))
        killed = servers.launch(job)
        process = servers.until(lambda: _at_work(servers))
        process.kill()
        holder.rollback()
    (run,) = servers.until(lambda: servers.ended(job, **{"dagster/parent_run_id": killed}))
    assert run["status"] == "SUCCESS", servers.logs()


def test_a_scheduled_job_runs_to_its_end(servers: Servers) -> None:
    run = servers.until(lambda: servers.ended(ENTRY, **{"dagster/schedule_name": ENTRY}))[-1]
    assert run["status"] == "SUCCESS", servers.logs()
    # What the run printed, in the code server's process, is read by the web server.
    (captured,) = (servers.folder / "logs" / run["runId"] / "compute_logs").glob("*.err")
    shown = servers.ask(LOGS, key=[run["runId"], "compute_logs", captured.stem])
    assert shown["stderr"] == captured.read_text() != ""


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
        connection.execute(text("ALTER TABLE proposal_review RENAME TO away"))
    runs = {name: servers.launch(name) for name in ("deliver_waiting_messages", entry(KILLED).dagster_name)}
    servers.until(lambda: all(run_id in {run["runId"] for run in servers.ended(name)} for name, run_id in runs.items()))
    servers.until(lambda: len(_resting(servers)) == len(MESSAGES))
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
