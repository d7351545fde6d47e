"""Accounts for guests on sites that make them themselves, in the platform and in FreeIPA (spec core 4, A).

FreeIPA is asked through the outbox, with a password that is kept there until the guest's mail is written: a run that is
killed in between loses nothing, and asks for the same account with the same password again.
"""

from __future__ import annotations

import secrets
import string
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Integer, Row, Text, Uuid, cast, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.outbox import AccountRequest, problem_of_delivery, put
from waldur_dagster.outbox.tables import DELIVERED, UNFINISHED, message
from waldur_dagster.platform.contexts import full_name, user_context
from waldur_dagster.platform.events import log_events
from waldur_dagster.platform.expressions import given_rows, hex_of, json_list, json_object, merged, text_from
from waldur_dagster.platform.freeipa_groups import sync_freeipa_groups
from waldur_dagster.platform.mail import Letter, notification_mails
from waldur_dagster.schema import core, freeipa
from waldur_dagster.schema.users import invitation
from waldur_dagster.users.accounts import Guest, create_accounts, username_of
from waldur_dagster.users.invitation_facts import InvitationTexts, invitation_facts
from waldur_dagster.work import Work

APPROVED = "users.invitation_approved"
KEY = "invitation account "
LONGEST_USERNAME = 32
PASSWORD_LENGTH = 16
GUEST_FACTS = ("full_name", "native_name", "organization", "civil_number", "job_title", "phone_number")
TOLD_FREEIPA = (
    *("id", "username", "first_name", "last_name", "email"),
    *("organization", "job_title", "preferred_language", "phone_number"),
)
TAKEN = "An account with the guest's user name or civil number exists, but is not active; nothing was delivered."


@dataclass(frozen=True)
class Account:
    id: int
    is_active: bool
    has_profile: bool
    person: str

    def may_be(self, guest: Guest) -> bool:
        """Whether an account with the guest's user name is his: another address may make the same name."""
        return self.person in {"", guest.person}


def request_accounts(work: Work, rows: Sequence[Row[Any]]) -> list[Row[Any]]:
    """Find or make the guests' accounts and ask FreeIPA for those that have no profile.

    Returns the invitations whose guests have a profile, or are getting one already: these are delivered as usual.
    """
    if not rows:
        return []
    ids = [row.id for row in rows]
    columns = (invitation.c[name] for name in ("id", "email", *GUEST_FACTS))
    found = work.connection.execute(select(*columns).where(invitation.c.id == func.any(ids)).order_by(invitation.c.id))
    guests = {row.id: Guest(row.email, *(getattr(row, name) for name in GUEST_FACTS)) for row in found}
    known = _accounts(work, list(guests.values()))
    new: list[Guest] = []
    seen: set[str] = set()
    for guest in guests.values():
        marks = {guest.person, guest.civil_number} - {""}
        if _match(known, guest) is None and not _is_taken(known, guest) and not marks & seen:
            new.append(guest)
            seen |= marks
    create_accounts(work, new, "FREEIPA")
    known = _accounts(work, list(guests.values()))
    taken = [number for number, guest in guests.items() if _match(known, guest) is None]
    work.connection.execute(update(invitation).where(invitation.c.id == func.any(taken)).values(error_message=TAKEN))
    accounts = {number: account for number, guest in guests.items() if (account := _match(known, guest))}
    asked = _users_asked_for(work)
    wanting: dict[int, int] = {}
    for number, account in accounts.items():
        if not account.has_profile and account.id not in asked:
            wanting[number] = account.id
            asked.add(account.id)
    put(work, _requests(work, wanting, [row for row in rows if row.id in wanting]))
    return [row for row in rows if row.id in accounts and row.id not in wanting]


def add_profiles(work: Work) -> None:
    """Write profiles for the accounts that FreeIPA has made, and tell the guests; note the reason where it has not.

    New people belong into groups: these are brought up to date.
    """
    asked = message.c.key == func.concat(literal(KEY, Text), hex_of(invitation.c.uuid))
    open_requests = (invitation.c.execution_state == "Scheduled", message.c.payload.has_key("password"))
    failed = message.c.state != DELIVERED
    reason = problem_of_delivery()
    work.execute(
        update(invitation)
        .where(asked, *open_requests, failed, invitation.c.error_message != reason)
        .values(error_message=reason, modified=work.as_of)
    )
    made = work.connection.execute(
        invitation_facts(work)
        .join(message, asked)
        .add_columns(message.c.id.label("message_id"), message.c.payload)
        .where(*open_requests, message.c.state == DELIVERED)
    ).all()
    if not made:
        return
    _insert_profiles(work, made)
    put(work, sync_freeipa_groups(work))
    put(work, notification_mails(work, APPROVED, _letters(work, made)))
    work.connection.execute(
        update(invitation)
        .where(invitation.c.id == func.any([row.id for row in made]), invitation.c.error_message != "")
        .values(error_message="", modified=work.as_of)
    )
    work.connection.execute(
        update(message)
        .where(message.c.id == func.any([row.message_id for row in made]))
        .values(payload=cast(message.c.payload, JSONB).op("-")(cast("password", Text)))
    )


