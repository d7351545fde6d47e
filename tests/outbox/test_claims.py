"""Who is sending what: nobody waits for a server, and no transaction is open while one is waited for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest
from sqlalchemy import create_engine, text

from tests.mail_server import MailServer, mail_server
from tests.outbox.messages import letter, mails, send, states
from tests.processes import wait_until
from tests.scene import BORN, Scene
from tests.sessions import OTHERS, ending
from tests.soon import soon
from waldur_dagster.outbox import operating, put
from waldur_dagster.outbox.tables import message
from waldur_dagster.site import make_engine


@contextmanager
def _being_sent(scene: Scene, address: str) -> Iterator[MailServer]:
    """While the server takes its time to answer to a mail."""
    mails(scene, address)
    with mail_server() as server:
        server.pause = 30
        thread = Thread(target=send, args=(scene, server), daemon=True)
        thread.start()
        wait_until(lambda: bool(server.received))
        yield server
        server.release()
        thread.join()


def test_operators_and_jobs_never_wait_for_a_server(scene: Scene) -> None:
    with _being_sent(scene, "a@x.org"):
        with soon():
            assert operating.retry(scene.engine, ["a@x.org"]) == 0
            with scene.site() as site, site.work("e", BORN) as work:
                assert put(work, [letter("a@x.org")], again=True) == 0
            assert operating.drop(scene.engine, ["a@x.org"]) == 1
        assert states(scene) == {"a@x.org": "dropped"}
    assert states(scene) == {"a@x.org": "delivered"}  # the server had it already


def test_a_mail_that_was_dropped_while_a_server_refused_it_stays_dropped(scene: Scene) -> None:
    mails(scene, "a@x.org")
    with mail_server() as server:
        server.slow.add("a@x.org")
        server.busy.add("a@x.org")
        server.pause = 30
        thread = Thread(target=send, args=(scene, server), daemon=True)
        thread.start()
        wait_until(lambda: bool(server.asked))
        assert operating.drop(scene.engine, ["a@x.org"]) == 1
        server.release()
        thread.join()
    assert states(scene) == {"a@x.org": "dropped"}


def test_no_transaction_is_open_while_a_server_is_waited_for(scene: Scene) -> None:
    open_ones = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL"
        " AND pid <> pg_backend_pid()"
    )
    with _being_sent(scene, "a@x.org"), scene.engine.connect() as connection:
        assert connection.scalar(open_ones) == 0
        row = scene.one(message)
        assert (row.state, row.attempts) == ("sending", 1) and row.claimed_until > row.created


def test_a_mail_that_was_taken_while_the_database_was_away_is_sent_once(scene: Scene) -> None:
    with _being_sent(scene, "a@x.org") as server, scene.engine.connect() as connection:
        connection.execute(text(ending(OTHERS)))
    send(scene, server)
    assert states(scene) == {"a@x.org": "delivered"}
    assert server.addresses == ["a@x.org"]


def test_a_claim_whose_connection_was_lost_is_told_as_perhaps_delivered_until_its_process_says_more(
    scene: Scene,
) -> None:
    with _being_sent(scene, "a@x.org") as server, scene.engine.connect() as connection:
        connection.execute(text(ending(OTHERS)))
        send(scene, server)
        row = scene.one(message)
        assert (row.state, row.unknown) == ("waiting", 1) and "perhaps delivered" in row.last_error
    assert states(scene) == {"a@x.org": "delivered"}
    assert server.addresses == ["a@x.org"]


@pytest.mark.parametrize("name", ["idle_in_transaction_session_timeout", "idle_session_timeout", "transaction_timeout"])
def test_the_servers_limits_on_idle_sessions_do_not_end_ours(scene: Scene, name: str) -> None:
    database = scene.engine.url.database
    with scene.engine.begin() as connection:
        connection.execute(text(f'ALTER DATABASE "{database}" SET {name} = 500'))
    fresh = create_engine(scene.engine.url)
    with fresh.connect() as connection:
        assert connection.scalar(text(f"SHOW {name}")) == "500ms"
        connection.rollback()
    fresh.dispose()
    try:
        with make_engine(scene.deployment().database).connect() as connection:
            connection.execute(text("SELECT 1"))
            time.sleep(0.7)
            assert connection.scalar(text(f"SHOW {name}")) == "0"
    finally:
        with create_engine(scene.engine.url.set(database="postgres")).begin() as connection:
            connection.execute(text(f'ALTER DATABASE "{database}" RESET {name}'))
