"""The server deployment: the files of deploy/ with the values that the compose file gives, as real processes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from sqlalchemy import create_engine, text
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from tests.conftest import PROJECT
from tests.mail_server import free_port
from tests.tcp_server import tcp_server
from waldur_dagster.demo import server
from waldur_dagster.deployment import CONFIG_VARIABLE
from waldur_dagster.outbox.migrate import migrate
from waldur_dagster.schema.generations import Generation, create_tables

PATIENCE = 180  # seconds; a quiet machine needs a tenth of it
ENTRY = "cancel_expired_group_invitations"
RUNS = (
    """{ runsOrError(filter: {pipelineName: "%s"}) { ... on Runs { results { runId status tags { key value } } } } }"""
)
LOGS = """query ($key: [String!]!) { capturedLogs(logKey: $key) { stderr } }"""


class Servers:
    """The compose file's services as processes of this machine."""

    def __init__(self, folder: Path, storage_port: int):
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


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
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
        made = Servers(tmp_path, address.port)
        every_minute = f'[entries.{ENTRY}]\nschedule = "* * * * *"\nrunning = true\n'
        (tmp_path / "waldur.toml").write_text(
            f'reports = "{tmp_path}/reports"\n[database]\nurl = "{site.render_as_string()}"\n{every_minute}'
        )
        made.start()
        try:
            yield made
        finally:
            made.stop()


def test_a_scheduled_job_runs_to_its_end_on_the_servers_of_the_compose_file(servers: Servers) -> None:
    def finished() -> dict[str, Any]:
        ended = [run for run in servers.ask(RUNS % ENTRY)["results"] if run["status"] in {"SUCCESS", "FAILURE"}]
        if not ended:
            raise TimeoutError(servers.logs())
        return dict(ended[-1])

    wait = Retrying(
        stop=stop_after_delay(PATIENCE),
        wait=wait_fixed(0.5),
        retry=retry_if_exception_type((TimeoutError, httpx.HTTPError)),
        reraise=True,
    )
    run = wait(finished)
    tags = {tag["key"]: tag["value"] for tag in run["tags"]}
    assert run["status"] == "SUCCESS", servers.logs()
    assert tags["dagster/schedule_name"] == ENTRY
    # What the run printed, in the code server's process, is read by the web server.
    (captured,) = (servers.folder / "logs" / run["runId"] / "compute_logs").glob("*.err")
    shown = servers.ask(LOGS, key=[run["runId"], "compute_logs", captured.stem])
    assert shown["stderr"] == captured.read_text() != ""
