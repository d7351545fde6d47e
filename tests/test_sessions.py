"""Sessions: nobody else's limits end them, and what only looks like one is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from tests.cli.conftest import Terminal, terminal  # noqa: F401  a fixture
from tests.pgbouncer import PGBOUNCER, pgbouncer
from tests.scene import Scene
from tests.sessions import OTHERS, ending
from waldur_dagster.deployment import parse_deployment
from waldur_dagster.locks import RUNS, held
from waldur_dagster.sessions import SessionNotKept, make_engine
from waldur_dagster.site import AlreadyRunning, Site

NOW = datetime(2025, 4, 1, tzinfo=UTC)
KEPT = "SET statement_timeout = 1800000; SET lock_timeout = 60000; SET timezone = UTC"


@pytest.mark.parametrize("limit", ["idle_in_transaction_session_timeout", "idle_session_timeout"])
def test_limits_on_idle_sessions_do_not_end_a_run_that_waits(scene: Scene, limit: str) -> None:
    name = scene.engine.url.database
    with scene.engine.connect() as connection:
        known = connection.scalar(text("SELECT true FROM pg_settings WHERE name = :name"), {"name": limit})
        if not known:
            pytest.skip(f"this server has no {limit}")
        connection.execute(text(f"ALTER DATABASE \"{name}\" SET {limit} = '200ms'"))
        connection.commit()
    try:
        with scene.site() as site:
            for _ in range(2):
                with site.work("entry", NOW) as work:
                    work.connection.execute(text("SELECT 1"))
                    shown = work.connection.scalar(text("SELECT current_setting(:name)"), {"name": limit})
                    assert shown == "0"
    finally:
        with scene.engine.begin() as connection:
            connection.execute(text(f'ALTER DATABASE "{name}" RESET {limit}'))


def test_a_run_is_seen_at_work_by_its_lock_and_no_longer_when_its_process_is_gone(scene: Scene) -> None:
    deployment = scene.deployment()
    with Site(deployment, run_id="one") as site, Site(deployment) as other:
        assert other.at_work(["one", "two"]) == set()
        site.hold("entry")
        assert other.at_work(["one", "two"]) == {"one"}
        with pytest.raises(AlreadyRunning):
            other.hold("entry")
        with scene.engine.connect() as connection:
            connection.execute(
                text(ending(f"{OTHERS} AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')"))
            )
            assert held(connection, RUNS, ["one"]) == set()
        other.hold("entry")


@pytest.mark.skipif(PGBOUNCER is None, reason="PgBouncer is not installed")
@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"mode": "transaction"}, "takes no settings"),
        ({"mode": "transaction", "ignored": "options"}, "do not hold (timezone, statement_timeout, lock_timeout)"),
        ({"mode": "transaction", "ignored": "options", "on_connect": KEPT}, "share one session"),
    ],
    ids=["refuses settings", "drops settings", "has the settings"],
)
def test_a_pooler_that_keeps_no_sessions_is_refused_by_the_doctor_and_by_the_first_step(
    scene: Scene,
    terminal: Terminal,  # noqa: F811
    options: dict[str, str],
    complaint: str,
) -> None:
    with pgbouncer(scene.engine.url, **options) as url:
        address = url.render_as_string()
        deployment = parse_deployment({"database": {"url": address, "connect_timeout": 3}})
        with Site(deployment) as site, pytest.raises(SessionNotKept) as problem, site.work("entry", NOW):
            pass
        assert complaint in str(problem.value) and "let [database] url name PostgreSQL itself" in str(problem.value)
        terminal.configure(address)
        answer = terminal("doctor")
    assert answer.status == 2 and complaint in answer.err and answer.err.count("\n") == 1


@pytest.mark.skipif(PGBOUNCER is None, reason="PgBouncer is not installed")
def test_a_pooler_that_keeps_sessions_with_their_settings_is_taken(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pgbouncer(scene.engine.url, "session", ignored="options") as url:
        monkeypatch.setenv("PGTZ", "UTC")  # the pooler keeps it for its clients
        limits = {"statement_timeout": 0, "lock_timeout": 0}  # those of the server
        deployment = parse_deployment({"database": {"url": url.render_as_string(), **limits}})
        with Site(deployment) as site, site.work("entry", NOW) as work:
            assert work.connection.scalar(text("SELECT 1")) == 1


def test_what_is_served_by_another_process_than_before_is_noticed_without_a_pooler_too(scene: Scene) -> None:
    """The check by itself, on a connection whose transactions are handed to one session after the other."""
    from waldur_dagster import sessions

    database = scene.deployment().database
    engine = make_engine(database)
    first, second = engine.connect(), engine.connect()
    turns = iter([first, first, second])

    class Pooled:
        """What a pooler makes of a connection: each transaction goes to whichever session is free."""

        def __init__(self) -> None:
            self._now = next(turns)

        def scalar(self, *words: Any) -> Any:
            return self._now.scalar(*words)

        def scalars(self, *words: Any) -> Any:
            return self._now.scalars(*words)

        def rollback(self) -> None:
            self._now.rollback()
            self._now = next(turns, self._now)

    with pytest.raises(SessionNotKept, match="share one session"):
        sessions.require_session(engine, Pooled(), database)  # type: ignore[arg-type]
    for connection in (first, second):
        connection.close()
    engine.dispose()
