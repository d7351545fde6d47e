"""Where the demo lives: one folder with its server, Dagster's history, mails, reports and deployment file."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from sqlalchemy import URL, Engine, create_engine, text

from waldur_dagster import clock
from waldur_dagster.demo import server
from waldur_dagster.demo.agents import add_agents
from waldur_dagster.demo.calls import add_call
from waldur_dagster.demo.clouds import add_cloud_rows
from waldur_dagster.demo.endings import add_endings
from waldur_dagster.demo.other_waldurs import add_update_request
from waldur_dagster.demo.people import add_people
from waldur_dagster.demo.quotas import add_quotas
from waldur_dagster.demo.reminders import add_reminders
from waldur_dagster.demo.roles import add_ended_roles
from waldur_dagster.demo.scripts import add_script_offering
from waldur_dagster.demo.site import build_site
from waldur_dagster.demo.stuck import add_stuck_disks
from waldur_dagster.deployment import CONFIG_VARIABLE, Deployment, load_deployment
from waldur_dagster.outbox.migrate import migrate
from waldur_dagster.platform.month import Month
from waldur_dagster.schema.generations import Generation, create_tables

GENERATION = Generation.NEWEST

DEPLOYMENT = """\
# The demo site. A real deployment looks like deploy/waldur.example.toml.
name = "demo"
time_zone = "Europe/Tallinn"
first_month = "{first_month:%Y-%m}"
reports = "{home}/reports"
owners = ["team:demo"]
refresh_reports = true

[database]
url = "{url}"

[mail]
directory = "{home}/mails"

[web_hooks]
private_networks = ["127.0.0.0/8", "::1/128"]

[celery]
result_store_url = "file://{home}/celery"

[waldur]
DEFAULT_FROM_EMAIL = "cloud@example.org"

[waldur.WALDUR_CORE]
HOMEPORT_URL = "https://portal.example.org/"

[waldur.WALDUR_MARKETPLACE]
ENABLE_STALE_RESOURCE_NOTIFICATIONS = true

[waldur.WALDUR_INVOICES]
SEND_CUSTOMER_INVOICES = true
INVOICE_REPORTING = {{ ENABLE = true, EMAIL = "accounting@example.org" }}
"""


@dataclass(frozen=True)
class DemoHome:
    """The demo's folder; everything of it can be thrown away."""

    folder: Path

    @property
    def database(self) -> Path:
        return self.folder / "postgresql"

    @property
    def dagster(self) -> Path:
        return self.folder / "dagster"

    @property
    def mails(self) -> Path:
        return self.folder / "mails"

    @property
    def reports(self) -> Path:
        return self.folder / "reports"

    @property
    def complete(self) -> Path:
        """A mark that the site was made to its end."""
        return self.folder / "complete"

    @property
    def deployment_file(self) -> Path:
        return self.folder / "waldur.toml"

    def start(self, *, keep_running: bool = False) -> URL:
        """Start the embedded server; it stops with this process unless it is to be kept running."""
        running = server.start(self.database, after_exit=None if keep_running else "stop")
        return server.url_of(running, "waldur")

    def prepare(self) -> tuple[Deployment, bool]:
        """Start the server and make what is missing; tells whether the site was made anew.

        Sets WALDUR_DAGSTER_CONFIG and DAGSTER_HOME for this process and its children.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        url = self.start()
        # Of root's demo the database is run by another user, who has to come through.
        self.folder.chmod(0o711 if os.name == "posix" and os.geteuid() == 0 else 0o700)
        new = not (self.complete.exists() and _exists(url))  # one whose making was stopped is made again
        if new:
            self.complete.unlink(missing_ok=True)
            server.create_database(url.set(database="postgres"), "waldur")
        with private_files():
            self._write_files(url)
        deployment = load_deployment(self.deployment_file)
        engine = create_engine(url)
        if new:
            with engine.begin() as connection:
                create_tables(connection, GENERATION)
        migrate(engine)
        if new:
            with private_files():
                fill(engine, deployment, clock.now())
                self.complete.touch()
        engine.dispose()
        return deployment, new

    def _write_files(self, url: URL) -> None:
        home = self.folder.resolve()
        now = clock.now()
        text = DEPLOYMENT.format(
            home=home.as_posix(),
            url=url.render_as_string(hide_password=False),
            first_month=now.date().replace(year=now.year - 1, day=1),
        )
        self.deployment_file.write_text(text, encoding="utf-8")
        for folder in (self.dagster, self.folder / "celery"):
            folder.mkdir(exist_ok=True)
        shutil.copyfile(Path("dagster.yaml"), self.dagster / "dagster.yaml")
        os.environ[CONFIG_VARIABLE] = str(self.deployment_file.resolve())
        os.environ["DAGSTER_HOME"] = str(self.dagster.resolve())

    def remove(self) -> bool:
        """Stop the server and delete the folder; tells whether there was one."""
        if not self.folder.exists():
            return False
        if (self.database / "postmaster.pid").exists():
            server.start(self.database).stop()
        shutil.rmtree(self.folder)
        return True


@contextmanager
def private_files() -> Iterator[None]:
    """What is written meanwhile is its owner's only."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def fill(engine: Engine, deployment: Deployment, now: datetime) -> None:
    """Put the demo site into the empty tables of any generation, with work for every entry."""
    # With the zone's present offset its date is the site's today, and hours before and after it are hours.
    now = now.astimezone(timezone(offset=now.astimezone(deployment.zone).utcoffset() or timedelta()))
    build_site(engine, deployment, Month.of(now, deployment.zone))
    add_ended_roles(engine, now)
    add_people(engine, now)
    add_quotas(engine, deployment, now)
    assert deployment.celery is not None and deployment.celery.result_store_url is not None
    add_cloud_rows(engine, now)
    add_stuck_disks(engine, now, deployment.celery.result_store_url)
    add_endings(engine, now)
    add_reminders(engine, now)
    add_script_offering(engine, now)
    add_call(engine, now)
    add_agents(engine, now)
    add_update_request(engine, now)


def _exists(url: URL) -> bool:
    admin = create_engine(url.set(database="postgres"))
    with admin.connect() as connection:
        found = connection.scalar(text("SELECT true FROM pg_database WHERE datname = :name"), {"name": url.database})
    admin.dispose()
    return bool(found)
