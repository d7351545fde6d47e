"""What the mails and web hooks about an invitation tell of it (spec core 4)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Row, Select, case, func, select

from waldur_dagster.platform.contexts import full_name
from waldur_dagster.platform.roles import is_mailable
from waldur_dagster.platform.scopes import scopes
from waldur_dagster.platform.template_objects import CUSTOMER, USER, Kind, Objects
from waldur_dagster.schema import core, permissions
from waldur_dagster.schema.users import invitation
from waldur_dagster.work import Work

INVITATION = Kind(
    "users_invitation",
    (
        *("uuid", "email", "created", "modified", "state", "full_name", "native_name", "organization", "job_title"),
        *("civil_number", "tax_number", "phone_number", "extra_invitation_text"),
    ),
    {
        "created_by": ("created_by_id", USER),
        "approved_by": ("approved_by_id", USER),
        "customer": ("customer_id", CUSTOMER),
        "role": ("role_id", Kind("permissions_role", ("uuid", "name", "description"))),
    },
)


def lifetime(work: Work) -> timedelta:
    """How long a guest may accept an invitation, from its creation."""
    return timedelta(seconds=work.settings["WALDUR_CORE.INVITATION_LIFETIME"])


def are_newer(work: Work) -> bool:
    """Whether invitations are those of newer versions, which no longer ask guests for a tax number."""
    return not work.schema.has(invitation.name, "tax_number")


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


class InvitationTexts:
    """What the texts about some invitations show, under Waldur's names."""

    def __init__(self, work: Work, rows: Sequence[Row[Any]]):
        self._work, self._home = work, work.settings["WALDUR_CORE.HOMEPORT_URL"]
        self._invitations = Objects(work, INVITATION, (row.id for row in rows))

    def facts(self, row: Row[Any], sender: str, *, reminder: bool = False) -> dict[str, Any]:
        """Those of one invitation; the scope's are None when there is none."""
        shown = self._invitations.view(
            row.id,
            uuid=row.uuid,
            name=row.email,
            email=row.email,
            created=row.created,
            get_expiration_time=row.created + lifetime(self._work),
        )
        return {
            "sender": sender,
            "name": row.scope_name,
            "type": row.scope_kind,
            "role": row.role_description,
            "link": invitation_link(self._work, row),
            "scope_link": f"{self._home}{row.scope_page}/{row.scope_uuid.hex}/" if row.scope_uuid else "",
            "site_host": urlsplit(self._home).hostname or "",
            "invitation": shown,
            "extra_invitation_text": row.extra_invitation_text,
            "reminder": reminder,
        }


def invitation_link(work: Work, row: Row[Any]) -> str:
    return f"{work.settings['WALDUR_CORE.HOMEPORT_URL']}invitation/{row.uuid.hex}/"
