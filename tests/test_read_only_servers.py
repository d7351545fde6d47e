"""A standby, and a server whose transactions are read-only: all tell it in one line and the same words.

The server is a real one: it is stopped in order and started again for readers only.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import create_engine

from schedules.entry_schedule import TRIED_AGAIN
from sensors.alerts import tell
from tests.cli.conftest import ONLY_INVOICES, Terminal, terminal  # noqa: F401  a fixture
from tests.dagster.conftest import instance, kept_instance  # noqa: F401  fixtures
from tests.dagster.runs import execute, troubles
from tests.mail_server import mail_server
from tests.tcp_server import TcpServer, tcp_server
from waldur_dagster.catalog import entry
from waldur_dagster.definitions import build_definitions
from waldur_dagster.demo import server
from waldur_dagster.deployment import Deployment, parse_deployment
from waldur_dagster.outbox.migrate import migrate
from waldur_dagster.resources import NOT_BEGUN
from waldur_dagster.schema.generations import Generation, create_tables
from waldur_dagster.site import Site, SiteUnreachable

TOTALS = "update-invoices-total-cost"
WORDS = {
    "standby": "is a standby, which can only be read; let [database] url name its primary.",
    "read-only": "can only be read (default_transaction_read_only is on for postgres); "
    "switch that off, or let [database] url name a server that takes changes.",
}


@pytest.fixture(scope="module")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TcpServer]:
    """A server with a whole site."""
    with tcp_server(tmp_path_factory.mktemp("postgresql")) as started:
        site = create_engine(server.create_database(started.address, "waldur"))
        with site.begin() as connection:
            create_tables(connection, Generation.OCTOBER_2024)
        migrate(site)
        site.dispose()
        yield started


@pytest.fixture(scope="module", params=["read-only", "standby"])
def words(postgresql: TcpServer, request: pytest.FixtureRequest) -> str:
    """What everybody says of it."""
    if request.param == "standby":
        postgresql.restart_as_standby()
    else:
        postgresql.restart("default_transaction_read_only=on")
    return f"postgresql+psycopg://***@127.0.0.1:{postgresql.port}/waldur {WORDS[request.param]}"


@pytest.fixture
def site(postgresql: TcpServer) -> str:
    return f"postgresql://postgres@127.0.0.1:{postgresql.port}/waldur"


def _deployment(site: str, **sections: object) -> Deployment:
    return parse_deployment({"first_month": "2024-01", "database": {"url": site}, **sections})


@pytest.mark.parametrize(
    "command",
    [("doctor",), ("migrate",), ("run", TOTALS), ("run", TOTALS, "--dry-run"), ("outbox", "retry", "--all")],
    ids=" ".join,
)
def test_commands_say_it_in_one_line_and_do_nothing(
    words: str,
    site: str,
    terminal: Terminal,  # noqa: F811
    command: tuple[str, ...],
) -> None:
    terminal.configure(site, ONLY_INVOICES)
    answer = terminal(*command)
    assert (answer.status, answer.err) == (2, f"waldur-dagster: {words}\n")
    assert "done" not in answer.out


def test_a_tick_is_skipped_with_it_and_tried_again(
    words: str,
    site: str,
    instance: dg.DagsterInstance,  # noqa: F811
) -> None:
    repository = build_definitions(_deployment(site)).get_repository_def()
    with dg.build_schedule_context(instance, scheduled_execution_time=datetime(2025, 4, 1, tzinfo=UTC)) as context:
        tick = repository.get_schedule_def(entry(TOTALS).dagster_name).evaluate_tick(context)
    assert (tick.run_requests, tick.skip_message) == ([], words + TRIED_AGAIN)


def test_a_run_fails_with_it_as_one_that_has_not_begun(
    words: str,
    site: str,
    instance: dg.DagsterInstance,  # noqa: F811
) -> None:
    result = execute(_deployment(site), TOTALS, instance)
    (record,) = instance.get_run_records()
    assert not result.success and record.dagster_run.tags[NOT_BEGUN] == "true"
    (failed,) = [event for event in result.all_events if event.event_type == dg.DagsterEventType.STEP_FAILURE]
    assert failed.step_failure_data.user_failure_data is not None
    assert failed.step_failure_data.user_failure_data.description == words
    assert "ReadOnly" not in troubles(result)


def test_the_outbox_waits_with_it(
    words: str,
    site: str,
    instance: dg.DagsterInstance,  # noqa: F811
) -> None:
    repository = build_definitions(_deployment(site)).get_repository_def()
    with dg.build_sensor_context(instance, repository_def=repository) as context:
        look = repository.get_sensor_def("outbox").evaluate_tick(context)
    assert (look.run_requests, look.skip_message) == ([], words)


def test_alerts_go_out_all_the_same(words: str, site: str, tmp_path: Path) -> None:
    """Straight to the mail server: the outbox takes nothing."""
    with mail_server() as mails:
        deployment = _deployment(site, alerts={"to": ["ops@x.org"]}, mail=mails.options)
        tell(dg.get_dagster_logger(), deployment, "key", "1 entry could not run", words)
        assert mails.addresses == ["ops@x.org"]


def test_the_site_itself_refuses_to_begin(words: str, site: str) -> None:
    with Site(_deployment(site)) as one, pytest.raises(SiteUnreachable) as refused:
        one.check()
    assert str(refused.value) == words
