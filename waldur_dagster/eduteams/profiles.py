"""A person's account becomes what eduTEAMS says of him, with the events and mails of that (spec people 0.5)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import TYPE_CHECKING, Any

from sqlalchemy import Integer, Text, literal, select, update

from waldur_dagster.outbox import put
from waldur_dagster.platform.contexts import user_context
from waldur_dagster.platform.events import log_events
from waldur_dagster.platform.expressions import given_rows, json_list
from waldur_dagster.platform.mail import Letter, notification_mails
from waldur_dagster.platform.roles import OWNER, holders
from waldur_dagster.platform.template_objects import CUSTOMER, USER, Objects, View
from waldur_dagster.schema import core
from waldur_dagster.work import Work

if TYPE_CHECKING:
    from waldur_dagster.clients.eduteams import Person

SOURCE = "isd:eduteams"
NOTIFICATION = "structure.notifications_profile_changes_operator"
TOLD = "WALDUR_CORE.NOTIFICATIONS_PROFILE_CHANGES"
# In the order in which Waldur's model has them.
PROFILE = ("affiliations", "email", "first_name", "last_name")
IN_FREEIPA = frozenset({"email", "first_name", "last_name"})

user = core.user


@dataclass(frozen=True)
class Account:
    """The row of an account as it was, locked."""

    id: int
    row: Any

    def changes(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in wanted.items() if getattr(self.row, name) != value}


def locked(work: Work, number: int) -> Account | None:
    """The account, when it is still active: somebody who was deactivated meanwhile does not come back."""
    columns = [user.c[name] for name in ("username", "is_active", "details", "first_name", "last_name", *PROFILE)]
    newer = [user.c[name] for name in ("active_isds", "attribute_sources") if work.schema.has_column(user.c[name])]
    row = work.connection.execute(
        select(*dict.fromkeys(columns), *newer).where(user.c.id == number, user.c.is_active).with_for_update()
    ).one_or_none()
    return None if row is None else Account(number, row)


def queue_behind(work: Work, number: int) -> None:
    """An account that could not be refreshed goes to the end of the queue."""
    work.execute(update(user).where(user.c.id == number, user.c.is_active).values(last_sync=work.as_of))


def leave(work: Work, account: Account) -> None:
    """eduTEAMS no longer knows the person: the account is switched off; keys and roles stay.

    Newer versions of Waldur note who vouches for an account: eduTEAMS does no longer, and it is switched off when
    nobody is left.
    """
    values: dict[str, Any] = {"last_sync": work.as_of, "is_active": False}
    if hasattr(account.row, "active_isds"):
        left = [source for source in account.row.active_isds or [] if source != SOURCE]
        owned = {k: v for k, v in (account.row.attribute_sources or {}).items() if _owner(v) != SOURCE}
        values |= {"active_isds": left, "attribute_sources": owned, "is_active": bool(left)}
    _write(work, account, values)
    if not values["is_active"]:
        _log(work, account, [("user_deactivated", f"User {account.row.username} has been deactivated.")])


def refresh(work: Work, account: Account, person: Person) -> bool:
    """Give the account what eduTEAMS says; returns whether something changed that FreeIPA has too."""
    wanted = {
        "details": {"eduperson_assurance": person.assurance},
        "affiliations": person.affiliations,
        "email": account.row.email if person.email is None else person.email,
        "first_name": person.first_name,
        "last_name": person.last_name,
    }
    changed = account.changes(wanted)
    values = changed | {"last_sync": work.as_of}
    if {"first_name", "last_name"} & changed.keys():
        values["query_field"] = _folded(f"{person.first_name} {person.last_name}".strip())
    _write(work, account, values | _provenance(work.as_of, account, wanted))
    _log(work, account, list(_events(account, changed)))
    _tell_operators(work, account, changed)
    return bool(IN_FREEIPA & changed.keys())


def _provenance(now: datetime, account: Account, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Where the values come from, as newer versions of Waldur keep it."""
    if not hasattr(account.row, "active_isds"):
        return {}
    told = {name: {"source": SOURCE, "timestamp": now.isoformat()} for name, value in wanted.items() if value}
    vouching = account.row.active_isds or []
    return {
        "attribute_sources": (account.row.attribute_sources or {}) | told,
        "active_isds": vouching if SOURCE in vouching else [*vouching, SOURCE],
    }


