"""The job cancel_expired_group_invitations (spec core 4)."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import update

from waldur_dagster.schema.users import groupinvitation
from waldur_dagster.work import Work


def cancel_expired_group_invitations(work: Work) -> None:
    """Switch off open invitations once they are as old as their lifetime; requests that wait can still be approved."""
    lifetime = timedelta(seconds=work.settings["WALDUR_CORE.GROUP_INVITATION_LIFETIME"])
    expired = groupinvitation.c.is_active & (groupinvitation.c.created <= work.as_of - lifetime)
    work.execute(update(groupinvitation).where(expired).values(is_active=False))
