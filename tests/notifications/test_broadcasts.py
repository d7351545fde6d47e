"""Broadcasts: chunks, and what is sent again when a part was refused (spec core 4)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.mail_server import MailServer, mail_server
from tests.scene import Scene
from tests.statements import counted
from waldur_dagster.notifications.broadcasts import mark_broadcasts_sent, put_broadcasts
from waldur_dagster.outbox import delivery
from waldur_dagster.outbox.tables import message
from waldur_dagster.outcome import Outcome
from waldur_dagster.schema.notifications import broadcastmessage

NOON = datetime(2025, 3, 10, 12, tzinfo=UTC)
ENTRY = "send-scheduled-broadcast-notifications"


def broadcast(scene: Scene, addresses: list[str], subject: str = "Maintenance") -> int:
    facts = {"state": "SCHEDULED", "send_at": NOON.date(), "query": {}, "subject": subject}
    return scene.add(broadcastmessage, emails=addresses, **facts)


def run(scene: Scene, server: MailServer) -> Outcome:
    document: dict[str, Any] = {"mail": {"host": "127.0.0.1", "port": server.port}}
    with scene.site(**document) as site:
        with site.work(ENTRY, NOON) as work:
            put_broadcasts(work)
        delivery.deliver(site.engine, site.deployment, entry=ENTRY)
        with site.work(ENTRY, NOON) as work:
            mark_broadcasts_sent(work)
        return site.outcome


def states(scene: Scene) -> list[str]:
    return [row.state for row in scene.rows(broadcastmessage)]


def guests(server: MailServer) -> list[str]:
    return [address for address in server.addresses if address != "webmaster@localhost"]


def test_a_refused_mail_is_sent_by_the_next_run_and_the_other_messages_are_not_sent_again(scene: Scene) -> None:
    broadcast(scene, ["a@x.org"], "lost")
    broadcast(scene, ["b@x.org"])
    with mail_server() as server:
        server.refused_subjects.add("lost")
        assert len(run(scene, server).failures) == 1
        assert states(scene) == ["SCHEDULED", "SENT"]
        server.refused_subjects.clear()
        assert run(scene, server).failures == []
        assert guests(server) == ["a@x.org", "b@x.org"]
    assert states(scene) == ["SENT", "SENT"]


def test_a_busy_address_gets_its_mail_later_and_its_neighbours_get_theirs_once(scene: Scene) -> None:
    broadcast(scene, ["a@x.org", "busy@x.org", "gone@x.org"])
    with mail_server(refused={"gone@x.org"}) as server:
        server.busy.add("busy@x.org")
        assert len(run(scene, server).failures) == 1
        server.busy.clear()
        assert run(scene, server).failures == []
        assert guests(server) == ["a@x.org", "busy@x.org"]
    assert states(scene) == ["SENT"]


def test_a_run_that_is_killed_before_it_notes_the_delivery_sends_nothing_again(scene: Scene) -> None:
    broadcast(scene, [f"u{number:03}@x.org" for number in range(51)])
    with mail_server() as server:
        with scene.site() as site, site.work(ENTRY, NOON) as work:
            put_broadcasts(work)
        delivery.deliver(scene.engine, scene.deployment(mail={"host": "127.0.0.1", "port": server.port}))
        assert states(scene) == ["SCHEDULED"]
        run(scene, server)
        assert len(server.received) == 2
        assert len(guests(server)) == len(set(guests(server))) == 51
    assert states(scene) == ["SENT"]


def test_a_message_without_usable_addresses_is_sent_without_a_mail(scene: Scene) -> None:
    broadcast(scene, ["", " "])
    with mail_server() as server:
        run(scene, server)
        assert server.received == []
    assert states(scene) == ["SENT"]


def test_a_dry_run_writes_nothing(scene: Scene) -> None:
    broadcast(scene, ["a@x.org"])
    with scene.site(dry_run=True) as site:
        for step in (put_broadcasts, mark_broadcasts_sent):
            with site.work(ENTRY, NOON) as work:
                step(work)
        assert site.outcome.figures["mails"] == 1
        assert site.outcome.failures == []
    assert states(scene) == ["SCHEDULED"]
    assert scene.rows(message) == []


def test_more_messages_need_no_more_statements(scene: Scene) -> None:
    counts = []
    for number in (3, 30):
        for _ in range(number):
            broadcast(scene, ["a@x.org"])
        with scene.site() as site, site.work(ENTRY, NOON) as work, counted(work.connection) as seen:
            put_broadcasts(work)
            mark_broadcasts_sent(work)
        counts.append(len(seen))
    assert counts[0] == counts[1]