def _owner(source: Any) -> Any:
    return source.get("source") if isinstance(source, Mapping) else source


def _write(work: Work, account: Account, values: dict[str, Any]) -> None:
    if work.schema.has_column(user.c.modified):
        values = values | {"modified": work.as_of}
    work.execute(update(user).where(user.c.id == account.id).values(values))


def _events(account: Account, changed: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Kinds and texts, in Waldur's order; values as Python prints them."""
    old = account.row
    if "details" in changed:
        before, after = (str(value or {})[1:-1] for value in (old.details, changed["details"]))
        yield (
            "user_details_update_succeeded",
            f"Details for {old.username} have been updated from {before} to {after}.",
        )
    lines = [f"{name}: {getattr(old, name)} -> {changed[name]}" for name in PROFILE if name in changed]
    if lines:
        text = "\n".join([f"User {old.username} has been updated. Details:", *lines])
        yield "user_update_succeeded", text


def _tell_operators(work: Work, account: Account, changed: Mapping[str, Any]) -> None:
    """When somebody who owns an organization has changed, it is noted, and mailed where the site wants that."""
    options = work.settings[TOLD]
    fields = [
        View({"name": name, "old_value": getattr(account.row, name), "new_value": changed[name]})
        for name in options["FIELDS"]
        if name in changed
    ]
    owned = _owned(work, account.id) if fields else []
    if not owned:
        return
    old = account.row
    name = f"{changed.get('first_name', old.first_name)} {changed.get('last_name', old.last_name)}".strip()
    told = ", ".join(f"{f['name']} from {f['old_value']} to {f['new_value']}" for f in fields)
    text = f"User {escape(name)} (id={account.id}) profile has been updated: {escape(told)}."
    _log(work, account, [("user_profile_changed", text)])
    if not options["ENABLE_OPERATOR_OWNER_NOTIFICATIONS"]:
        return
    organizations = Objects(work, CUSTOMER, owned)
    context = {
        "user": Objects(work, USER, [account.id]).view(account.id, id=account.id, full_name=name),
        "organizations": tuple(organizations.view(number) for number in owned),
        "fields": tuple(fields),
    }
    stamp = work.as_of.isoformat()
    letters = (
        Letter(f"profile of user {account.id} changed {stamp} {address}", address, context)
        for address in dict.fromkeys(options["OPERATOR_NOTIFICATION_EMAILS"])
    )
    put(work, notification_mails(work, NOTIFICATION, letters))


def _owned(work: Work, number: int) -> list[int]:
    """The organizations that somebody owns."""
    held = holders(work, "structure", "customer", (OWNER,)).subquery("held")
    return list(work.connection.scalars(select(held.c.scope_id).where(held.c.user_id == number).order_by("scope_id")))


def _log(work: Work, account: Account, events: list[tuple[str, str]]) -> None:
    """Events in the account's own log, with its facts as they are now."""
    if not events:
        return
    rows = [{"number": n, "event_type": kind, "message": text} for n, (kind, text) in enumerate(events)]
    given = given_rows(rows, number=Integer, event_type=Text, message=Text)
    log_events(
        work,
        select(
            given.c.event_type,
            given.c.message,
            user_context(user, "affected_user").label("context"),
            json_list(json_list(work.content_types("core", "user"), user.c.id)).label("feeds"),
        )
        .select_from(given.join(user, user.c.id == literal(account.id)))
        .order_by(given.c.number),
    )


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
