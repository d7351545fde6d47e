"""The job check-expired-permissions."""

from __future__ import annotations

from sqlalchemy import ColumnElement, exists, false, literal, select

from waldur_dagster.permissions.revoking import revoke_roles
from waldur_dagster.schema import permissions, proposal
from waldur_dagster.work import Work

# In Waldur's words.
REASON = "Automatic expiration cleanup task"
held = permissions.userrole


def revoke_expired_roles(work: Work) -> None:
    """Revoke the active roles whose end has passed, and those that fall with them (spec core)."""
    ended = select(held.c.id.label("userrole_id")).where(
        held.c.is_active, held.c.expiration_time < work.as_of, ~_stays(work)
    )
    revoke_roles(work, ended.subquery("ended"), reason=REASON)


def _stays(work: Work) -> ColumnElement[bool]:
    """Newer versions keep the roles on a proposal from the day on which it is submitted, whatever becomes of it."""
    proposed = proposal.proposal
    kind = work.content_types.get("proposal", "proposal")
    if kind is None or not (work.schema.has(proposed.name) and work.schema.has_column(held.c.revoke_reason)):
        return false()
    submitted = exists().where(proposed.c.id == held.c.object_id, proposed.c.state != "draft")
    return (held.c.content_type_id == literal(kind)) & submitted
