"""Copies of a site, one for each trial, and the runs that are made on them."""

from __future__ import annotations

import itertools
import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, text

from assets.partitions import partition_key
from tests.chaos.launcher import Order
from tests.chaos.outside_state import Outside
from tests.chaos.rows import Rows
from tests.mail_server import MailServer, mail_server
from waldur_dagster.catalog import entry
from waldur_dagster.definitions import build_definitions
from waldur_dagster.demo import server
from waldur_dagster.deployment import CONFIG_VARIABLE, Deployment, parse_deployment
from waldur_dagster.outbox.delivery import deliver
from waldur_dagster.outbox.migrate import migrate
from waldur_dagster.outbox.tables import message, system
from waldur_dagster.schema.generations import Generation, create_tables

GONE = text(
    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'waldur-dagster' AND datname = current_database()"
)
# No file for each run, and no process that copies its output: a trial takes half the time.
INSTANCE = """
telemetry: {enabled: false}
nux: {enabled: false}
compute_logs: {module: dagster._core.storage.noop_compute_log_manager, class: NoOpComputeLogManager}
event_log_storage:
  module: dagster._core.storage.event_log
  class: ConsolidatedSqliteEventLogStorage
  config: {base_dir: HOME}
run_storage: {module: dagster._core.storage.runs, class: SqliteRunStorage, config: {base_dir: HOME}}
schedule_storage: {module: dagster._core.storage.schedules, class: SqliteScheduleStorage, config: {base_dir: HOME}}
"""
_NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Scene:
    """A site that entries are tried on: ``fill`` puts rows into an empty, migrated database.

    ``options`` are what its deployment file says beside the database; ``serve`` starts what outside systems it has, and
    gives further options; what these hold is ``outside``. ``as_of`` is the instant that its runs work for; ``later``:
    how much later an entry's next run is, where it takes up only then what a killed one has left.
    """

    name: str
    as_of: datetime
    fill: Callable[[Engine, Deployment], None]
    entries: Callable[[], list[str]]
    options: Mapping[str, Any] = field(default_factory=dict)
    serve: Callable[[ExitStack], Mapping[str, Any]] = lambda _: {}
    generation: Generation = Generation.NEWEST
    outside: Outside = field(default_factory=Outside)
    later: Mapping[str, timedelta] = field(default_factory=dict)


@dataclass
class Place:
    """A scene with its servers, whose template database is copied for each trial."""

    scene: Scene
    server: URL
    folder: Path
    mails: MailServer
    options: Mapping[str, Any]
    restart: Callable[[], None]

    @contextmanager
    def copied(self) -> Iterator[Copy]:
        """A copy of the scene for one trial."""
        url = server.create_database(self.server, f"trial_{next(_NUMBERS)}", self._template)
        engine = create_engine(url)
        self.mails.received.clear()
        self.scene.outside.put_back()
        try:
            yield Copy(self, engine)
        finally:
            engine.dispose()
            admin = create_engine(self.server, isolation_level="AUTOCOMMIT")
            with admin.connect() as connection:
                connection.execute(text(f'DROP DATABASE IF EXISTS "{url.database}" WITH (FORCE)'))
            admin.dispose()

    @property
    def _template(self) -> str:
        return f"template_{self.scene.name}"

    def prepare(self) -> None:
        url = server.create_database(self.server, self._template)
        engine = create_engine(url)
        with engine.begin() as connection:
            create_tables(connection, self.scene.generation)
        migrate(engine)
        self.scene.fill(engine, parse_deployment(self.document(url)))
        self.scene.outside.begin()
        engine.dispose()

    def document(self, url: URL, **more: Any) -> dict[str, Any]:
        address = {"url": url.render_as_string(hide_password=False)} | more.pop("database", {})
        return {"name": "chaos", "database": address, "mail": self.mails.options, **self.options, **more}

    def mailed(self) -> tuple[Counter[tuple[str, str]], int]:
        """Mails by recipients and subject, those that came again under their own id once; and how many did."""
        letters = {mail["Message-ID"]: (", ".join(to), mail["Subject"]) for to, mail in self.mails.received}
        return Counter(letters.values()), len(self.mails.received) - len(letters)

    @cached_property
    def definitions(self) -> Any:
        return build_definitions(parse_deployment(self.document(self.server)))


@dataclass
class Copy:
    """One trial's database."""

    place: Place
    engine: Engine

    def rows(self, known: Mapping[str, set[int]] | None = None) -> Rows:
        return Rows(self.engine, self.place.scene.as_of, known)

    def order(
        self, name: str, *, at: int = 0, signal: int = 9, number: int = 0, again: bool = False, **document: Any
    ) -> Order:
        """The run of an entry; ``number`` tells runs apart that are made at once, ``document`` changes the file.

        ``again``: it is the next run, after one that was not well.
        """
        scene = self.place.scene
        as_of = scene.as_of + (scene.later.get(name, timedelta()) if again else timedelta())
        folder = self.place.folder / f"run-{number}"
        home = folder / "dagster"
        home.mkdir(parents=True, exist_ok=True)
        (home / "dagster.yaml").write_text(INSTANCE.replace("HOME", str(home)))
        file, options = folder / "waldur.toml", folder / "options.yaml"
        file.write_text(in_toml(self.place.document(self.engine.url, **document)))
        options.write_text(json.dumps({"resources": {"site": {"config": {"as_of": as_of.isoformat()}}}}))
        job = self.place.definitions.resolve_job_def(entry(name).dagster_name)
        partition = partition_key(job.partitions_def, scene.as_of)
        tags = {} if partition is None else {"dagster/partition": partition}
        words = ["job", "execute", "-m", "waldur_dagster.definitions", "-j", job.name, "-c", str(options)]
        return Order(
            words=[*words, "--tags", json.dumps(tags)],
            environment={CONFIG_VARIABLE: str(file), "DAGSTER_HOME": str(home), **scene.outside.environment},
            log=str(folder / "log"),
            trace=str(folder / "trace"),
            at=at,
            signal=signal,
        )

    def settle(self) -> None:
        """Until what a killed process has begun on the server is over."""
        end = time.monotonic() + 60
        with self.engine.connect() as connection:
            while connection.scalar(GONE):
                connection.rollback()
                if time.monotonic() > end:
                    raise TimeoutError("a session of a killed process does not end")
                time.sleep(0.01)

    def deliver_all(self) -> None:
        """What waits goes out, as when all pauses are over; twice, for what is of unknown fate."""
        deployment = parse_deployment(self.place.document(self.engine.url))
        for _ in range(2):
            with self.engine.begin() as connection:
                connection.execute(message.update().values(next_attempt=text("now()")))
                connection.execute(system.delete())
            deliver(self.engine, deployment)


def no_restart() -> None:
    raise RuntimeError("this server is not restarted")


@contextmanager
def placed(scene: Scene, server_url: URL, folder: Path, restart: Callable[[], None] = no_restart) -> Iterator[Place]:
    """A scene with its outside systems, ready to be copied; ``restart`` crashes its server and brings it back."""
    own = folder / scene.name
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir(parents=True)
    with ExitStack() as parts:
        mails = parts.enter_context(mail_server())
        place = Place(scene, server_url, own, mails, dict(scene.options) | dict(scene.serve(parts)), restart)
        place.prepare()
        yield place


def in_toml(value: Any) -> str:
    """A document as a deployment file: one inline table for each section."""
    return "".join(f"{json.dumps(name)} = {_inline(part)}\n" for name, part in value.items())


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(name)} = {_inline(part)}" for name, part in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return json.dumps(value)
