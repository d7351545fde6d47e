"""Who has which role where, and who of them is told by mail (spec core 1.4 and 1.5)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, select

from waldur_dagster.schema import core, permissions
from waldur_dagster.work import Work

OWNER = "CUSTOMER.OWNER"


def recipients(work: Work, app_label: str, model: str, roles: tuple[str, ...] | None = None) -> Select[tuple[int, str]]:
    """(scope_id, email) of the users with one of the roles on a customer, project ...: the standard recipient rule.

    Without ``roles`` any role counts. Active accounts with an address that have notifications switched on; each once
    for each scope.
    """
    user, held = core.user, holders(work, app_label, model, roles).subquery("held")
    return (
        select(held.c.scope_id, user.c.email)
        .join(user, user.c.id == held.c.user_id)
        .where(is_mailable(user))
        .distinct()
    )


def holders(work: Work, app_label: str, model: str, roles: tuple[str, ...] | None = None) -> Select[tuple[int, int]]:
    """(scope_id, user_id) of those with an active role, or with one of ``roles``, on a scope; each once for each."""
    held, role = permissions.userrole, permissions.role
    found = select(held.c.object_id.label("scope_id"), held.c.user_id).where(
        held.c.is_active, held.c.content_type_id == work.content_types(app_label, model)
    )
    if roles is not None:
        found = found.join(role, role.c.id == held.c.role_id).where(is_built_in(role, *roles))
    return found.distinct()


def is_built_in(role: Any, *names: str) -> ColumnElement[bool]:
    """Whether a role is one of Waldur's own; on newer sites a copy may have the same name (spec newer_billing 5.4)."""
    return and_(role.c.name.in_(names), role.c.is_system_role)


def is_mailable(user: Any) -> ColumnElement[bool]:
    """The standard recipient rule: an active account with an address that has notifications switched on."""
    return and_(user.c.is_active, wants_mail(user))


def wants_mail(user: Any) -> ColumnElement[bool]:
    """An address, with notifications switched on; for the mails that do not ask whether the account is active."""
    return and_(user.c.email != "", user.c.notifications_enabled)
