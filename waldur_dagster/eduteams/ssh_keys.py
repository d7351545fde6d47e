"""SSH keys that eduTEAMS knows: how they become the site's (spec people, Key synchronization)."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy import Text, Uuid, func, literal, select

from waldur_dagster.platform.cascade import delete_with_dependants
from waldur_dagster.platform.contexts import full_name, user_context
from waldur_dagster.platform.events import log_events
from waldur_dagster.platform.expressions import given_rows, hex_of, json_list, json_object, merged
from waldur_dagster.schema import core
from waldur_dagster.work import Work

if TYPE_CHECKING:
    from waldur_dagster.clients.eduteams import Keys

PREFIX = "eduteams_"
CREATED, DELETED = "created", "deleted"

key, user = core.sshpublickey, core.user


def synchronize_keys(work: Work, wanted: Mapping[int, Keys]) -> set[int]:
    """Make the ``eduteams_`` keys of users, by id, the wanted texts; returns those whose keys have changed.

    A text that is no OpenSSH public key is left out; of a list that was not read as a whole nothing is taken away. Keys
    that people gave themselves are not looked at. One run at a time does this, of both entries. Statements: constant.
    """
    work.connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("eduteams ssh keys", 0))))
    known: dict[int, defaultdict[str, list[Any]]] = {number: defaultdict(list) for number in wanted}
    stored = select(key.c.id, key.c.uuid, key.c.name, key.c.user_id, key.c.public_key).where(
        key.c.user_id == func.any(list(wanted)), key.c.name.startswith(PREFIX, autoescape=True)
    )
    for row in work.connection.execute(stored.order_by(key.c.id)):
        known[row.user_id][row.public_key].append(row)
    new, stale = [], []
    for number, listed in wanted.items():
        texts = dict.fromkeys(listed.texts)
        new += [_row(number, text) for text in texts if text not in known[number] and is_public_key(text)]
        if listed.whole:
            stale += [row for text, rows in known[number].items() if text not in texts for row in rows]
    work.insert(key, new)
    _tell(work, CREATED, [{name: str(row[name]) for name in ("user_id", "uuid", "name")} for row in new])
    delete_with_dependants(work, key, [row.id for row in stale])
    _tell(work, DELETED, [{"user_id": str(row.user_id), "uuid": str(row.uuid), "name": row.name} for row in stale])
    work.outcome.figures["SSH keys removed"] += len(stale)
    return {row["user_id"] for row in new} | {row.user_id for row in stale}


def is_public_key(text: str) -> bool:
    """Whether a text is one key of a kind that OpenSSH writes, those of hardware tokens (``sk-...``) included.

    A line may end as in a file, and have tabs; a second one may not follow.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    if not text.rstrip("\r\n").replace("\t", " ").isprintable():
        return False
    try:
        load_ssh_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True


def fingerprints(text: str) -> dict[str, str]:
    """What a key is known by: digests of its second word."""
    blob = base64.b64decode(text.split()[1])
    md5 = hashlib.md5(blob, usedforsecurity=False).hexdigest()

    def packed(name: str) -> str:
        return f"{name.upper()}:{base64.b64encode(hashlib.new(name, blob).digest()).decode().rstrip('=')}"

    return {
        "fingerprint_md5": ":".join(md5[at : at + 2] for at in range(0, len(md5), 2)),
        "fingerprint_sha256": packed("sha256"),
        "fingerprint_sha512": packed("sha512"),
    }


def _row(user_id: int, text: str) -> dict[str, Any]:
    name = f"{PREFIX}key_{secrets.token_hex(5)}"
    return {"user_id": user_id, "uuid": uuid4(), "name": name, "public_key": text, "is_shared": False} | fingerprints(
        text
    )


def _tell(work: Work, verb: str, keys: list[dict[str, str]]) -> None:
    """An event for each key, in its owner's log."""
    if not keys:
        return
    given = given_rows(keys, user_id=key.c.user_id.type, uuid=Uuid, name=Text)
    name = full_name(user)
    owner = func.concat(func.nullif(func.concat(" ", name), " "), " with username ", user.c.username)
    kind = {CREATED: "ssh_key_creation_succeeded", DELETED: "ssh_key_deletion_succeeded"}[verb]
    log_events(
        work,
        select(
            literal(kind).label("event_type"),
            func.concat("SSH key ", given.c.name, f" has been {verb} for user", owner, ".").label("message"),
            merged(user_context(user), json_object(ssh_key_uuid=hex_of(given.c.uuid), ssh_key_name=given.c.name)).label(
                "context"
            ),
            json_list(json_list(work.content_types("core", "user"), user.c.id)).label("feeds"),
        )
        .select_from(given.join(user, user.c.id == given.c.user_id))
        .order_by(user.c.id, given.c.name),
    )
