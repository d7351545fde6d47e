"""Delivery when the outside world misbehaves."""

from __future__ import annotations

from threading import Thread

import pytest

from tests.hook_server import hook_server
from tests.mail_server import free_port, mail_server
from tests.outbox.messages import hooks, mails, make_due, reasons, send, states
from tests.processes import wait_until
from tests.scene import Scene
from waldur_dagster.outbox import AttachmentWriter, claims, operating
from waldur_dagster.outbox.delivery import deliver
from waldur_dagster.outbox.tables import message


def test_a_refused_address_is_final_a_busy_one_waits_and_the_others_get_theirs(scene: Scene) -> None:
    mails(scene, "gone@x.org", "busy@x.org", "good@x.org")
    with mail_server(refused={"gone@x.org"}) as server:
        server.busy.add("busy@x.org")
        send(scene, server)
        assert server.addresses == ["good@x.org"]
    assert states(scene) == {"gone@x.org": "given up", "busy@x.org": "waiting", "good@x.org": "delivered"}


def test_mails_wait_untried_while_the_server_is_down_and_go_out_once_it_is_back(scene: Scene) -> None:
    mails(scene, "a@x.org", "b@x.org")
    done = send(scene, free_port())
    assert (done.failed, done.not_delivered) == ([], 2)
    assert "ConnectionRefusedError" in reasons(scene)["mail"]
    assert {row.attempts for row in scene.rows(message)} == {0}
    with mail_server() as server:
        assert send(scene, server).not_delivered == 2
        assert server.addresses == []
        assert operating.retry(scene.engine) == 2
        send(scene, server)
        assert server.addresses == ["a@x.org", "b@x.org"]
    assert reasons(scene) == {}


def test_an_outage_of_weeks_gives_no_mail_up(scene: Scene) -> None:
    mails(scene, "a@x.org")
    port = free_port()
    for _ in range(claims.MOST_ATTEMPTS + 5):
        send(scene, port)
        make_due(scene)
    with mail_server() as server:
        send(scene, server)
    assert states(scene) == {"a@x.org": "delivered"}


@pytest.mark.parametrize("payload", [{"subject": None}, {"from_address": "a\nb@x.org"}])
def test_a_message_that_cannot_be_sent_does_not_stop_the_others(scene: Scene, payload: dict) -> None:
    mails(scene, "bad@x.org", **payload)
    mails(scene, "good@x.org")
    with mail_server() as server:
        send(scene, server)
    assert states(scene) == {"bad@x.org": "given up", "good@x.org": "delivered"}


def test_a_message_that_the_server_never_takes_is_given_up_after_many_attempts(scene: Scene) -> None:
    mails(scene, "a@x.org")
    with mail_server() as server:
        server.busy.add("a@x.org")
        for attempt in range(1, claims.MOST_ATTEMPTS + 1):
            assert states(scene) == {"a@x.org": "waiting"}, attempt
            send(scene, server)
            make_due(scene)
    assert states(scene) == {"a@x.org": "given up"}


@pytest.mark.parametrize("lines", [2, 100_000])
def test_an_attachment_arrives_as_it_was_written_and_a_large_one_lies_small_in_the_outbox(
    scene: Scene, lines: int
) -> None:
    written = AttachmentWriter()
    for number in range(lines):
        written.write(f"õ;{number};same in every line\n")
    attachment = written.attachment("report.txt")
    mails(scene, "a@x.org", attachments=[attachment.model_dump()])
    with mail_server() as server:
        send(scene, server)
    ((_, mail),) = server.received
    (part,) = mail.iter_attachments()
    text = part.get_payload(decode=True)
    assert isinstance(text, bytes)
    assert text.decode() == "".join(f"õ;{number};same in every line\n" for number in range(lines))
    assert bool(attachment.packed) == (len(text) > AttachmentWriter.LARGEST_PLAIN)
    assert len(attachment.content) + len(attachment.packed) < 600_000


def test_several_deliverers_at_once_deliver_each_message_once(scene: Scene) -> None:
    addresses = [f"u{number:02}@x.org" for number in range(30)]
    mails(scene, *addresses)
    with mail_server() as server:
        threads = [Thread(target=send, args=(scene, server)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.addresses == addresses
    assert {row.attempts for row in scene.rows(message)} == {1}


def test_dropped_messages_are_never_sent(scene: Scene) -> None:
    mails(scene, "a@x.org")
    assert operating.drop(scene.engine, ["a@x.org"]) == 1
    with mail_server() as server:
        send(scene, server)
        assert server.addresses == []


def test_a_slow_system_keeps_no_other_waiting(scene: Scene) -> None:
    """Web hooks go out while the mail server takes its time."""
    mails(scene, "a@x.org")
    with mail_server() as server, hook_server() as hook:
        hooks(scene, hook.url)
        server.pause = 60
        thread = Thread(target=send, args=(scene, server), daemon=True)
        thread.start()
        wait_until(lambda: "delivered" in states(scene).values())
        assert thread.is_alive() and states(scene)["a@x.org"] == "sending"
        server.release()
        thread.join()


def test_no_more_is_begun_when_the_time_of_a_round_is_over(scene: Scene) -> None:
    mails(scene, "a@x.org", "b@x.org", "c@x.org")
    with mail_server() as server:
        server.pause = 3.5
        done = deliver(scene.engine, scene.deployment(mail=server.options), longest=3)
        assert server.addresses == ["a@x.org"]
    assert list(done.findings()) == ["2 wait, tried again later: the time of this round is over"]
