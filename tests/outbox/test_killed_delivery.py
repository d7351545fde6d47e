"""A process that is killed while it delivers loses no mail, and what arrives twice says that it is the same."""

from __future__ import annotations

from collections import Counter
from functools import partial

from tests.mail_server import MailServer, mail_server
from tests.outbox.messages import mails, make_due, send, states
from tests.processes import kill, started, wait_until
from tests.scene import Scene
from waldur_dagster.outbox.tables import message

CHILD = """
import sys
from sqlalchemy import create_engine
from waldur_dagster.deployment import parse_deployment
from waldur_dagster.outbox.delivery import deliver
url, port = sys.argv[1:]
document = {"database": {"url": url}, "mail": {"host": "127.0.0.1", "port": int(port)}}
deliver(create_engine(url), parse_deployment(document))
"""
ADDRESSES = [f"user{number}@x.org" for number in range(5)]


def _start(scene: Scene, server: MailServer):
    return started(CHILD, scene.engine.url.render_as_string(hide_password=False), str(server.port))


def _has(server: MailServer, mails: int) -> bool:
    return len(server.received) == mails


def test_a_mail_whose_sender_is_killed_is_told_as_perhaps_delivered_and_the_others_go_out(scene: Scene) -> None:
    mails(scene, *ADDRESSES)
    with mail_server() as server:
        server.slow.add(ADDRESSES[2])
        process = _start(scene, server)
        wait_until(lambda: ADDRESSES[2] in server.asked)
        assert scene.one(message, key=ADDRESSES[2]).attempts == 1  # counted before it is sent
        kill(process, scene.engine)
        server.slow.clear()
        send(scene, server)
        assert server.addresses == [a for a in ADDRESSES if a != ADDRESSES[2]]
        row = scene.one(message, key=ADDRESSES[2])
        assert (row.state, row.attempts) == ("waiting", 1)
        assert row.last_error == "perhaps delivered: the process that was sending it has ended"
        assert 55 < (row.next_attempt - row.created).total_seconds() / 60 < 65
        make_due(scene)
        send(scene, server)
        assert server.addresses == ADDRESSES
    assert set(states(scene).values()) == {"delivered"}


def test_killed_between_the_servers_answer_and_the_note_of_it_the_mail_comes_again_under_its_own_id(
    scene: Scene,
) -> None:
    mails(scene, *ADDRESSES)
    with mail_server() as server:
        server.halt = 3
        process = _start(scene, server)
        wait_until(lambda: len(server.received) == 3)
        kill(process, scene.engine)
        server.halt = 0
        send(scene, server)
        assert Counter(server.addresses) == Counter(ADDRESSES)
        make_due(scene)
        send(scene, server)
        assert Counter(server.addresses) == Counter([*ADDRESSES, ADDRESSES[2]])
        assert len({mail["Message-ID"] for _, mail in server.received}) == len(ADDRESSES)


def test_a_mail_whose_sending_kills_every_process_is_tried_three_times_and_left_to_an_operator(
    scene: Scene,
) -> None:
    mails(scene, "deadly@x.org")
    with mail_server() as server:
        for tries in range(1, 4):
            server.halt = tries
            process = _start(scene, server)
            wait_until(partial(_has, server, tries))
            kill(process, scene.engine)
            server.halt = 0
            send(scene, server)
            assert states(scene) == {"deadly@x.org": "waiting" if tries < 3 else "perhaps delivered"}
            make_due(scene)
        send(scene, server)
        assert len(server.received) == 3


def test_what_a_running_process_is_sending_is_left_to_it(scene: Scene) -> None:
    mails(scene, *ADDRESSES)
    with mail_server() as server:
        server.halt = 1
        process = _start(scene, server)
        wait_until(lambda: len(server.received) == 1)
        send(scene, server)
        server.halt = 0
        assert process.wait() == 0
        assert server.addresses == ADDRESSES
