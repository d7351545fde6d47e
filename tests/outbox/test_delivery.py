"""Delivery when the outside world misbehaves."""

from __future__ import annotations

from threading import Thread

import pytest
from sqlalchemy import insert, update

from tests.mail_server import free_port, mail_server
from tests.scene import Scene
from waldur_dagster.outbox import AttachmentWriter, claims, delivery, operating
from waldur_dagster.outbox.tables import message


def _mails(scene: Scene, *addresses: str, **payload: object) -> None:
    body = {"kind": "mail", "subject": "S", "body": "B", "from_address": "site@x.org"} | payload
    rows = [{"key": a, "kind": "mail", "entry": "e", "run_id": "", "payload": body | {"to": [a]}} for a in addresses]
    with scene.engine.begin() as connection:
        connection.execute(insert(message).values(rows))


def _states(scene: Scene) -> dict[str, str]:
    return {row.key: row.state for row in scene.rows(message)}


def _deliver(scene: Scene, port: int) -> delivery.Delivered:
    return delivery.deliver(scene.engine, scene.deployment(mail={"host": "127.0.0.1", "port": port}))


def test_a_refused_address_is_final_a_busy_one_waits_and_the_others_get_theirs(outbox_scene: Scene) -> None:
    _mails(outbox_scene, "gone@x.org", "busy@x.org", "good@x.org")
    with mail_server(refused={"gone@x.org"}) as server:
        server.busy.add("busy@x.org")
        _deliver(outbox_scene, server.port)
        assert server.addresses == ["good@x.org"]
    assert _states(outbox_scene) == {"gone@x.org": "given up", "busy@x.org": "waiting", "good@x.org": "delivered"}


def test_mails_wait_while_the_server_is_down_and_go_out_once_it_is_back(outbox_scene: Scene) -> None:
    _mails(outbox_scene, "a@x.org", "b@x.org")
    assert len(_deliver(outbox_scene, free_port()).failed) == 2
    with mail_server() as server:
        _deliver(outbox_scene, server.port)
        assert server.addresses == []
        assert operating.retry(outbox_scene.engine) == 2
        _deliver(outbox_scene, server.port)
        assert server.addresses == ["a@x.org", "b@x.org"]


@pytest.mark.parametrize("payload", [{"subject": None}, {"from_address": "a\nb@x.org"}])
def test_a_message_that_cannot_be_sent_does_not_stop_the_others(outbox_scene: Scene, payload: dict) -> None:
    _mails(outbox_scene, "bad@x.org", **payload)
    _mails(outbox_scene, "good@x.org")
    with mail_server() as server:
        _deliver(outbox_scene, server.port)
    assert _states(outbox_scene) == {"bad@x.org": "given up", "good@x.org": "delivered"}


def test_a_message_is_given_up_after_many_attempts(outbox_scene: Scene) -> None:
    _mails(outbox_scene, "a@x.org")
    with outbox_scene.engine.begin() as connection:
        connection.execute(update(message).values(attempts=claims.MOST_ATTEMPTS - 1))
    _deliver(outbox_scene, free_port())
    assert _states(outbox_scene) == {"a@x.org": "given up"}


@pytest.mark.parametrize("lines", [2, 100_000])
def test_an_attachment_arrives_as_it_was_written_and_a_large_one_lies_small_in_the_outbox(
    outbox_scene: Scene, lines: int
) -> None:
    written = AttachmentWriter()
    for number in range(lines):
        written.write(f"õ;{number};same in every line\n")
    attachment = written.attachment("report.txt")
    _mails(outbox_scene, "a@x.org", attachments=[attachment.model_dump()])
    with mail_server() as server:
        _deliver(outbox_scene, server.port)
    ((_, mail),) = server.received
    (part,) = mail.iter_attachments()
    text = part.get_payload(decode=True)
    assert isinstance(text, bytes)
    assert text.decode() == "".join(f"õ;{number};same in every line\n" for number in range(lines))
    assert bool(attachment.packed) == (len(text) > AttachmentWriter.LARGEST_PLAIN)
    assert len(attachment.content) + len(attachment.packed) < 600_000


def test_several_deliverers_at_once_deliver_each_message_once(outbox_scene: Scene) -> None:
    addresses = [f"u{number:02}@x.org" for number in range(30)]
    _mails(outbox_scene, *addresses)
    with mail_server() as server:
        threads = [Thread(target=_deliver, args=(outbox_scene, server.port)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.addresses == addresses


def test_dropped_messages_are_never_sent(outbox_scene: Scene) -> None:
    _mails(outbox_scene, "a@x.org")
    assert operating.drop(outbox_scene.engine, ["a@x.org"]) == 1
    with mail_server() as server:
        _deliver(outbox_scene, server.port)
        assert server.addresses == []
