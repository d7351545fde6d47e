"""Every operational job has something to do on the demo site, and a dry run of it tells what and does nothing."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select, text

from jobs.core import WORK as CORE
from jobs.marketplace import WORK as MARKETPLACE
from jobs.people import WORK as CALLS_AND_AGENTS
from jobs.remote import WORK as REMOTE
from tests.conftest import PROJECT
from tests.docker_server import Container, Ended, docker_server
from waldur_dagster import clock
from waldur_dagster.demo.home import DemoHome
from waldur_dagster.deployment import CONFIG_VARIABLE, Deployment
from waldur_dagster.notifications.broadcasts import put_broadcasts
from waldur_dagster.outcome import Outcome
from waldur_dagster.own_schema import SCHEMA
from waldur_dagster.schema import marketplace
from waldur_dagster.script_offerings.pull import pull_script_resources
from waldur_dagster.site import Site, make_engine
from waldur_dagster.users.invitation_delivery import release_project_invitations

PEOPLE = CORE | {
    "send-scheduled-broadcast-notifications": put_broadcasts,
    "process-pending-project-invitations": release_project_invitations,
}
# The last minutes of a year in UTC; on the site the next one has begun.
NOW = datetime(2026, 12, 31, 23, 52, tzinfo=UTC)
# Rounds of newer Waldur, which the demo is, keep no strategy of reviews.
WITHOUT_ROWS = {"create-reviews-if-strategy-is-after-proposal", "create-reviews-if-strategy-is-after-round"}
WORK = {name: do for name, do in (PEOPLE | MARKETPLACE | CALLS_AND_AGENTS | REMOTE).items() if name not in WITHOUT_ROWS}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A demo site of this module alone."""
    home = DemoHome(tmp_path_factory.mktemp("demo") / ".demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(PROJECT)
        patch.setattr(clock, "now", lambda: NOW)
        for name in (CONFIG_VARIABLE, "DAGSTER_HOME"):
            patch.setenv(name, "set by the demo")
        deployment, new = home.prepare()
        assert new
        yield deployment
        home.remove()


def _run(deployment: Deployment, name: str, *, dry_run: bool) -> Outcome:
    with Site(deployment, dry_run=dry_run, run_id=name) as site:
        with site.work(name, NOW + timedelta(minutes=1)) as work:
            WORK[name](work)
        return site.outcome


def _sizes(engine: Engine) -> dict[str, int]:
    """Number of rows of every table."""
    with engine.connect() as connection:
        tables = connection.scalars(
            text("SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('public', :own)"),
            {"own": SCHEMA},
        ).all()
        counts = " UNION ALL ".join(f"SELECT '{table}', count(*) FROM {table}" for table in tables)
        return {row[0]: row[1] for row in connection.execute(text(counts))}


@pytest.mark.parametrize("name", sorted(WORK))
def test_a_job_has_something_to_do_and_its_dry_run_says_what(demo: Deployment, name: str) -> None:
    engine = make_engine(demo.database)
    before = _sizes(engine)
    planned = _run(demo, name, dry_run=True)
    assert _sizes(engine) == before
    done = _run(demo, name, dry_run=False)
    assert (done.rows, done.figures) == (planned.rows, planned.figures)
    assert done.rows or done.figures
    assert done.failures == []
    engine.dispose()


def _run_here(container: Container) -> Ended:
    """What the engine is asked to run is run by this machine's shell, with the environment of the container."""
    done = subprocess.run(
        [container.command[0]],
        check=False,
        input=container.script.encode(),
        env={"PATH": os.environ["PATH"]} | container.environment,
        capture_output=True,
    )
    return Ended(done.stdout, done.stderr, done.returncode)


def test_the_demo_s_script_offering_has_scripts_that_report(demo: Deployment) -> None:
    entry = "waldur-marketplace-script-pull-resources"
    with docker_server(_run_here) as server:
        settings = {"WALDUR_MARKETPLACE_SCRIPT.DOCKER_CLIENT": {"base_url": server.url}}
        deployment = demo.model_copy(update={"waldur": demo.waldur | settings})
        with Site(deployment, run_id=entry) as site:
            pull_script_resources(site.transactions(entry, NOW))
            assert (site.outcome.figures["resources pulled"], site.outcome.failures) == (3, [])
            resource = marketplace.resource
            named = select(resource.c.state, resource.c.report).where(resource.c.name == "broken notebook")
            with site.engine.connect() as connection:
                row = connection.execute(named).one()
    assert (row.state, row.report) == (2, [{"header": "State of broken notebook", "body": "running"}])
