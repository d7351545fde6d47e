"""Mail servers that are slow, full of rules, or want to be greeted properly."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import insert, select, text, update

from tests.mail_server import CERTIFICATE, mail_server
from tests.scene import Scene
from waldur_dagster.outbox import delivery, operating
from waldur_dagster.outbox.tables import message


def _mails(scene: Scene, *addresses: str, **payload: object) -> None:
    body = {"kind": "mail", "subject": "S", "body": "B", "from_address": "site@x.org"} | payload
    rows = [{"key": a, "kind": "mail", "entry": "e", "run_id": "", "payload": body | {"to": [a]}} for a in addresses]
    with scene.engine.begin() as connection:
        connection.execute(insert(message).values(rows))


def _deliver(scene: Scene, options: dict[str, Any]) -> delivery.Delivered:
    return delivery.deliver(scene.engine, scene.deployment(mail=options))


@contextmanager
def silent_server() -> Iterator[dict[str, Any]]:
    """Takes connections and never says a word; gives how a deployment names it, with ``asked`` connections so far."""
    server, asked, stop = socket.create_server(("127.0.0.1", 0)), [], threading.Event()
    server.settimeout(0.1)

    def listen() -> None:
        while not stop.is_set():
            try:
                asked.append(server.accept()[0])
            except TimeoutError:
                continue

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield {"host": "127.0.0.1", "port": server.getsockname()[1], "timeout": 0.3, "asked": asked}
    finally:
        stop.set()
        thread.join()
        for connection in (*asked, server):
            connection.close()


def test_mails_for_a_server_that_never_answers_wait_and_it_is_asked_once(outbox_scene: Scene) -> None:
    _mails(outbox_scene, "a@x.org", "b@x.org", "c@x.org")
    with silent_server() as options:
        asked = options.pop("asked")
        done = _deliver(outbox_scene, options)
    assert len(asked) == 1
    assert [key for key, _ in done.failed] == ["a@x.org", "b@x.org", "c@x.org"]
    assert all("timed out" in row.last_error for row in outbox_scene.rows(message))
    assert {row.state for row in outbox_scene.rows(message)} == {"waiting"}


def test_a_server_that_is_slow_within_the_time_that_it_has_gets_everything(outbox_scene: Scene) -> None:
    _mails(outbox_scene, "a@x.org", "b@x.org")
    with mail_server() as server:
        server.pause = 0.3
        assert _deliver(outbox_scene, server.options | {"timeout": 5}).failed == []
        assert server.addresses == ["a@x.org", "b@x.org"]


def test_a_mail_that_is_too_large_for_the_server_is_given_up_at_once_and_says_so(outbox_scene: Scene) -> None:
    _mails(outbox_scene, "large@x.org", body="line\n" * 600_000)
    _mails(outbox_scene, "small@x.org")
    with mail_server(largest=2**20) as server:
        _deliver(outbox_scene, server.options)
        assert server.addresses == ["small@x.org"]
    large, small = outbox_scene.rows(message)
    assert (large.state, large.attempts, small.state) == ("given up", 1, "delivered")
    assert "the mail has 3 MiB, more than the server takes" in large.last_error


def test_a_password_is_asked_for_and_never_told(outbox_scene: Scene) -> None:
    _mails(outbox_scene, "a@x.org")
    with mail_server() as server:  # it knows no AUTH
        _deliver(outbox_scene, server.options | {"user": "waldur", "password": "hidden-word"})
    row = outbox_scene.one(message)
    assert row.state == "waiting"
    assert "SMTPNotSupportedError" in row.last_error and "hidden-word" not in row.last_error


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_server_without_encryption_gets_no_mail_where_it_is_demanded(outbox_scene: Scene, security: str) -> None:
    _mails(outbox_scene, "a@x.org")
    with mail_server() as server:
        _deliver(outbox_scene, server.options | {"security": security, "timeout": 2})
        assert server.addresses == []
    assert outbox_scene.one(message).state == "waiting"


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_server_whose_certificate_is_trusted_gets_its_mails_encrypted(
    outbox_scene: Scene, monkeypatch: pytest.MonkeyPatch, security: str
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    _mails(outbox_scene, "a@x.org")
    with mail_server(security=security) as server:
        assert _deliver(outbox_scene, server.options | {"security": security}).failed == []
        assert server.addresses == ["a@x.org"]


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_server_whose_certificate_is_not_trusted_gets_no_mail(outbox_scene: Scene, security: str) -> None:
    _mails(outbox_scene, "a@x.org")
    with mail_server(security=security) as server:
        _deliver(outbox_scene, server.options | {"security": security})
        assert server.addresses == []
    row = outbox_scene.one(message)
    assert row.state == "waiting" and "certificate verify failed" in row.last_error


# Pauses between attempts


def _next_pause(scene: Scene, attempts: int) -> float:
    """Minutes until the next attempt after one more that fails."""
    with scene.engine.begin() as connection:
        connection.execute(update(message).values(attempts=attempts, next_attempt=text("now()")))
    with silent_server() as options:
        del options["asked"]
        _deliver(scene, options | {"timeout": 0.05})
    with scene.engine.connect() as connection:
        now: datetime = connection.execute(select(text("clock_timestamp()"))).scalar_one()
    return round((scene.one(message).next_attempt - now).total_seconds() / 60, 0)


@pytest.mark.parametrize(
    ("attempts", "minutes"), [(0, 1), (1, 2), (2, 4), (3, 8), (7, 128), (8, 256), (9, 360), (18, 360)]
)
def test_pauses_double_up_to_six_hours(outbox_scene: Scene, attempts: int, minutes: int) -> None:
    _mails(outbox_scene, "a@x.org")
    assert _next_pause(outbox_scene, attempts) == minutes


def test_a_message_is_not_tried_before_its_pause_is_over(outbox_scene: Scene) -> None:
    _mails(outbox_scene, "a@x.org")
    with outbox_scene.engine.begin() as connection:
        connection.execute(update(message).values(next_attempt=text("now() + interval '1 minute'")))
    with mail_server() as server:
        _deliver(outbox_scene, server.options)
        assert server.addresses == []


def test_what_was_given_up_goes_out_when_an_operator_asks_for_it(outbox_scene: Scene) -> None:
    _mails(outbox_scene, "a@x.org")
    with mail_server(refused={"a@x.org"}) as server:
        _deliver(outbox_scene, server.options)
        _deliver(outbox_scene, server.options)
        assert outbox_scene.one(message).attempts == 1
        server.refused.clear()
        assert operating.retry(outbox_scene.engine, ["a@x.org"]) == 1
        _deliver(outbox_scene, server.options)
        assert server.addresses == ["a@x.org"]
