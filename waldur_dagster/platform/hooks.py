"""Deliveries that events set off: web hooks, e-mail hooks and system notifications (spec core 1.7)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, text

from waldur_dagster.outbox import Mail, WebCall, put
from waldur_dagster.platform.event_groups import expand
from waldur_dagster.platform.mail import plain_mail
from waldur_dagster.platform.template_objects import View
from waldur_dagster.platform.templates import Templates
from waldur_dagster.platform.visibility import is_seen, parameters
from waldur_dagster.work import Work

# What both kinds of hooks have is in a table of its own on newer sites (spec newer_billing 5.1).
_SPLIT = "(SELECT base.*, own.* FROM logging_{model} own JOIN logging_basehook base ON base.id = own.basehook_ptr_id)"

_SYSTEM_NOTIFICATIONS = text(
    "SELECT name, hook_content_type_id, event_types, event_groups, roles FROM logging_systemnotification ORDER BY id"
)

# The event types of a hook are its own and those that the system notifications of its class add.
_FIRED = """
    WITH hook AS (
        SELECT h.*, h.event_types || CAST(:added_types AS jsonb) AS types FROM {hooks} h WHERE h.is_active
    )
    SELECT {columns}, e.id AS event_id, e.created, e.event_type, e.message, e.context
    FROM hook JOIN logging_event e ON e.id = ANY(:events) AND hook.types ? e.event_type
    JOIN core_user u ON u.id = hook.user_id
    WHERE {is_seen}
    ORDER BY e.id, hook.id
"""

# Everybody once for each event, however many of the roles he has.
_NOTIFIED = text(
    """
    SELECT DISTINCT u.email, e.id AS event_id, e.created, e.event_type, e.message
    FROM jsonb_to_recordset(CAST(:notifications AS jsonb)) AS s(types jsonb, roles jsonb)
    JOIN logging_event e ON e.id = ANY(:events) AND s.types ? e.event_type
    JOIN logging_feed f ON f.event_id = e.id
    LEFT JOIN structure_project p ON f.content_type_id = :project AND p.id = f.object_id
    JOIN permissions_userrole r ON r.is_active AND (
        r.content_type_id = :project AND f.content_type_id = :project AND r.object_id = f.object_id
        OR r.content_type_id = :customer AND r.object_id = CASE f.content_type_id
            WHEN :project THEN p.customer_id WHEN :customer THEN f.object_id END)
    JOIN permissions_role role ON role.id = r.role_id AND role.is_system_role AND s.roles ? CASE role.name
        WHEN 'PROJECT.ADMIN' THEN 'admin' WHEN 'PROJECT.MANAGER' THEN 'manager' WHEN 'CUSTOMER.OWNER' THEN 'owner' END
    JOIN core_user u ON u.id = r.user_id AND u.is_active AND u.email <> ''
    ORDER BY e.id, u.email
    """
)


def any_configured(work: Work) -> bool:
    """Whether the site has any hook at all."""
    kinds = ("logging_basehook",) if _are_split(work) else ("logging_webhook", "logging_emailhook")
    active = " OR ".join(f"EXISTS (SELECT FROM {table} WHERE is_active)" for table in kinds)
    return bool(work.connection.scalar(text(f"SELECT {active} OR EXISTS (SELECT FROM logging_systemnotification)")))


def _are_split(work: Work) -> bool:
    return work.schema.has("logging_basehook")


def _hooks(work: Work, model: str) -> str:
    return _SPLIT.format(model=model) if _are_split(work) else f"logging_{model}"


def queue(work: Work, events: Sequence[int]) -> None:
    """Put into the outbox what these events, just written, set off; one failing delivery never stops another."""
    new = _New(list(events), list(_system_notifications(work)), is_seen(work, events))
    put(work, _web_calls(work, new))
    put(work, _hook_mails(work, new))


@dataclass(frozen=True)
class SystemNotification:
    """Events that all users with some roles are told of; the types are also added to those of a class of hooks."""

    hook_type: int
    types: list[str]
    roles: list[str]


@dataclass(frozen=True)
class _New:
    """Events that were just written, who is told of events, and which users may see these (a condition in SQL)."""

    events: list[int]
    notifications: list[SystemNotification]
    seen: str


def _system_notifications(work: Work) -> Iterator[SystemNotification]:
    for row in work.connection.execute(_SYSTEM_NOTIFICATIONS):
        try:
            roles = json.loads(row.roles or "[]")
            types = sorted({*row.event_types, *expand(work.schema, row.event_groups)})
        except (TypeError, ValueError):
            work.outcome.warn(f"system notification {row.name}", "its roles or events are no lists; nobody is told")
        else:
            yield SystemNotification(row.hook_content_type_id, types, roles)


def _web_calls(work: Work, new: _New) -> Iterator[WebCall]:
    for row in _fired(work, new, "webhook", "hook.id, hook.destination_url, hook.content_type"):
        yield WebCall(
            key=f"webhook {row.id} event {row.event_id}",
            url=row.destination_url,
            form=row.content_type == 2,
            verify=work.settings["VERIFY_WEBHOOK_REQUESTS"],
            fields={
                "created": row.created.isoformat(),
                "message": row.message,
                "context": row.context,
                "event_type": row.event_type,
            },
        )


def _hook_mails(work: Work, new: _New) -> Iterator[Mail]:
    for row in _fired(work, new, "emailhook", "hook.id, hook.email"):
        if row.email:
            yield _mail(work, f"emailhook {row.id} event {row.event_id}", row.email, row)
    told = json.dumps([{"types": told.types, "roles": told.roles} for told in new.notifications])
    for row in work.connection.execute(_NOTIFIED, _parameters(work, new) | {"notifications": told}):
        yield _mail(work, f"system notification {row.email} event {row.event_id}", row.email, row)


def _fired(work: Work, new: _New, model: str, columns: str) -> Any:
    statement = text(_FIRED.format(hooks=_hooks(work, model), columns=columns, is_seen=new.seen))
    hook_type = work.content_types.get("logging", model)
    added = sorted({kind for n in new.notifications if n.hook_type == hook_type for kind in n.types})
    return work.connection.execute(statement, _parameters(work, new) | {"added_types": json.dumps(added)})


def _parameters(work: Work, new: _New) -> dict[str, Any]:
    return {"events": new.events, **parameters(work)}


def _mail(work: Work, key: str, to: str, row: Row[Any]) -> Mail:
    event = View({"message": row.message, "created": row.created, "event_type": row.event_type})
    listed = work.once(Templates).render("logging/email.html", {"events": (event,)})
    mail = plain_mail(work, key, to, work.settings["WALDUR_CORE.NOTIFICATION_SUBJECT"], row.message, html=listed)
    return mail.model_copy(update={"from_address": work.settings["EMAIL_HOOK_FROM_EMAIL"] or mail.from_address})
