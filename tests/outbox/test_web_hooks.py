"""Web hooks whose users mean ill, or whose servers are broken."""

from __future__ import annotations

import gzip
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, update

from tests.hook_server import hook_server
from tests.mail_server import free_port
from tests.outbox.messages import hooks, make_due, reasons, send, states
from tests.raw_server import Talk, hang_up, raw_server, silent
from tests.scene import LOOPBACK, Scene
from tests.soon import soon
from waldur_dagster.clients import addresses
from waldur_dagster.outbox.tables import message, system

QUICK = LOOPBACK | {"timeout": 0.5}


def _answering(head: bytes, body: bytes = b"", pause: float = 0) -> Talk:
    """Says the head sign by sign with pauses, and then the body for ever."""

    def talk(connection: socket.socket) -> None:
        connection.recv(2**16)
        for sign in head:
            connection.sendall(bytes([sign]))
            time.sleep(pause)
        while body:
            connection.sendall(body)
        connection.shutdown(socket.SHUT_WR)
        silent(connection)

    return talk


@pytest.mark.parametrize(
    "talk",
    [_answering(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000, pause=0.02), silent],
    ids=["drips", "silent"],
)
def test_a_hook_that_takes_too_long_is_ended_and_its_others_wait(scene: Scene, talk: Talk) -> None:
    with raw_server(talk) as server:
        hooks(scene, *[server.url] * 3)
        with soon():
            done = send(scene, web_hooks=QUICK)
        assert (len(server.connections), done.not_delivered) == (1, 3)
    first, *others = scene.rows(message)
    assert first.last_error == "perhaps delivered: web hook 127.0.0.1: no answer within 0.5 seconds"
    assert {row.attempts for row in others} == {0}


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 2**16),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", gzip.compress(b"x" * 2**24)),
        (b"HTTP/1.1 500 No\r\nContent-Length: 99999999999\r\n\r\n", b""),
    ],
    ids=["endless", "packed", "promised"],
)
def test_nothing_of_an_answer_is_read_but_its_head(scene: Scene, head: bytes, body: bytes) -> None:
    with raw_server(_answering(head, body)) as server:
        hooks(scene, server.url)
        with soon():
            assert send(scene, web_hooks=LOOPBACK).sent["webhook"] == 1


@pytest.mark.parametrize(
    ("talk", "reason"),
    [(_answering(b"hello\r\n\r\n"), "its answer is not HTTP"), (hang_up, ""), (_answering(b"HTTP/1.1 2"), "")],
    ids=["junk", "resets", "breaks off"],
)
def test_an_answer_that_is_none_is_an_unknown_fate_and_does_not_stop_the_others(
    scene: Scene, talk: Talk, reason: str
) -> None:
    with raw_server(talk) as server, hook_server() as good:
        hooks(scene, server.url, good.url)
        send(scene, web_hooks=QUICK)
        for _ in range(4):
            make_due(scene)
            send(scene, web_hooks=QUICK)
        assert (len(server.connections), len(good.calls)) == (3, 1)
    bad, _ = scene.rows(message)
    assert bad.state == "perhaps delivered" and reason in bad.last_error


def test_a_host_that_is_down_is_asked_once_in_a_round_and_stops_no_other(scene: Scene) -> None:
    port = free_port()
    with hook_server() as good:
        hooks(scene, *[f"http://127.0.0.1:{port}/{n}" for n in range(5)], good.url)
        done = send(scene)
        assert (len(done.failed), done.waiting.total(), len(good.calls)) == (1, 4, 1)
    assert list(reasons(scene)) == [f"webhook 127.0.0.1:{port}"]
    assert sum(row.attempts for row in scene.rows(message)) == 1


def test_what_waits_for_a_host_that_is_down_for_days_is_given_up(scene: Scene) -> None:
    hooks(scene, *[f"http://127.0.0.1:{free_port()}/"] * 2)
    send(scene)
    with scene.engine.begin() as connection:
        connection.execute(update(system).values(since=func.now() - timedelta(days=4)))
    make_due(scene)
    assert set(states(scene).values()) == {"waiting"}
    send(scene)
    assert set(states(scene).values()) == {"given up"}


# Whom a hook may reach


