"""When Waldur's workers are to bring the groups in FreeIPA up to date (spec core, check-expired-permissions)."""

from __future__ import annotations

from collections.abc import Iterator

from waldur_dagster.outbox import Handover
from waldur_dagster.work import Work

SYNC_FREEIPA_GROUPS = "waldur_freeipa.sync_groups"


def sync_freeipa_groups(work: Work) -> Iterator[Handover]:
    """One synchronization of all groups, at most once a minute, on sites that have them."""
    settings = work.settings
    if settings["WALDUR_FREEIPA.ENABLED"] and settings["WALDUR_FREEIPA.GROUP_SYNCHRONIZATION_ENABLED"]:
        minute = work.as_of.replace(second=0, microsecond=0).isoformat()
        yield Handover(key=f"synchronize FreeIPA groups at {minute}", task=SYNC_FREEIPA_GROUPS)
