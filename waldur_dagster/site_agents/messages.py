"""Telling site agents about resources and orders: which messages are due, and what becomes of them (spec people)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import groupby
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Integer, Select, Text, case, delete, func, literal, or_, select
from sqlalchemy.dialects.postgresql import JSONB, insert

from waldur_dagster.clients.agent_queues import Queues, Reach, Server, VirtualHost
from waldur_dagster.clients.failures import ItemFailed, SystemFailed, VisitFailed
from waldur_dagster.clients.patience import time_left
from waldur_dagster.outbox.tables import agent_message as told
from waldur_dagster.platform.expressions import given_rows
from waldur_dagster.site import Transactions
from waldur_dagster.site_agents.recipients import has_declared_queues, recipients
from waldur_dagster.visits import Partly, Stop, Visit, visit
from waldur_dagster.work import Work

UNCHANGED = timedelta(hours=4)  # newer versions do not repeat before this what they have said
FORGOTTEN = timedelta(days=30)
SWITCH = "RABBITMQ.STOMP_PORT"


@dataclass(frozen=True)
class Objects:
    """What agents are told about. ``chosen``: (id, offering_id, content, rank); ``content`` is the message's, as jsonb.

    Of objects that wait for the same time, those of the lowest ``rank`` are told first; ``most`` of them in a run.
    """

    object_type: str
    chosen: Select[Any]
    most: int | None = None


@dataclass(frozen=True)
class Message:
    object_type: str
    object_id: int
    topic: str
    content: Mapping[str, Any]
    sequence: int
    body: str

    @property
    def queue(self) -> str:
        return self.topic.replace("/", "_")


@dataclass(frozen=True)
class Batch:
    """The messages for one virtual host. ``declared``: Waldur makes the queues, and a message must not."""

    server: Server
    vhost: str
    messages: tuple[Message, ...]
    declared: bool

    @property
    def item(self) -> str:
        return f"virtual host {self.vhost}"


@dataclass
class Delivered:
    """What became of a batch: the messages that RabbitMQ has, and those whose queue it has not.

    ``unknown`` says why nobody can tell which queues are there.
    """

    sent: list[Message] = field(default_factory=list)
    missing: list[Message] = field(default_factory=list)
    unknown: str = ""


def tell_agents(transaction: Transactions, choose: Callable[[Work], Objects]) -> None:
    """Send what is due, one connection for each virtual host; ``choose`` is given a Work and gives Objects.

    Objects that were told longest ago, or never, come first, so that nobody waits for ever behind agents that do not
    answer. A message counts as told when RabbitMQ has it; one that is lost is sent again by the next run.
    """
    with transaction() as work:
        server = _server(work)
        if server is None:
            work.outcome.warn("RabbitMQ", f"the setting {SWITCH} is empty; agents are told nothing")
            return
        batches = _batches(work, server, choose(work))
        if batches:
            work.connection.execute(delete(told).where(told.c.tried < work.as_of - FORGOTTEN))
    stops = [Stop(str(server), batch.item, batch) for batch in batches]
    visit(transaction, stops, _send, _note, failed=_note_failure)


def _server(work: Work) -> Server | None:
    facts = work.settings["RABBITMQ"]
    if not facts["STOMP_PORT"]:
        return None
    port = work.deployment.site_agents.amqp_port
    return Server(facts["HOST"], int(facts["STOMP_PORT"]), facts["USER"], facts["PASSWORD"], port or None)


def _batches(work: Work, server: Server, objects: Objects) -> list[Batch]:
    newer = has_declared_queues(work)
    due = work.connection.execute(_due(work, objects)).all()
    return [
        Batch(server, vhost, tuple(_message(row, objects.object_type, newer=newer) for row in rows), newer)
        for vhost, rows in groupby(due, key=lambda row: row.vhost)
    ]


def _due(work: Work, objects: Objects) -> Select[Any]:
    """(object_id, vhost, topic, content, ...) of what each queue is to be told, by virtual host."""
    chosen, recipient = objects.chosen.subquery("chosen"), recipients(work, objects.object_type)
    pair = (
        select(
            chosen.c.id.label("object_id"),
            chosen.c.content,
            chosen.c.rank,
            *(column for column in recipient.c if column.name != "offering_id"),
            func.min(told.c.tried).over(partition_by=chosen.c.id).label("tried"),
            func.bool_or(told.c.tried.is_(None)).over(partition_by=chosen.c.id).label("is_new"),
            func.coalesce(told.c.sequence, 0).label("sequence"),
            _is_due(work, chosen.c.content).label("is_due"),
        )
        .join(recipient, recipient.c.offering_id == chosen.c.offering_id)
        .outerjoin(
            told,
            (told.c.object_type == objects.object_type)
            & (told.c.object_id == chosen.c.id)
            & (told.c.topic == recipient.c.topic),
        )
        .subquery("pair")
    )
    waited = case((pair.c.is_new, None), else_=pair.c.tried)
    turn = func.dense_rank().over(order_by=[waited.asc().nulls_first(), pair.c.rank, pair.c.object_id])
    ranked = select(*pair.c, turn.label("turn")).where(pair.c.is_due).subquery("ranked")
    found = select(ranked).order_by(ranked.c.vhost, ranked.c.turn, ranked.c.topic)
    return found if objects.most is None else found.where(ranked.c.turn <= objects.most)


def _is_due(work: Work, content: ColumnElement[Any]) -> ColumnElement[bool]:
    if not has_declared_queues(work):
        return literal(True)
    return or_(told.c.sent.is_(None), told.c.sent <= work.as_of - UNCHANGED, told.c.content != content)


def _message(row: Any, object_type: str, *, newer: bool) -> Message:
    sequence = row.sequence + 1
    body = {**row.content, "offering_uuid": row.offering_uuid}
    if newer:
        body["sequence_number"] = sequence
    if row.unified:
        body |= {"object_type": object_type, "schema_version": 1}
    return Message(object_type, row.object_id, row.topic, row.content, sequence, json.dumps(body))


def _send(visit: Visit, batch: Batch) -> Delivered:
    """Every message of a virtual host; one that is refused stops no other, nor does a queue that is not there."""
    done, refused = Delivered(), list[ItemFailed]()
    reach = visit.client("AMQP", Reach)
    with VirtualHost(batch.server, batch.vhost) as host, Queues(batch.server, batch.vhost, reach) as queues:
        if not visit.dry_run:
            host.connect()
        for message in batch.messages:
            time_left()
            try:
                if batch.declared and queues.has(message.queue) is False:
                    done.missing.append(message)
                else:
                    visit.change(f"tell {message.queue} {message.body}", partial(_give, host, batch, message))
                    done.sent.append(message)
            except ItemFailed as problem:
                refused.append(problem)
            except SystemFailed as problem:
                raise Partly(done, problem) from None
        done.unknown = queues.unknown
    if refused:
        raise Partly(done, ItemFailed(f"{len(refused)} messages were not sent: {refused[0]}"))
    return done


def _give(host: VirtualHost, batch: Batch, message: Message) -> None:
    """Older versions have queues made by the first message; newer ones make them, and name each message."""
    if not batch.declared:
        host.send(f"/queue/{message.queue}", message.body, {})
        return
    name = hashlib.sha256(f"{batch.vhost}:{message.topic}:{message.body}".encode()).hexdigest()[:32]
    host.send(f"/amq/queue/{message.queue}", message.body, {"x-message-id": name})


def _note(work: Work, batch: Batch, done: Delivered) -> None:
    sent = {(message.object_id, message.topic) for message in done.sent}
    _remember(work, batch, sent)
    work.outcome.figures["messages"] += len(sent)
    for queue in sorted({message.queue for message in done.missing}):
        problem = f"is not there on {batch.item}; Waldur makes it when the agent subscribes again"
        work.outcome.warn(f"queue {queue}", problem)
    if done.unknown:
        port = f"{batch.server.host}:{batch.server.amqp_port}"
        reason = f"nobody can tell whether they are there, AMQP at {port} does not: {done.unknown}"
        work.outcome.warn("queues of agents", f"{reason}; name its port in [site_agents] amqp_port, or 0")


def _note_failure(work: Work, batch: Batch, _: VisitFailed) -> bool:
    """Objects that were tried in vain let the others go first."""
    _remember(work, batch, set())
    return False


def _remember(work: Work, batch: Batch, sent: Set[tuple[int, str]]) -> None:
    rows = [
        {
            "object_type": message.object_type,
            "object_id": message.object_id,
            "topic": message.topic,
            "content": message.content,
            "sequence": message.sequence,
            "is_sent": (message.object_id, message.topic) in sent,
        }
        for message in batch.messages
    ]
    given = given_rows(
        rows, object_type=Text, object_id=Integer, topic=Text, content=JSONB, sequence=Integer, is_sent=Boolean
    )
    when = literal(work.as_of)
    source = select(
        given.c.object_type,
        given.c.object_id,
        given.c.topic,
        when,
        case((given.c.is_sent, when)),
        case((given.c.is_sent, given.c.content)),
        case((given.c.is_sent, given.c.sequence), else_=0),
    )
    columns = [told.c[name] for name in ("object_type", "object_id", "topic", "tried", "sent", "content", "sequence")]
    fresh = insert(told).from_select(columns, source)
    new = fresh.excluded
    work.connection.execute(
        fresh.on_conflict_do_update(
            index_elements=["object_type", "object_id", "topic"],
            set_={
                "tried": new.tried,
                "sent": func.coalesce(new.sent, told.c.sent),
                "content": func.coalesce(new.content, told.c.content),
                "sequence": func.greatest(new.sequence, told.c.sequence),
            },
        )
    )
