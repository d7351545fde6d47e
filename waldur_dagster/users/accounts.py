"""New accounts of the platform, with their tokens and events (spec core 4, A)."""

from __future__ import annotations

import itertools
import re
import secrets
import unicodedata
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ARRAY, Text, cast, func, insert, literal, select, update

from waldur_dagster.platform.contexts import user_context
from waldur_dagster.platform.events import log_events
from waldur_dagster.platform.expressions import json_list, text_from
from waldur_dagster.platform.slugs import next_slugs
from waldur_dagster.schema import authtoken, core
from waldur_dagster.users.system_robot import unusable_password
from waldur_dagster.work import Work

LONGEST_USERNAME = 128
NEW = {"token_created": "Token of {name} is new.", "user_creation_succeeded": "User {name} was created."}


@dataclass(frozen=True)
class Guest:
    """Somebody who gets an account, as an invitation tells of him."""

    email: str
    full_name: str
    native_name: str
    organization: str
    civil_number: str
    job_title: str
    phone_number: str

    @property
    def person(self) -> str:
        """The address by which somebody is known: people write theirs in letters of either case."""
        return self.email.lower()


def username_of(email: str) -> str:
    """The address in lower case, every character that is no letter or digit replaced by ``_``."""
    return re.sub(r"[\W_]", "_", email.lower())[:LONGEST_USERNAME]


def create_accounts(work: Work, guests: Sequence[Guest], registration_method: str) -> dict[str, int]:
    """Make active accounts without a usable password, each with a token; returns their ids by user name.

    A user name that somebody has already gets a number: two addresses may make the same name.
    """
    if not guests:
        return {}
    user = core.user
    names = _free_usernames(work, [username_of(guest.email) for guest in guests])
    slugs = next_slugs(work, user, names)
    given = zip(guests, names, slugs, strict=True)
    work.insert(user, [_row(work, guest, name, slug, registration_method) for guest, name, slug in given])
    ids = {
        row.username: row.id
        for row in work.connection.execute(select(user.c.username, user.c.id).where(user.c.username == func.any(names)))
    }
    tokens = [{"key": secrets.token_hex(20), "created": work.as_of, "user_id": number} for number in ids.values()]
    work.execute(insert(authtoken.token), tokens)
    for event_type, message in NEW.items():
        log_events(
            work,
            select(
                literal(event_type).label("event_type"),
                text_from(message, name=user.c.username).label("message"),
                user_context(user, "affected_user").label("context"),
                json_list(json_list(work.content_types("core", "user"), user.c.id)).label("feeds"),
            )
            .where(user.c.id == func.any(list(ids.values())))
            .order_by(user.c.id),
        )
    # The events show an account before it has its token lifetime.
    lifetime = int(work.settings["WALDUR_CORE.TOKEN_LIFETIME"])
    work.connection.execute(
        update(user).where(user.c.id == func.any(list(ids.values()))).values(token_lifetime=lifetime)
    )
    return ids


def _free_usernames(work: Work, wanted: Sequence[str]) -> list[str]:
    """The names; one that is taken with the first number, from 2 on, that makes it free."""
    user = core.user
    stems = func.unnest(cast(sorted({_stem(name) for name in wanted}), ARRAY(Text))).table_valued("stem")
    stem = stems.render_derived(name="wanted")
    begins = select(user.c.username).select_from(stem.join(user, func.starts_with(user.c.username, stem.c.stem)))
    taken = set(work.connection.scalars(begins))
    free: list[str] = []
    for name in wanted:
        numbered = (f"{_stem(name)}_{number}" for number in itertools.count(2))
        free.append(next(one for one in itertools.chain([name], numbered) if one not in taken))
        taken.add(free[-1])
    return free


def _stem(name: str) -> str:
    """What of a name leaves room for a number."""
    return name[: LONGEST_USERNAME - 8]


def _row(work: Work, guest: Guest, username: str, slug: str, registration_method: str) -> dict[str, object]:
    first, _, last = guest.full_name.strip().partition(" ")
    ascii_name = unicodedata.normalize("NFKD", f"{first} {last}".strip()).encode("ascii", "ignore").decode()
    return {
        "uuid": uuid.uuid4(),
        "username": username,
        "password": unusable_password(),
        "email": guest.email,
        "first_name": first,
        "last_name": last.strip(),
        "query_field": ascii_name,
        "native_name": guest.native_name,
        "organization": guest.organization,
        "civil_number": guest.civil_number or None,
        "job_title": guest.job_title,
        "phone_number": guest.phone_number,
        "registration_method": registration_method,
        "is_active": True,
        "is_staff": False,
        "is_support": False,
        "is_superuser": False,
        "is_identity_manager": False,
        "notifications_enabled": True,
        "date_joined": work.as_of,
        "last_sync": work.as_of,
        "details": {},
        "affiliations": [],
        "image": "",
        "slug": slug,
    }
