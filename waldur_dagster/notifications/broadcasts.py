"""The job send-scheduled-broadcast-notifications (spec core 4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from sqlalchemy import Row, Select, func, select, update

from waldur_dagster.outbox import Mail, deliveries, put
from waldur_dagster.outbox.tables import DELIVERED, DROPPED
from waldur_dagster.platform.mail import plain_mail
from waldur_dagster.schema.notifications import broadcastmessage
from waldur_dagster.work import Work

CHUNK = 50  # addresses in a mail
SCHEDULED, SENT = "SCHEDULED", "SENT"


@dataclass(frozen=True)
class Chunk:
    """A part of a message's addresses, in their order; the key makes sure that it is mailed once."""

    key: str
    addresses: tuple[str, ...]


def put_broadcasts(work: Work) -> None:
    """Write the mails of messages whose day has come; those that could not be delivered before are due again.

    A message goes to its stored addresses, hidden from each other, as plain text.
    """
    put(work, _mails(work), again=True)


def mark_broadcasts_sent(work: Work) -> None:
    """Once every mail of a message is delivered, the message is SENT; until then it stays SCHEDULED.

    A message of which a mail was refused is a failure of the run; the next run sends what is missing.
    """
    chunks = {
        row.id: (row, [chunk.key for chunk in _chunks(row)])
        for row in work.connection.execute(_due(work).with_for_update())
    }
    known = deliveries(work, [key for _, keys in chunks.values() for key in keys])
    sent = []
    for message_id, (row, keys) in chunks.items():
        missing = [key for key in keys if key not in known or known[key].state not in (DELIVERED, DROPPED)]
        refused = [known[key] for key in missing if key in known and known[key].problem]
        if not missing:
            sent.append(message_id)
        elif refused:
            work.outcome.fail(
                f"broadcast {row.subject!r} ({row.uuid.hex})",
                f"{len(missing)} of {len(keys)} mails are not delivered; the last answer: {refused[-1].problem}",
            )
    work.execute(update(broadcastmessage).where(broadcastmessage.c.id == func.any(sent)).values(state=SENT))


def _due(work: Work) -> Select[Any]:
    message = broadcastmessage
    return select(message).where(message.c.state == SCHEDULED, message.c.send_at <= work.today).order_by(message.c.id)


def _mails(work: Work) -> Iterator[Mail]:
    site_address = work.settings["DEFAULT_FROM_EMAIL"]
    for row in work.connection.execute(_due(work)):
        for chunk in _chunks(row):
            yield plain_mail(work, chunk.key, site_address, row.subject, row.body, bcc=chunk.addresses)


def _chunks(row: Row[Any]) -> Iterator[Chunk]:
    listed = row.emails if isinstance(row.emails, list) else []
    addresses = [address for address in listed if isinstance(address, str) and address.strip()]
    for number in count():
        part = tuple(addresses[number * CHUNK : (number + 1) * CHUNK])
        if not part:
            return
        yield Chunk(f"broadcast {row.uuid.hex} {number + 1}", part)
