"""The compose file's services as processes of this machine: code server, web server and daemon."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml
from sqlalchemy import Engine, create_engine, text
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from tests.conftest import PROJECT
from tests.mail_server import free_port
from tests.sessions import ending
from waldur_dagster.deployment import CONFIG_VARIABLE

PATIENCE = 240  # seconds; a quiet machine needs a quarter of it
RUNS = """{ runsOrError(filter: {pipelineName: "%s"}) { ... on Runs { results {
    runId status runConfigYaml tags { key value } } } } }"""
LAUNCH = """mutation ($job: String!) { launchRun(executionParams: { mode: "default", selector: {
    repositoryLocationName: "waldur", repositoryName: "__repository__", pipelineName: $job } }) {
    ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
LOCATIONS = """{ workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError { __typename } } } } }"""
# A sensor that has never ticked is due.
DUE = r"""UPDATE instigators SET instigator_body =
    regexp_replace(instigator_body, '"last_tick_(start_)?timestamp": [0-9.]+', '"last_tick_\1timestamp": 0.0', 'g')
    WHERE instigator_type = 'SENSOR' AND instigator_body LIKE '%"' || :name || '"%'"""


class Servers:
    """Dagster's storage and the site are databases of one server; ``deployment`` is the text of the deployment file,
    which names ``mail_port`` as that of a mail server that is not there."""

    def __init__(self, folder: Path, site: Engine, deployment: str, mail_port: int):
        self.site, self.mail_port = site, mail_port
        self.administrator = create_engine(site.url.set(database="postgres"), isolation_level="AUTOCOMMIT")
        self.storage = create_engine(site.url.set(database="dagster"))
        self.folder, self.ports = folder, {"code": free_port(), "webserver": free_port()}
        self.compose = yaml.safe_load((PROJECT / "deploy" / "compose.yaml").read_text())
        (folder / "waldur.toml").write_text(deployment)
        (folder / "dagster.yaml").write_text((PROJECT / "deploy" / "dagster.yaml").read_text())
        workspace = (PROJECT / "deploy" / "workspace.yaml").read_text()
        (folder / "workspace.yaml").write_text(
            workspace.replace("host: code", "host: 127.0.0.1").replace("4000", str(self.ports["code"]))
        )
        given = self.compose["services"]["daemon"]["environment"]
        values = {name: re.sub(r"\$\{[^}]*\}", "secret", str(value)) for name, value in given.items()}
        values["DAGSTER_STORAGE_URL"] = values["DAGSTER_STORAGE_URL"].replace(
            "storage:5432", f"127.0.0.1:{site.url.port}"
        )
        values["DAGSTER_COMPUTE_LOGS"] = str(folder / "logs")
        self.environment = os.environ | values | {"DAGSTER_HOME": str(folder), "PYTHONPATH": str(PROJECT)}
        self.environment[CONFIG_VARIABLE] = str(folder / "waldur.toml")
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """All of them; the daemon once the code location is loaded, since it looks for new schedules once a minute."""
        dockerfile = (PROJECT / "deploy" / "Dockerfile").read_text().splitlines()
        (code,) = [line.removeprefix("CMD ") for line in dockerfile if line.startswith("CMD ")]
        self._start(yaml.safe_load(code))
        self._start(self.compose["services"]["webserver"]["command"])
        self.until(self._is_loaded)
        self._start(self.compose["services"]["daemon"]["command"])

    def _is_loaded(self) -> bool:
        (location,) = self.ask(LOCATIONS)["locationEntries"]
        return bool(location["locationOrLoadError"]["__typename"] == "RepositoryLocation")

    def _start(self, command: list[str]) -> None:
        own = [word.replace("4000", str(self.ports["code"])) for word in command]
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
        for engine in (self.site, self.storage, self.administrator):
            engine.dispose()

    def ask(self, query: str, **variables: Any) -> Any:
        url = f"http://127.0.0.1:{self.ports['webserver']}/graphql"
        answer = httpx.post(url, json={"query": query, "variables": variables}, timeout=60).raise_for_status().json()
        (data,) = answer["data"].values()
        return data

    def launch(self, job: str) -> str:
        """Start a run as the Launchpad does; gives its id."""
        run_id: str = self.ask(LAUNCH, job=job)["run"]["runId"]
        return run_id

    def ended(self, job: str, **tags: str) -> list[dict[str, Any]]:
        """The runs of a job that have ended and have these tags, newest first."""
        ended = [run for run in self.ask(RUNS % job)["results"] if run["status"] in {"SUCCESS", "FAILURE"}]
        return [run for run in ended if tags.items() <= tags_of(run).items()]

    def until(self, found: Callable[[], Any], *, hurry: str | None = None) -> Any:
        """Wait until something is found. Raises TimeoutError with the ends of the logs.

        ``hurry`` is a sensor that the daemon evaluates at every look of its own, not a minute after the last time.
        """

        def look() -> Any:
            if hurry:
                with self.storage.begin() as connection:
                    connection.execute(text(DUE), {"name": hurry})
            what = found()
            if not what:
                raise TimeoutError(self.logs())
            return what

        attempts = Retrying(
            stop=stop_after_delay(PATIENCE),
            wait=wait_fixed(0.5),
            retry=retry_if_exception_type((TimeoutError, httpx.HTTPError)),
            reraise=True,
        )
        return attempts(look)

    @contextmanager
    def site_away(self) -> Iterator[None]:
        """Nobody can connect to Waldur's database, while Dagster's storage on the same server goes on."""
        self.site.dispose()
        self._let_connect("false")
        with self.administrator.connect() as connection:
            connection.execute(text(ending("datname = :name")), {"name": self.site.url.database})
        try:
            yield
        finally:
            self._let_connect("true")

    def _let_connect(self, whether: str) -> None:
        with self.administrator.connect() as connection:
            connection.execute(text(f'ALTER DATABASE "{self.site.url.database}" ALLOW_CONNECTIONS {whether}'))

    def logs(self) -> str:
        return "\n".join(file.read_text()[-2000:] for file in self.folder.glob("*.log"))


def tags_of(run: dict[str, Any]) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in run["tags"]}
