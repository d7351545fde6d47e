"""Mail servers that are slow, full of rules, or want to be greeted properly."""

from __future__ import annotations

import socket
import time
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select, text, update

from tests.mail_server import CERTIFICATE, mail_server
from tests.outbox.messages import mails, make_due, reasons, send, states
from tests.raw_server import RawServer, Talk, hang_up, raw_server, silent, smtp
from tests.scene import Scene
from tests.soon import soon
from waldur_dagster.outbox import operating
from waldur_dagster.outbox.tables import message

ABC = ("a@x.org", "b@x.org", "c@x.org")


def _odd(server: RawServer, **options: Any) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": server.port, "timeout": 5} | options


def _dripping(connection: socket.socket) -> None:
    """One sign after the other, each within the time-out of a read."""
    while True:
        connection.sendall(b"2")
        time.sleep(0.05)


@pytest.mark.parametrize("talk", [silent, _dripping, smtp({"MAIL": _dripping})], ids=["silent", "dripping", "later"])
def test_mails_for_a_server_that_takes_too_long_wait_and_it_is_asked_once(scene: Scene, talk: Talk) -> None:
    mails(scene, *ABC)
    with raw_server(talk) as server:
        with soon():
            done = send(scene, _odd(server, timeout=1.5))
        assert (len(server.connections), done.not_delivered) == (1, 3)
    assert "timed out after 1.5 seconds" in reasons(scene)["mail"]
    assert {(row.state, row.attempts) for row in scene.rows(message)} == {("waiting", 0)}


def test_a_mail_whose_answer_does_not_come_is_perhaps_delivered_and_nobody_else_gets_copies(
    scene: Scene,
) -> None:
    mails(scene, *ABC)
    with raw_server(smtp({"END": silent})) as server:
        done = send(scene, _odd(server, answer_timeout=0.5))
        assert (len(server.connections), done.not_delivered) == (1, 3)
        first, *others = scene.rows(message)
        assert first.last_error.startswith("perhaps delivered: mail server") and first.attempts == 1
        assert {row.attempts for row in others} == {0}
        for _ in range(9):  # as if every pause were over
            make_due(scene)
            send(scene, _odd(server, answer_timeout=0.1))
        assert len(server.connections) == 9
    assert set(states(scene).values()) == {"perhaps delivered"}


def test_a_connection_that_breaks_at_the_answer_is_an_unknown_fate_of_that_mail_alone(scene: Scene) -> None:
    mails(scene, *ABC)
    with raw_server(smtp({"END": hang_up})) as server:
        send(scene, _odd(server))
        assert len(server.connections) == 3
    assert {(row.state, row.attempts, row.unknown) for row in scene.rows(message)} == {("waiting", 1, 1)}


def test_ten_minutes_are_waited_for_the_answer_to_a_mail(scene: Scene) -> None:
    assert scene.deployment().mail.answer_timeout == 600


class _Sparing:
    """A server that takes so many mails for each connection."""

    def __init__(self, mails: int, farewell: str | None):
        self._left, self._mails, self._farewell, self.taken = mails, mails, farewell, 0

    def talk(self, connection: socket.socket) -> None:
        self._left = self._mails
        smtp({"END": self._take, "MAIL": self._begin, "RSET": self._begin})(connection)

    def _begin(self, connection: socket.socket) -> None:
        if not self._left:
            if self._farewell:
                connection.sendall(f"{self._farewell}\r\n".encode())
            raise ConnectionError
        connection.sendall(b"250 fine\r\n")

    def _take(self, connection: socket.socket) -> None:
        self._left, self.taken = self._left - 1, self.taken + 1
        connection.sendall(b"250 taken\r\n")


@pytest.mark.parametrize("farewell", [None, "421 enough for this connection"], ids=["closes", "421"])
@pytest.mark.parametrize("each", [1, 2])
def test_a_server_that_closes_after_some_mails_gets_all_of_them_in_one_round(
    scene: Scene, each: int, farewell: str | None
) -> None:
    mails(scene, *ABC, "d@x.org")
    sparing = _Sparing(each, farewell)
    with raw_server(sparing.talk) as server:
        done = send(scene, _odd(server))
    assert (done.sent["mail"], done.not_delivered, sparing.taken) == (4, 0, 4)


def test_a_server_that_closes_at_one_recipient_postpones_that_mail_alone(scene: Scene) -> None:
    mails(scene, *ABC)

    def rcpt(connection: socket.socket) -> None:
        seen.append(1)
        if len(seen) in {2, 3}:  # the second mail, on both of its connections
            raise ConnectionError
        connection.sendall(b"250 fine\r\n")

    seen: list[int] = []
    with raw_server(smtp({"RCPT": rcpt})) as server:
        send(scene, _odd(server))
    assert list(states(scene).values()) == ["delivered", "waiting", "delivered"]
    assert "closes the connection at this mail" in scene.one(message, key="b@x.org").last_error


