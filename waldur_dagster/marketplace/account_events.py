"""Events about people's accounts in offerings."""

from __future__ import annotations

from sqlalchemy import ColumnElement, select

from waldur_dagster.platform.contexts import named_context, python_bool, user_context
from waldur_dagster.platform.events import log_events
from waldur_dagster.platform.expressions import json_list, json_object, merged, text_from
from waldur_dagster.schema import core, marketplace
from waldur_dagster.work import Work

account, offering, user = marketplace.offeringuser, marketplace.offering, core.user


def log_account_events(work: Work, chosen: ColumnElement[bool], what: str) -> int:
    """An event for each of the accounts that ``chosen`` says, by id; ``what`` is created or deleted. Returns how many.

    Nobody's log but the site's own shows them.
    """
    own = json_object(
        offering_user_username=account.c.username, offering_user_is_restricted=python_bool(account.c.is_restricted)
    )
    return log_events(
        work,
        select(
            text_from(f"marketplace_offering_user_{what}").label("event_type"),
            text_from(
                f"Account for user {{user}} in offering {{offering}} has been {what}.",
                user=user.c.username,
                offering=offering.c.name,
            ).label("message"),
            merged(user_context(user), named_context(offering, "offering"), own).label("context"),
            json_list().label("feeds"),
        )
        .join_from(account, user, user.c.id == account.c.user_id)
        .join(offering, offering.c.id == account.c.offering_id)
        .where(chosen)
        .order_by(account.c.id),
    )
