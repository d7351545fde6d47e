"""Mails that tell people of a policy that has fired."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Select, select

from waldur_dagster.outbox import put
from waldur_dagster.platform.mail import Letter, notification_mails
from waldur_dagster.platform.roles import OWNER, recipients
from waldur_dagster.policies.classes import CUSTOMER_COST, PROJECT_COST, Action, Policy
from waldur_dagster.policies.events import log_policy_events
from waldur_dagster.schema import marketplace, structure
from waldur_dagster.work import Work

NOTIFICATION = "marketplace_policy.notification_about_project_cost_exceeded_limit"
customer, project, offering = structure.customer, structure.project, marketplace.offering


def notify_team(work: Work, policy: Policy) -> None:
    """Tell everybody who has a role in the policy's project."""
    team = recipients(work, "structure", "project").subquery()
    addresses = work.connection.scalars(select(team.c.email).where(team.c.scope_id == policy.scope_id))
    _notify(work, policy, Action.NOTIFY_TEAM, "project members", addresses)


def notify_owners(work: Work, policy: Policy) -> None:
    """Tell the owners of the policy's customer; for an offering that is the one who provides it."""
    owners = recipients(work, "structure", "customer", (OWNER,)).subquery()
    responsible = _scope(policy).with_only_columns(customer.c.id).scalar_subquery()
    addresses = work.connection.scalars(select(owners.c.email).where(owners.c.scope_id == responsible))
    _notify(work, policy, Action.NOTIFY_OWNERS, "organization owners", addresses)


def _notify(work: Work, policy: Policy, action: Action, whom: str, addresses: Iterable[str]) -> None:
    emails, scope = sorted(addresses), work.connection.execute(_scope(policy)).one()
    context = {
        "scope_class": policy.kind.scope,
        "scope_name": scope.name,
        "scope_url": work.settings["WALDUR_CORE.HOMEPORT_URL"].rstrip("/") + _path(policy, scope),
        "limit": policy.limit,
    }
    fired = work.as_of.isoformat()
    letters = (Letter(key=f"{action} {policy.uuid.hex} {fired} {email}", to=email, context=context) for email in emails)
    put(work, notification_mails(work, NOTIFICATION, letters))
    told = {"scope": f"{policy.kind.scope} UUID: {scope.uuid.hex}", "emails": emails}
    log_policy_events(
        work,
        policy,
        [
            ("policy_notification", f"A policy has fired, and {whom} were told by mail.", told),
            (action, f"A policy has fired: notification of {whom} is due.", {}),
        ],
    )


def _scope(policy: Policy) -> Select[Any]:
    """Name and uuid of what the policy is about, with the uuid of its customer (an offering's is its provider)."""
    if policy.kind is CUSTOMER_COST:
        return select(customer.c.name, customer.c.uuid, customer.c.uuid.label("customer_uuid")).where(
            customer.c.id == policy.scope_id
        )
    scope = project if policy.kind is PROJECT_COST else offering
    return (
        select(scope.c.name, scope.c.uuid, customer.c.uuid.label("customer_uuid"))
        .join(customer, customer.c.id == scope.c.customer_id)
        .where(scope.c.id == policy.scope_id)
    )


def _path(policy: Policy, scope: Any) -> str:
    """Where Waldur's web interface shows the scope."""
    if policy.kind is PROJECT_COST:
        return f"/projects/{scope.uuid.hex}/"
    if policy.kind is CUSTOMER_COST:
        return f"/organizations/{scope.uuid.hex}/dashboard/"
    return f"/providers/{scope.customer_uuid.hex}/marketplace-provider-offering-details/{scope.uuid.hex}/"
