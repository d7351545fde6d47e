"""A process that is killed while it delivers loses no mail, and what arrives twice says that it is the same."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import insert

from tests.mail_server import MailServer, mail_server
from tests.processes import kill, started, wait_until
from tests.scene import Scene
from waldur_dagster.outbox.delivery import deliver
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


def _mails(scene: Scene) -> None:
    body = {"kind": "mail", "subject": "S", "body": "B", "from_address": "site@x.org"}
    rows = [{"key": a, "kind": "mail", "entry": "e", "run_id": "", "payload": body | {"to": [a]}} for a in ADDRESSES]
    with scene.engine.begin() as connection:
        connection.execute(insert(message).values(rows))


def _start(scene: Scene, server: MailServer):
    server.pause = 0.5
    return started(CHILD, scene.engine.url.render_as_string(hide_password=False), str(server.port))


def _deliver(scene: Scene, server: MailServer) -> None:
    server.pause = 0
    deliver(scene.engine, scene.deployment(mail=server.options))
    assert {row.state for row in scene.rows(message)} == {"delivered"}


def test_killed_before_the_server_has_a_mail_every_mail_arrives_once(outbox_scene: Scene) -> None:
    _mails(outbox_scene)
    with mail_server() as server:
        server.slow.add(ADDRESSES[2])
        process = _start(outbox_scene, server)
        wait_until(lambda: ADDRESSES[2] in server.asked)
        kill(process)
        _deliver(outbox_scene, server)
        assert server.addresses == ADDRESSES


def test_killed_between_the_servers_answer_and_the_note_of_it_the_mail_comes_again_under_its_own_id(
    outbox_scene: Scene,
) -> None:
    _mails(outbox_scene)
    with mail_server() as server:
        process = _start(outbox_scene, server)
        wait_until(lambda: len(server.received) == 3)
        kill(process)
        _deliver(outbox_scene, server)
        assert Counter(server.addresses) == Counter([*ADDRESSES, ADDRESSES[2]])
        assert len({mail["Message-ID"] for _, mail in server.received}) == len(ADDRESSES)


def test_what_a_running_process_is_sending_is_left_to_it(outbox_scene: Scene) -> None:
    _mails(outbox_scene)
    with mail_server() as server:
        process = _start(outbox_scene, server)
        wait_until(lambda: len(server.received) == 1)
        deliver(outbox_scene.engine, outbox_scene.deployment(mail=server.options))
        assert process.wait() == 0
        assert server.addresses == ADDRESSES
