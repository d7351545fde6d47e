"""What the mails and web hooks about an invitation tell of it (spec core 4)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Row, Select, case, func, select

from waldur_dagster.platform.contexts import full_name
from waldur_dagster.platform.roles import is_mailable
from waldur_dagster.platform.scopes import scopes
from waldur_dagster.schema import core, permissions
from waldur_dagster.schema.users import invitation
from waldur_dagster.work import Work

DATE_FORMAT = "%d.%m.%Y %H:%M"


def lifetime(work: Work) -> timedelta:
    """How long a guest may accept an invitation, from its creation."""
    return timedelta(seconds=work.settings["WALDUR_CORE.INVITATION_LIFETIME"])


def invitation_facts(work: Work) -> Select[Any]:
    """Invitations with scope, role and author; the scope's and the author's columns are NULL when there is none."""
    scope, role, author = scopes(work), permissions.role, core.user
    return (
        select(
            *(invitation.c[name] for name in ("id", "uuid", "created", "email", "extra_invitation_text")),
            *(scope.c[name].label(f"scope_{name}") for name in ("uuid", "name", "kind", "page", "slug", "is_removed")),
            role.c.name.label("role_name"),
            case(
                (role.c.description_en != "", role.c.description_en),
                (role.c.description != "", role.c.description),
                else_=role.c.name,
            ).label("role_description"),
            author.c.email.label("author_email"),
            func.coalesce(author.c.username, "").label("author_username"),
            case((author.c.id.is_(None), ""), else_=full_name(author)).label("author_full_name"),
            is_mailable(author).label("author_is_told"),
        )
        .join(role, role.c.id == invitation.c.role_id)
        .outerjoin(
            scope,
            (scope.c.content_type_id == invitation.c.content_type_id) & (scope.c.object_id == invitation.c.object_id),
        )
        .outerjoin(author, author.c.id == invitation.c.created_by_id)
        .order_by(invitation.c.id)
    )


def mail_context(work: Work, row: Row[Any], sender: str) -> dict[str, Any]:
    """The facts that the templates of an invitation show."""
    return {
        "sender": sender,
        "name": row.scope_name,
        "type": row.scope_kind,
        "role": row.role_description,
        "link": invitation_link(work, row),
        "invitation_expiry_date": expiry_text(work, row),
        "extra_invitation_text": row.extra_invitation_text,
    }


def invitation_link(work: Work, row: Row[Any]) -> str:
    return f"{work.settings['WALDUR_CORE.HOMEPORT_URL']}invitation/{row.uuid.hex}/"


def expiry_text(work: Work, row: Row[Any]) -> str:
    """When the invitation expires, in the site's time zone."""
    return f"{(row.created + lifetime(work)).astimezone(work.zone):{DATE_FORMAT}}"