def _accounts(work: Work, guests: Sequence[Guest]) -> dict[tuple[str, str], Account]:
    """Accounts by what a guest is recognised by: civil number, address in letters of either case, user name; the
    oldest active one of each."""
    user, profile = core.user, freeipa.profile
    rows = work.connection.execute(
        select(user.c.id, user.c.civil_number, user.c.email, user.c.username, user.c.is_active, profile.c.id.label("p"))
        .outerjoin(profile, profile.c.user_id == user.c.id)
        .where(
            or_(
                user.c.civil_number == func.any([g.civil_number for g in guests if g.civil_number]),
                func.lower(user.c.email).in_([guest.person for guest in guests]),
                user.c.username == func.any([username_of(guest.email) for guest in guests]),
            )
        )
        .order_by(user.c.is_active.desc(), user.c.id)
    )
    found: dict[tuple[str, str], Account] = {}
    for row in rows:
        person = row.email.lower()
        account = Account(row.id, row.is_active, row.p is not None, person)
        for kind, value in (("civil", row.civil_number), ("email", person), ("username", row.username)):
            if value:
                found.setdefault((kind, value), account)
    return found


def _match(known: dict[tuple[str, str], Account], guest: Guest) -> Account | None:
    for mark in (("civil", guest.civil_number), ("email", guest.person)):
        if mark in known and known[mark].is_active:
            return known[mark]
    namesake = known.get(("username", username_of(guest.email)))
    return namesake if namesake and namesake.is_active and namesake.may_be(guest) else None


def _is_taken(known: dict[tuple[str, str], Account], guest: Guest) -> bool:
    namesake = known.get(("username", username_of(guest.email)))
    return (namesake is not None and namesake.may_be(guest)) or ("civil", guest.civil_number) in known


def _users_asked_for(work: Work) -> set[int]:
    waiting = select(cast(message.c.payload["user_id"].astext, Integer)).where(
        message.c.kind == "account", message.c.state.in_(UNFINISHED)
    )
    return set(work.connection.scalars(waiting))


def _requests(work: Work, wanting: dict[int, int], rows: Sequence[Row[Any]]) -> Iterator[AccountRequest]:
    user, profile = core.user, freeipa.profile
    users = {
        row.id: row
        for row in work.connection.execute(
            select(*(user.c[name] for name in TOLD_FREEIPA), full_name(user).label("name")).where(
                user.c.id == func.any(list(wanting.values()))
            )
        )
    }
    keys: dict[int, list[str]] = defaultdict(list)
    ssh = core.sshpublickey
    owned = select(ssh.c.user_id, ssh.c.public_key).where(ssh.c.user_id == func.any(list(users))).order_by(ssh.c.id)
    for user_id, public_key in work.connection.execute(owned):
        keys[user_id].append(public_key)
    taken = set(work.connection.scalars(select(profile.c.username))) if users else set()
    for row in rows:
        account = users[wanting[row.id]]
        username = f"{work.settings['WALDUR_FREEIPA.USERNAME_PREFIX']}{account.username}".lower()
        if len(username) > LONGEST_USERNAME or username in taken:
            username = secrets.token_hex(LONGEST_USERNAME // 2)
        taken.add(username)
        yield AccountRequest(
            key=f"{KEY}{row.uuid.hex}",
            user_id=account.id,
            username=username,
            password=_password(),
            facts={
                "givenname": account.first_name,
                "sn": account.last_name,
                "cn": account.name,
                "mail": account.email,
                "ou": account.organization,
                "title": account.job_title,
                "preferredlanguage": account.preferred_language,
                "telephonenumber": account.phone_number,
                "ipasshpubkey": keys[account.id],
                "gecos": account.name,
                "nsaccountlock": True,  # until the guest has agreed to the terms of use
            },
        )


def _password() -> str:
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(PASSWORD_LENGTH))


def _insert_profiles(work: Work, made: Sequence[Row[Any]]) -> None:
    user, profile = core.user, freeipa.profile
    facts = [
        {"uuid": str(uuid.uuid4()), "username": row.payload["username"], "user_id": row.payload["user_id"]}
        for row in made
    ]
    given = given_rows(facts, uuid=Uuid, username=Text, user_id=Integer)
    free = ~select(profile.c.id).where(profile.c.user_id == given.c.user_id).exists()
    source = select(
        given.c.uuid,
        given.c.username,
        given.c.user_id,
        literal(work.as_of).label("agreement_date"),
        literal(False).label("is_active"),
    ).where(free, given.c.user_id.in_(select(user.c.id)))
    inserted = work.insert_from(profile, source).returning(profile.c.user_id)
    new = list(work.connection.scalars(inserted))
    work.outcome.changed(profile.name, "inserted", len(new))
    log_events(
        work,
        select(
            literal("freeipa_profile_created").label("event_type"),
            text_from("FreeIPA profile {name} was created.", name=profile.c.username).label("message"),
            merged(user_context(user), json_object(username=profile.c.username)).label("context"),
            json_list(json_list(work.content_types("core", "user"), user.c.id)).label("feeds"),
        )
        .join(profile, profile.c.user_id == user.c.id)
        .where(user.c.id == func.any(new))
        .order_by(user.c.id),
    )


def _letters(work: Work, made: Sequence[Row[Any]]) -> Iterator[Letter]:
    texts = InvitationTexts(work, made)
    for row in made:
        credentials = {name: row.payload[name] for name in ("username", "password")}
        shown = texts.facts(row, row.author_full_name or row.author_username) | credentials
        yield Letter(f"invitation approved {row.uuid.hex}", row.email, shown, confidential=True)
