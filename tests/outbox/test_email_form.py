"""Letters outside ASCII, odd addresses and odd lines, on servers with and without SMTPUTF8, and in the mail folder."""

from __future__ import annotations

import stat
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from tests.mail_server import mail_server
from tests.outbox.messages import mails, send, states
from tests.scene import Scene
from waldur_dagster.outbox.tables import message


def test_a_senders_name_with_umlauts_is_encoded_and_goes_out(scene: Scene) -> None:
    names = {"from_address": "Wölkchen Õ <site@x.org>", "reply_to": "Ülo <help@x.org>"}
    mails(scene, "a@x.org", subject="Tere õ", **names)
    with mail_server() as server:
        send(scene, server)
    ((_, mail),) = server.received
    assert (mail["From"], mail["Reply-To"]) == ("Wölkchen Õ <site@x.org>", "Ülo <help@x.org>")
    assert mail["Subject"] == "Tere õ"
    assert all(ord(sign) < 128 for sign in mail.as_string())


def test_domains_with_umlauts_become_punycode(scene: Scene) -> None:
    mails(scene, "a@bücher.example", from_address="site@Õun.example")
    with mail_server() as server:
        send(scene, server)
    ((recipients, mail),) = server.received
    assert recipients == ["a@xn--bcher-kva.example"]
    assert (mail["To"], mail["From"]) == ("a@xn--bcher-kva.example", "site@xn--un-bka.example")


def test_a_mailbox_that_the_server_cannot_take_is_given_up_at_once_and_stops_nobody(scene: Scene) -> None:
    mails(scene, "üser@x.org", "a@x.org", "no address", "b@x.org")
    with mail_server() as server:
        send(scene, server)
        assert server.addresses == ["a@x.org", "b@x.org"]
    assert list(states(scene).values()) == ["given up", "delivered", "given up", "delivered"]
    assert "no SMTPUTF8" in scene.one(message, key="üser@x.org").last_error
    assert "is no mail address" in scene.one(message, key="no address").last_error


def test_of_several_recipients_only_those_get_a_mail_whom_the_server_can_take(scene: Scene) -> None:
    mails(scene, "a@x.org", cc=["üser@x.org"], bcc=["nobody", "b@x.org"])
    with mail_server() as server:
        send(scene, server)
    ((recipients, mail),) = server.received
    assert recipients == ["a@x.org", "b@x.org"]
    assert "ser@" not in mail.as_string()
    row = scene.one(message)
    assert row.state == "delivered" and "üser@x.org" in row.last_error and "nobody" in row.last_error


def test_a_server_with_smtputf8_takes_every_mailbox(scene: Scene) -> None:
    mails(scene, "üser@bücher.example")
    with mail_server(utf8=True) as server:
        send(scene, server)
    assert server.addresses == ["üser@xn--bcher-kva.example"]


BODY = "Hello\nFrom here on\n.\n..two\n>From a quote\nend\nõ\n"


def test_lines_arrive_as_written(scene: Scene) -> None:
    mails(scene, "a@x.org", body=BODY, html=f"<pre>{BODY}</pre>" + "x" * 3000)
    with mail_server() as server:
        send(scene, server)
    ((_, mail),) = server.received
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None and html is not None
    assert plain.get_content().replace("\r\n", "\n") == BODY
    assert html.get_content().replace("\r\n", "\n").strip() == f"<pre>{BODY}</pre>" + "x" * 3000


@pytest.mark.parametrize(
    "address", ["a@x.org\r\nBcc: evil@x.org", "a@x.org> <evil@x.org", "a@x.org,evil@x.org", "A\n<a@x.org>", "@", ""]
)
def test_no_address_smuggles_anything(scene: Scene, address: str) -> None:
    mails(scene, address)
    with mail_server() as server:
        send(scene, server)
    assert server.asked == [] and list(states(scene).values()) == ["given up"]


# The folder


def test_no_two_mails_share_a_file_and_only_the_owner_reads_them(scene: Scene, tmp_path: Path) -> None:
    addresses = ["a+b@x.org", "a-b@x.org", "a/b@x.org", "A+b@x.org", "õ" * 300 + "@x.org", "õ" * 301 + "@x.org"]
    mails(scene, *addresses, body=BODY)
    folder = tmp_path / "new" / "mails"
    send(scene, {"directory": str(folder)})
    files = list(folder.iterdir())
    written = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]
    assert len(files) == len(addresses)
    assert {str(mail["To"]) for mail in written} == set(addresses)
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_that_cannot_be_written_leaves_everything_waiting(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "mails").write_text("a file")
    mails(scene, "a@x.org", "b@x.org")
    assert send(scene, {"directory": str(tmp_path / "mails")}).not_delivered == 2
    assert set(states(scene).values()) == {"waiting"}
