"""Robot accounts that their provider has marked as deleted (spec marketplace, remove_deleted_robot_accounts)."""

from __future__ import annotations

from sqlalchemy import FromClause, delete, select

from waldur_dagster.platform.events import log_events
from waldur_dagster.platform.expressions import json_list, json_object, text_from
from waldur_dagster.schema import lexis, marketplace
from waldur_dagster.temporary import temporary_table
from waldur_dagster.work import Work

DELETED = 5
account, account_users = marketplace.robotaccount, marketplace.robotaccount_users


def remove_deleted_robot_accounts(work: Work) -> int:
    """Delete the accounts in state Deleted, with their users and an event each; returns how many.

    Older schemas keep no state of robot accounts: there is nothing to remove then, and the run says so.
    """
    if not work.schema.has_column(account.c.state):
        work.outcome.warn("robot accounts", "this site's schema keeps no state of them; none can be marked as deleted")
        return 0
    gone = temporary_table(
        work, "gone_account", select(account.c.id.label("account_id")).where(account.c.state == DELETED)
    )
    return delete_robot_accounts(work, gone)


def delete_robot_accounts(work: Work, gone: FromClause) -> int:
    """Delete the accounts that the column ``account_id`` names, with what belongs to them; returns how many."""
    _log(work, gone)
    ids = select(gone.c.account_id)
    if work.schema.has(lexis.lexislink.name):
        work.execute(delete(lexis.lexislink).where(lexis.lexislink.c.robot_account_id.in_(ids)))
    work.execute(delete(account_users).where(account_users.c.robotaccount_id.in_(ids)))
    return work.execute(delete(account).where(account.c.id.in_(ids))).rowcount


def _log(work: Work, gone: FromClause) -> None:
    types = work.content_types
    log_events(
        work,
        select(
            text_from("resource_robot_account_deleted").label("event_type"),
            text_from("Robot account {name} has been deleted.", name=account.c.username).label("message"),
            json_object(robot_account_type=account.c.type, robot_account_username=account.c.username).label("context"),
            json_list(
                json_list(types("marketplace", "robotaccount"), account.c.id),
                json_list(types("marketplace", "resource"), account.c.resource_id),
            ).label("feeds"),
        )
        .join(gone, gone.c.account_id == account.c.id)
        .order_by(account.c.id),
    )
