"""Robot accounts here made what their remotes say (spec remote 9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field
from sqlalchemy import FromClause, Integer, Text, cast, func, literal, select, update
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.clients.waldur import Document, Uuid, Words
from waldur_dagster.marketplace.robot_accounts import delete_robot_accounts
from waldur_dagster.platform.events import log_events
from waldur_dagster.platform.expressions import given_rows, json_list, json_object, text_from
from waldur_dagster.remote.losses import loses_too_much
from waldur_dagster.remote.remotes import Resource
from waldur_dagster.schema import lexis, marketplace
from waldur_dagster.work import Work

account = marketplace.robotaccount
OK = 3  # a state of newer versions
LINK_WAITS = (1, 4)  # states of LEXIS links: pending, erred


class RobotAccount(Document):
    """An account there; ``keys`` are its public SSH keys."""

    uuid: Uuid
    type: Words
    username: Words = ""
    keys: list[Words] = Field(default_factory=list)


@dataclass
class _Changes:
    """``updated`` and ``inserted`` are rows to write; ``updated`` have id, the new values, and what was changed."""

    updated: list[dict[str, Any]] = field(default_factory=list)
    inserted: list[dict[str, Any]] = field(default_factory=list)


def merge_accounts(work: Work, remote: str, answers: Sequence[tuple[Resource, Sequence[RobotAccount]]]) -> None:
    """Delete accounts that are gone there, take over new and changed ones, with an event for each.

    Accounts that were made here stay; a new one of the same type takes such an account over, with its users.
    """
    rows = _rows(work, [place.id for place, _ in answers])
    by_resource: dict[int, list[Any]] = {place.id: [] for place, _ in answers}
    for row in rows:
        by_resource[row.resource_id].append(row)
    listed = {one.uuid for _, accounts in answers for one in accounts}
    mirrored = [row for row in rows if row.backend_id]
    stale = {row.id for row in mirrored if row.backend_id not in listed}
    if loses_too_much(work, remote, "robot accounts", lost=len(stale), known=len(mirrored)):
        stale = set()
    changes = _Changes()
    for place, accounts in answers:
        _compare(work, place, accounts, [row for row in by_resource[place.id] if row.id not in stale], changes)
    if stale:
        delete_robot_accounts(work, given_rows([{"account_id": id} for id in sorted(stale)], account_id=Integer))
    _update(work, changes.updated)
    _insert(work, changes.inserted)


def _rows(work: Work, resources: Sequence[int]) -> list[Any]:
    columns = ("id", "resource_id", "backend_id", "type", "username", "keys")
    chosen = select(*(account.c[name] for name in columns)).where(account.c.resource_id == func.any(sorted(resources)))
    return list(work.connection.execute(chosen.order_by(account.c.id).with_for_update()))


def _compare(
    work: Work, place: Resource, accounts: Sequence[RobotAccount], here: Sequence[Any], into: _Changes
) -> None:
    """Note what is to be written for one resource; an account that cannot be kept here is told and left out."""
    by_uuid = {row.backend_id: row for row in here if row.backend_id}
    own = {row.type: row for row in here if not row.backend_id}
    wanted: dict[str, tuple[RobotAccount, Any]] = {}
    for one in accounts:
        row = by_uuid.get(one.uuid)
        if not work.schema.holds(account.c.type, one.type) or not work.schema.holds(account.c.username, one.username):
            work.outcome.warn(str(place), f"type or user name of robot account {one.uuid} is too long; it was left out")
        elif one.type in wanted or (row is not None and row.type != one.type and one.type in own):
            work.outcome.warn(str(place), f"robot account {one.uuid} has a type that another one has; it was left out")
        else:
            wanted[one.type] = (one, row if row is not None else own.get(one.type))
    moving = {row.id for _, row in wanted.values() if row is not None}
    held = {row.type for row in here if row.id not in moving}
    for type, (one, row) in wanted.items():
        if type in held:
            work.outcome.warn(str(place), f"robot account {one.uuid} has a type that another one has; it was left out")
        elif row is None:
            facts = {"backend_id": one.uuid, "type": type, "username": one.username, "keys": one.keys}
            into.inserted.append({"resource_id": place.id} | facts)
        elif (row.backend_id, row.type, row.username, row.keys) != (one.uuid, type, one.username, one.keys):
            into.updated.append(_changed(row, one))


def _changed(row: Any, one: RobotAccount) -> dict[str, Any]:
    pairs = (
        ("type", row.type, one.type),
        ("username", row.username, one.username),
        ("keys", row.keys, one.keys),
    )
    words = "".join(f"{name} had changed from {old} to {new}. " for name, old, new in pairs if old != new)
    return {
        "id": row.id,
        "backend_id": one.uuid,
        "type": one.type,
        "username": one.username,
        "keys": one.keys,
        "moves": row.type != one.type,
        "named": not row.username and bool(one.username),
        "message": f"Robot account {row.username or one.username} has been updated. {words}",
    }


def _update(work: Work, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    # The types of two accounts may change places, and no two of a resource may have the same: those stand aside first.
    if aside := [{"id": row["id"], "aside": f"~{n}"} for n, row in enumerate((r for r in rows if r["moves"]), 1)]:
        moved = given_rows(aside, id=Integer, aside=Text)
        work.connection.execute(
            update(account).where(account.c.id == moved.c.id).values(type=func.left(moved.c.aside, 5))
        )
    given = given_rows(rows, id=Integer, backend_id=Text, type=Text, username=Text, keys=JSONB, message=Text)
    values = {name: given.c[name] for name in ("backend_id", "type", "username", "keys")}
    work.execute(update(account).where(account.c.id == given.c.id).values(**values, modified=work.as_of))
    chosen = select(given.c.id.label("account_id"), given.c.message).subquery("updated")
    _log(work, "resource_robot_account_updated", chosen, chosen.c.message)
    _tell_of_lexis(work, [row["id"] for row in rows if row["named"] and row["type"].startswith("hl")])


def _insert(work: Work, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    given = given_rows(rows, resource_id=Integer, backend_id=Text, type=Text, username=Text, keys=JSONB)
    columns: list[Any] = [*given.c, cast(literal("{}"), JSONB).label("backend_metadata")]
    if work.schema.has_column(account.c.state):
        columns.append(literal(OK).label("state"))
    made = work.execute(work.insert_from(account, select(*columns)).returning(account.c.id))
    chosen = given_rows([{"account_id": row.id} for row in made], account_id=Integer)
    message = text_from("Robot account {name} has been created.", name=account.c.username)
    _log(work, "resource_robot_account_created", chosen, message)


def _log(work: Work, event_type: str, chosen: FromClause, message: Any) -> None:
    types = work.content_types
    log_events(
        work,
        select(
            text_from(event_type).label("event_type"),
            message.label("message"),
            json_object(robot_account_type=account.c.type, robot_account_username=account.c.username).label("context"),
            json_list(
                json_list(types("marketplace", "robotaccount"), account.c.id),
                json_list(types("marketplace", "resource"), account.c.resource_id),
            ).label("feeds"),
        )
        .join(chosen, chosen.c.account_id == account.c.id)
        .order_by(account.c.id),
    )


def _tell_of_lexis(work: Work, ids: Sequence[int]) -> None:
    """Waldur itself asks LEXIS for keys when such an account gets its name; this program does not."""
    link = lexis.lexislink
    if ids and work.schema.has(link.name):
        waiting = select(link.c.robot_account_id).where(
            link.c.robot_account_id == func.any(sorted(ids)), link.c.state.in_(LINK_WAITS)
        )
        for id in work.connection.scalars(waiting):
            work.outcome.warn(f"robot account {id}", "its LEXIS link waits for keys, which only Waldur can ask for")
