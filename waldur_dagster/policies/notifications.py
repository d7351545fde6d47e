"""Mails that tell people of a policy that has fired."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Select, select

from waldur_dagster.outbox import put
from waldur_dagster.platform.mail import Letter, notification_mails
from waldur_dagster.platform.roles import OWNER, recipients
from waldur_dagster.policies.classes import PROJECT_COST, Action, Policy
from waldur_dagster.policies.events import Feeds, PolicyEvent, log_policy_events
from waldur_dagster.policies.rules import watches_credit
from waldur_dagster.schema import marketplace, structure
from waldur_dagster.work import Work

NOTIFICATION = "marketplace_policy.notification_about_project_cost_exceeded_limit"
MODELS = {
    "Project": ("structure", "project"),
    "Customer": ("structure", "customer"),
    "Offering": ("marketplace", "offering"),
}
customer, project, offering = structure.customer, structure.project, marketplace.offering


def notify_team(work: Work, policy: Policy) -> None:
    """Tell everybody who has a role in the policy's project."""
    team = recipients(work, "structure", "project").subquery()
    addresses = work.connection.scalars(select(team.c.email).where(team.c.scope_id == policy.scope_id))
    _notify(work, policy, Action.NOTIFY_TEAM, "project members", addresses)


def notify_owners(work: Work, policy: Policy) -> None:
    """Tell the owners of the policy's customer; for an offering that is the one who provides it.

    Newer versions of Waldur mail them for policies on customers only, which nobody can mean (spec newer_billing 7.12).
    """
    owners = recipients(work, "structure", "customer", (OWNER,)).subquery()
    responsible = _scope(policy).with_only_columns(customer.c.id).scalar_subquery()
    addresses = work.connection.scalars(select(owners.c.email).where(owners.c.scope_id == responsible))
    _notify(work, policy, Action.NOTIFY_OWNERS, "organization owners", addresses)


def notify_external(work: Work, policy: Policy) -> None:
    """Tell the addresses that the policy itself names."""
    _notify(work, policy, Action.NOTIFY_EXTERNAL, "external users", policy.external)


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
    text = f"A policy has fired, and {whom} were told by mail."
    due = f"A policy has fired: notification of {whom} is due."
    log_policy_events(
        work,
        policy,
        [
            PolicyEvent("policy_notification", text, told),
            PolicyEvent(action, due, feeds=scope_feeds(work, policy)),
        ],
    )


def scope_feeds(work: Work, policy: Policy) -> Feeds:
    """What newer versions show a policy's events in the log of: its scope, and the customer of that."""
    if not watches_credit(work.schema):
        return ()
    own = work.content_types(*MODELS[policy.kind.scope]), policy.scope_id
    of_customer = work.connection.execute(_scope(policy)).one().customer_id
    return tuple(dict.fromkeys((own, (work.content_types("structure", "customer"), of_customer))))


def _scope(policy: Policy) -> Select[Any]:
    """Name and uuid of what the policy is about, with id and uuid of its customer (an offering's is its provider)."""
    owner = (customer.c.id.label("customer_id"), customer.c.uuid.label("customer_uuid"))
    if policy.kind.scope == "Customer":
        return select(customer.c.name, customer.c.uuid, *owner).where(customer.c.id == policy.scope_id)
    scope = project if policy.kind is PROJECT_COST else offering
    return (
        select(scope.c.name, scope.c.uuid, *owner)
        .join(customer, customer.c.id == scope.c.customer_id)
        .where(scope.c.id == policy.scope_id)
    )


def _path(policy: Policy, scope: Any) -> str:
    """Where Waldur's web interface shows the scope."""
    if policy.kind is PROJECT_COST:
        return f"/projects/{scope.uuid.hex}/"
    if policy.kind.scope == "Customer":
        return f"/organizations/{scope.uuid.hex}/dashboard/"
    return f"/providers/{scope.customer_uuid.hex}/marketplace-provider-offering-details/{scope.uuid.hex}/"