@pytest.mark.parametrize(
    "url",
    [
        "ftp://127.0.0.1/x",
        "file:///etc/passwd",
        "http://",
        "gopher://127.0.0.1:25/_MAIL",
        "no address",
        "http://[::1",
    ],
)
def test_only_http_is_spoken(scene: Scene, url: str) -> None:
    hooks(scene, url)
    send(scene)
    assert "is not called: this is no address of the web" in scene.one(message).last_error
    assert scene.one(message).state == "given up"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "127.1"])
def test_addresses_of_the_deployments_own_networks_are_not_called(scene: Scene, host: str) -> None:
    with hook_server() as server:
        hooks(scene, server.url.replace("127.0.0.1", host))
        send(scene, web_hooks={})
        assert server.calls == []
    row = scene.one(message)
    assert row.state == "given up" and "an address that is not public" in row.last_error


@pytest.mark.parametrize(
    ("address", "may"),
    [
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("2002:a00:1::", False),
        ("8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("64:ff9b::808:808", True),
    ],
)
def test_public_addresses_and_no_others_may_be_called(address: str, may: bool) -> None:
    assert addresses.may_be_called(address, ()) == may


def test_a_name_whose_address_changes_after_it_was_looked_at_gains_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address that is connected to is the one that was checked: the name is looked up once."""
    asked: list[str] = []

    def rebinding(host: str, port: int, **options: Any) -> list[Any]:
        asked.append(host)
        address = "192.0.2.1" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(addresses.socket, "getaddrinfo", rebinding)
    with hook_server() as server:
        hooks(scene, server.url.replace("127.0.0.1", "rebinding.example"))
        send(scene, web_hooks={})
        assert server.calls == []
    assert asked.count("rebinding.example") == 1


def test_redirections_are_checked_as_the_first_address_is(scene: Scene) -> None:
    with hook_server() as inner, _moved(307, inner.url.replace("127.0.0.1", "127.0.0.2")) as url:
        hooks(scene, url)
        send(scene, web_hooks={"private_networks": ["127.0.0.1/32"]})
        assert inner.calls == []
    assert "an address that is not public" in scene.one(message).last_error


# Redirections


@contextmanager
def _moved(status: int, place: str) -> Iterator[str]:
    answer = f"HTTP/1.1 {status} Moved\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n"
    with raw_server(_answering(answer.encode())) as server:
        yield server.url


@pytest.mark.parametrize("status", [307, 308])
def test_a_hook_that_has_moved_gets_its_call_at_the_new_place(scene: Scene, status: int) -> None:
    with hook_server() as server, _moved(status, server.url) as url:
        hooks(scene, url)
        send(scene)
        assert server.calls == [{"event_type": "x"}]
    assert scene.one(message).state == "delivered"


@pytest.mark.parametrize("status", [301, 302, 303, 300])
def test_other_redirections_are_no_delivery(scene: Scene, status: int) -> None:
    with hook_server() as server, _moved(status, server.url) as url:
        hooks(scene, url)
        send(scene)
        assert server.calls == []
    row = scene.one(message)
    assert row.state == "given up" and f"answers {status}" in row.last_error


def test_a_circle_of_redirections_ends(scene: Scene) -> None:
    with raw_server(_answering(b"HTTP/1.1 307 Moved\r\nLocation: /hook\r\nContent-Length: 0\r\n\r\n")) as server:
        hooks(scene, server.url)
        send(scene)
        assert len(server.connections) == 6
    assert scene.one(message).state == "given up"


def test_a_redirection_to_another_scheme_is_not_followed(scene: Scene) -> None:
    with _moved(307, "ftp://127.0.0.1/") as url:
        hooks(scene, url)
        send(scene)
    assert scene.one(message).state == "given up"


# Repetitions and secrets


def test_a_receiver_can_tell_a_repetition_and_calls_of_other_sites(scene: Scene) -> None:
    with hook_server() as server:
        hooks(scene, server.url, server.url)
        send(scene)
        with scene.engine.begin() as connection:
            connection.execute(update(message).values(state="waiting"))
        send(scene)
        with scene.engine.begin() as connection:
            connection.execute(update(message).values(state="waiting"))
        send(scene, name="another site")
        first, again, elsewhere = (server.ids[n : n + 2] for n in (0, 2, 4))
    assert first == again and len(set(first)) == 2 and not set(first) & set(elsewhere)


def test_the_address_of_a_hook_is_not_told(scene: Scene) -> None:
    hooks(scene, f"http://user:hidden-word@127.0.0.1:{free_port()}/hidden-path?token=hidden-query")
    send(scene)
    row = scene.one(message)
    assert "hidden" not in row.last_error + row.system
