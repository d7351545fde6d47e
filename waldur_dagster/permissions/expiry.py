"""The job check-expired-permissions."""

from __future__ import annotations

from sqlalchemy import select

from waldur_dagster.permissions.revoking import revoke_roles
from waldur_dagster.schema import permissions
from waldur_dagster.work import Work

held = permissions.userrole


def revoke_expired_roles(work: Work) -> None:
    """Revoke the active roles whose end has passed, and those that fall with them (spec core)."""
    ended = select(held.c.id.label("userrole_id")).where(held.c.is_active, held.c.expiration_time < work.as_of)
    revoke_roles(work, ended.subquery("ended"), reason="Role has expired.")
