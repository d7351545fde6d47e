"""The job valimo-auth-cleanup-auth-results (spec core 4)."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete

from waldur_dagster.schema.valimo import authresult
from waldur_dagster.work import Work

KEPT = timedelta(days=7)


def delete_old_auth_results(work: Work) -> None:
    """Delete results of logins with Mobile ID that were last changed 7 days ago or earlier, whatever their state."""
    work.execute(delete(authresult).where(authresult.c.modified <= work.as_of - KEPT))
