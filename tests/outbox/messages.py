"""Messages that wait in the outbox of a scene, and what became of them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert, text, update

from tests.mail_server import MailServer
from tests.scene import Scene
from waldur_dagster.outbox import Mail
from waldur_dagster.outbox.delivery import Delivered, deliver
from waldur_dagster.outbox.tables import message, system

LETTER = {"kind": "mail", "subject": "S", "body": "B", "from_address": "site@x.org"}


def wait(scene: Scene, key: str, payload: dict[str, Any], **values: Any) -> None:
    """One message of any kind."""
    row = {"key": key, "kind": payload["kind"], "entry": "e", "run_id": "", "payload": payload}
    with scene.engine.begin() as connection:
        connection.execute(insert(message).values(row | values))


def mails(scene: Scene, *addresses: str, **payload: Any) -> None:
    """A mail to each address, which is its key too."""
    for address in addresses:
        wait(scene, address, LETTER | {"to": [address]} | payload)


def letter(address: str) -> Mail:
    """As a job writes it; the address is its key too."""
    return Mail(key=address, to=(address,), subject="S", body="B", from_address="site@x.org")


def hooks(scene: Scene, *urls: str, **payload: Any) -> None:
    """A call of each web hook, whose address is its key too."""
    for number, url in enumerate(urls):
        wait(scene, f"{number} {url}", {"kind": "webhook", "url": url, "fields": {"event_type": "x"}} | payload)


def states(scene: Scene) -> dict[str, str]:
    return {row.key: row.state for row in scene.rows(message)}


def reasons(scene: Scene) -> dict[str, str]:
    """Why outside systems are left alone."""
    return {row.name: row.reason for row in scene.rows(system)}


def send(scene: Scene, server: MailServer | int | dict[str, Any] | None = None, **document: Any) -> Delivered:
    """A round of deliveries, to a mail server, one on a port of this machine, or as options say."""
    if server is not None:
        options = {"host": "127.0.0.1", "port": server} if isinstance(server, int) else server
        document["mail"] = options.options if isinstance(options, MailServer) else options
    return deliver(scene.engine, scene.deployment(**document))


def make_due(scene: Scene) -> None:
    """As when all pauses are over."""
    with scene.engine.begin() as connection:
        connection.execute(update(message).values(next_attempt=text("now()")))
        connection.execute(update(system).values(next_try=text("now()")))
