"""The entries of FreeIPA, behind the site's switches: where they are off nothing else is even loaded."""

from __future__ import annotations

from waldur_dagster.freeipa.server import SECTION
from waldur_dagster.site import Transactions


def sync_groups(transaction: Transactions) -> None:
    """Groups, members and status of accounts, where the site has FreeIPA and wants its groups there."""
    with transaction() as work:
        wanted = all(work.settings[f"{SECTION}.{name}"] for name in ("ENABLED", "GROUP_SYNCHRONIZATION_ENABLED"))
    if wanted:
        from waldur_dagster.freeipa.group_sync import synchronize_groups

        synchronize_groups(transaction)