@pytest.mark.parametrize(
    ("answers", "options", "reason"),
    [
        ({"EHLO": "250-here\r\n250 AUTH PLAIN", "AUTH": "535 no"}, {"user": "u", "password": "hidden-word"}, "535"),
        ({"EHLO": "250-here\r\n250 AUTH PLAIN"}, {"user": "u", "password": "höidden-word"}, "ASCII only"),
        ({}, {"user": "u", "password": "hidden-word"}, "SMTPNotSupportedError"),
        ({}, {"host": "bad..host"}, "UnicodeError"),
        ({}, {"host": "a" * 70}, "UnicodeError"),
        ({}, {"host": "no such host"}, "gaierror"),
        ({"CONNECT": "554 not for you"}, {}, "554"),
        ({"CONNECT": "421 too many"}, {}, "421"),
        ({}, {"security": "tls"}, "SSL"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_slip_of_the_configuration_is_one_finding_and_costs_no_mail_an_attempt(
    scene: Scene, answers: dict, options: dict, reason: str
) -> None:
    mails(scene, *ABC)
    with raw_server(smtp(answers)) as server:
        for _ in range(3):
            done = send(scene, _odd(server, **options))
            assert (done.failed, done.not_delivered, len(list(done.findings()))) == ([], 3, 1)
            make_due(scene)
    told = reasons(scene)["mail"]
    assert reason in told and "idden-word" not in told
    assert {(row.state, row.attempts) for row in scene.rows(message)} == {("waiting", 0)}


def test_a_sender_that_the_server_does_not_allow_is_one_finding_and_gives_no_mail_up(scene: Scene) -> None:
    mails(scene, *ABC)
    with raw_server(smtp({"MAIL": "550 5.7.1 not you"})) as server:
        for _ in range(3):
            done = send(scene, _odd(server))
            assert (done.not_delivered, len(list(done.findings()))) == (3, 1)
            make_due(scene)
    assert {(row.state, row.attempts) for row in scene.rows(message)} == {("waiting", 0)}


def test_a_server_that_relays_for_nobody_without_a_login_costs_no_mail_at_once(scene: Scene) -> None:
    mails(scene, *ABC)
    with raw_server(smtp({"RCPT": "554 5.7.1 Relay access denied"})) as server:
        send(scene, _odd(server))
    assert set(states(scene).values()) == {"waiting"}


def test_a_server_that_is_slow_within_the_time_that_it_has_gets_everything(scene: Scene) -> None:
    mails(scene, "a@x.org", "b@x.org")
    with mail_server() as server:
        server.pause = 0.3
        assert send(scene, server.options | {"timeout": 5}).failed == []
        assert server.addresses == ["a@x.org", "b@x.org"]


def test_a_mail_that_is_too_large_for_the_server_is_given_up_at_once_and_says_so(scene: Scene) -> None:
    mails(scene, "large@x.org", body="line\n" * 600_000)
    mails(scene, "small@x.org")
    with mail_server(largest=2**20) as server:
        send(scene, server)
        assert server.addresses == ["small@x.org"]
    large, small = scene.rows(message)
    assert (large.state, large.attempts, small.state) == ("given up", 1, "delivered")
    assert "the mail has 3 MiB, more than the server takes" in large.last_error


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_server_without_encryption_gets_no_mail_where_it_is_demanded(scene: Scene, security: str) -> None:
    mails(scene, "a@x.org")
    with mail_server() as server:
        send(scene, server.options | {"security": security, "timeout": 2})
        assert server.addresses == []
    assert scene.one(message).state == "waiting"


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_server_whose_certificate_is_trusted_gets_its_mails_encrypted(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, security: str
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    mails(scene, "a@x.org")
    with mail_server(security=security) as server:
        assert send(scene, server.options | {"security": security}).failed == []
        assert server.addresses == ["a@x.org"]


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_server_whose_certificate_is_not_trusted_gets_no_mail(scene: Scene, security: str) -> None:
    mails(scene, "a@x.org")
    with mail_server(security=security) as server:
        send(scene, server.options | {"security": security})
        assert server.addresses == []
    assert scene.one(message).state == "waiting"
    assert "certificate verify failed" in reasons(scene)["mail"]


# Pauses between attempts


def _next_pause(scene: Scene, attempts: int) -> float:
    """Minutes until the next attempt after one more that fails."""
    with scene.engine.begin() as connection:
        connection.execute(update(message).values(attempts=attempts, next_attempt=text("now()")))
    with mail_server() as server:
        server.busy.add("a@x.org")
        send(scene, server)
    with scene.engine.connect() as connection:
        now: datetime = connection.execute(select(text("clock_timestamp()"))).scalar_one()
    return round((scene.one(message).next_attempt - now).total_seconds() / 60, 0)


@pytest.mark.parametrize(
    ("attempts", "minutes"), [(0, 1), (1, 2), (2, 4), (3, 8), (7, 128), (8, 256), (9, 360), (18, 360)]
)
def test_pauses_double_up_to_six_hours(scene: Scene, attempts: int, minutes: int) -> None:
    mails(scene, "a@x.org")
    assert _next_pause(scene, attempts) == minutes


def test_a_message_is_not_tried_before_its_pause_is_over(scene: Scene) -> None:
    mails(scene, "a@x.org")
    with scene.engine.begin() as connection:
        connection.execute(update(message).values(next_attempt=text("now() + interval '1 minute'")))
    with mail_server() as server:
        send(scene, server)
        assert server.addresses == []


def test_what_was_given_up_goes_out_when_an_operator_asks_for_it(scene: Scene) -> None:
    mails(scene, "a@x.org")
    with mail_server(refused={"a@x.org"}) as server:
        send(scene, server)
        send(scene, server)
        assert scene.one(message).attempts == 1
        server.refused.clear()
        assert operating.retry(scene.engine, ["a@x.org"]) == 1
        send(scene, server)
        assert server.addresses == ["a@x.org"]
