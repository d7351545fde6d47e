"""Dry runs of operators' scripts (spec marketplace, waldur-marketplace-script-remove-old-dry-runs)."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete

from waldur_dagster.schema import marketplace_script
from waldur_dagster.work import Work

DONE = 3
KEPT = timedelta(hours=24)


def remove_old_dry_runs(work: Work) -> int:
    """Delete the dry runs that were done and are older than a day; returns how many."""
    dryrun = marketplace_script.dryrun
    old = delete(dryrun).where(dryrun.c.state == DONE, dryrun.c.created < work.as_of - KEPT)
    return work.execute(old).rowcount
