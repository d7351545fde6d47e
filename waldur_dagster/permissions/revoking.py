"""Revoking roles, with everything that follows from it (spec core, check-expired-permissions)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ColumnElement,
    DateTime,
    FromClause,
    Integer,
    Table,
    Text,
    case,
    cast,
    exists,
    func,
    literal,
    select,
    text,
    update,
)

from waldur_dagster.permissions.followups import hand_over_to_workers
from waldur_dagster.permissions.scopes import scopes_of
from waldur_dagster.platform.contexts import full_name, user_context
from waldur_dagster.platform.events import log_events
from waldur_dagster.platform.expressions import json_list, json_object, merged, text_from
from waldur_dagster.platform.quota_usage import recount_users
from waldur_dagster.platform.roles import is_built_in
from waldur_dagster.schema import core, marketplace, permissions, structure
from waldur_dagster.temporary import temporary_table
from waldur_dagster.work import Work

OFFERING_MANAGER, CUSTOMER_MANAGER = "OFFERING.MANAGER", "CUSTOMER.MANAGER"
held, role, user = permissions.userrole, permissions.role, core.user


def revoke_roles(work: Work, chosen: FromClause, *, reason: str) -> Table:
    """Revoke the roles that ``chosen`` (a column userrole_id) names, as far as they are active.

    ``reason`` is kept with them where the site's Waldur keeps reasons.

    A revoked role is inactive and its end is the instant of the run. What follows: the roles that fall with it, an
    event ``role_revoked`` for each, the user counts of the customers, and the work of Waldur's workers in OpenStack,
    FreeIPA, SLURM and remote Waldurs. A role whose scope is gone is revoked without an event, and reported.
    Returns the temporary table ``revoked_role`` (userrole_id, user_id, role_id, content_type_id, object_id, created,
    step: 0 for the chosen ones, then 1 and 2 for those that fell with them). Statements: constant.
    """
    revoked = _lock(work, chosen)
    _add_offering_roles_of_ended_managers(work, revoked)
    _add_managers_without_offering(work, revoked)
    work.connection.execute(text(f"ANALYZE pg_temp.{revoked.name}"))
    now = literal(work.as_of, DateTime(timezone=True))
    work.execute(
        update(held)
        .values(
            is_active=False,
            expiration_time=now,
            **work.schema.fitting(held, {"modified": now, "revoke_reason": reason}),
        )
        .where(held.c.id == revoked.c.userrole_id)
    )
    _log(work, revoked)
    _report_orphans(work, revoked)
    recount_users(work, _customers_to_recount(work, revoked))
    hand_over_to_workers(work, revoked)
    return revoked


def _lock(work: Work, chosen: FromClause) -> Table:
    active = select(*_columns(0)).where(held.c.id.in_(select(chosen.c.userrole_id)), held.c.is_active)
    return temporary_table(work, "revoked_role", active.order_by(held.c.id).with_for_update(of=held))


def _columns(step: int) -> list[ColumnElement[Any]]:
    return [
        held.c.id.label("userrole_id"),
        *(held.c.user_id, held.c.role_id, held.c.content_type_id, held.c.object_id, held.c.created),
        literal(step, Integer).label("step"),
    ]


def _add_offering_roles_of_ended_managers(work: Work, revoked: Table) -> None:
    """Whoever is no longer a customer's manager loses his roles in all its offerings; inactive accounts keep them."""
    offering, ended, manager = marketplace.offering, revoked.alias("ended"), role.alias("manager")
    falling = (
        select(*_columns(1))
        .join(offering, _on_offering(work, held, offering))
        .join(user, user.c.id == held.c.user_id)
        .where(
            held.c.is_active,
            user.c.is_active,
            exists()
            .where(
                ended.c.user_id == held.c.user_id,
                ended.c.object_id == offering.c.customer_id,
                ended.c.content_type_id == _type(work, "structure", "customer"),
                manager.c.id == ended.c.role_id,
                is_built_in(manager, CUSTOMER_MANAGER),
            )
            .correlate(held, offering),
            held.c.id.not_in(select(revoked.c.userrole_id)),
        )
    )
    _add(work, revoked, falling)


def _add_managers_without_offering(work: Work, revoked: Table) -> None:
    """Whoever was manager of the last of a customer's offerings in which he had a role is no longer its manager.

    It comes after the other rule and sets nothing off itself: there is no role in an offering left then.
    """
    offering, gone, ended_role = marketplace.offering, revoked.alias("gone"), role.alias("ended_role")
    kept, kept_offering = held.alias("kept"), marketplace.offering.alias("kept_offering")
    ended = (
        select(gone.c.user_id, offering.c.customer_id)
        .join(offering, _on_offering(work, gone, offering))
        .join(ended_role, ended_role.c.id == gone.c.role_id)
        .where(is_built_in(ended_role, OFFERING_MANAGER))
        .distinct()
        .subquery("ended")
    )
    falling = (
        select(*_columns(2))
        .join(role, role.c.id == held.c.role_id)
        .join(ended, (ended.c.user_id == held.c.user_id) & (ended.c.customer_id == held.c.object_id))
        .where(
            held.c.is_active,
            is_built_in(role, CUSTOMER_MANAGER),
            held.c.content_type_id == _type(work, "structure", "customer"),
            ~exists()
            .where(
                kept.c.user_id == held.c.user_id,
                kept.c.is_active,
                _on_offering(work, kept, kept_offering),
                kept_offering.c.customer_id == held.c.object_id,
                kept.c.id.not_in(select(revoked.c.userrole_id)),
            )
            .correlate(held),
            held.c.id.not_in(select(revoked.c.userrole_id)),
        )
    )
    _add(work, revoked, falling)


def _add(work: Work, revoked: Table, falling: Any) -> None:
    locked = falling.with_for_update(of=held)
    work.connection.execute(revoked.insert().from_select([c.name for c in revoked.c], locked))


def _on_offering(work: Work, roles: Any, offering: Any) -> ColumnElement[bool]:
    return (roles.c.content_type_id == _type(work, "marketplace", "offering")) & (roles.c.object_id == offering.c.id)


def _type(work: Work, app_label: str, model: str) -> ColumnElement[int]:
    return literal(work.content_types(app_label, model), Integer)


def _log(work: Work, revoked: Table) -> None:
    scope = scopes_of(work, revoked)
    customer_type = _type(work, "structure", "customer")
    own_feed = json_list(revoked.c.content_type_id, revoked.c.object_id)
    customer_feed = json_list(customer_type, scope.c.customer_id)
    log_events(
        work,
        select(
            literal("role_revoked", Text).label("event_type"),
            text_from(
                "User {user} has lost role of {role} in {scope}.",
                user=func.coalesce(func.nullif(full_name(user), ""), user.c.username),
                role=role.c.name,
                scope=scope.c.name,
            ).label("message"),
            merged(
                scope.c.context,
                user_context(user, "affected_user"),
                json_object(scope_type=scope.c.model, role_name=role.c.name),
            ).label("context"),
            case(
                (revoked.c.content_type_id == customer_type, json_list(own_feed)),
                else_=json_list(own_feed, customer_feed),
            ).label("feeds"),
        )
        .select_from(
            revoked.join(scope, scope.c.userrole_id == revoked.c.userrole_id)
            .join(user, user.c.id == revoked.c.user_id)
            .join(role, role.c.id == revoked.c.role_id)
        )
        .order_by(revoked.c.step, revoked.c.created, revoked.c.userrole_id),
    )


def _report_orphans(work: Work, revoked: Table) -> None:
    scope = scopes_of(work, revoked)
    orphans = work.connection.execute(
        select(user.c.username, role.c.name, revoked.c.content_type_id, revoked.c.object_id)
        .select_from(revoked.outerjoin(scope, scope.c.userrole_id == revoked.c.userrole_id))
        .join(user, user.c.id == revoked.c.user_id)
        .join(role, role.c.id == revoked.c.role_id)
        .where(scope.c.userrole_id.is_(None))
        .order_by(revoked.c.userrole_id)
    )
    for orphan in orphans:
        work.outcome.warn(
            f"role {orphan.name} of {orphan.username}",
            f"revoked without an event: what it was held on (content type {orphan.content_type_id}, "
            f"id {orphan.object_id}) does not exist, or is of a kind that this program does not know",
        )


def _customers_to_recount(work: Work, revoked: Table) -> FromClause:
    """Customers on which, or on whose projects, a system role ended; custom roles wait for the next recount."""
    customer, project = structure.customer, structure.project
    return (
        select(customer.c.id.label("customer_id"))
        .select_from(revoked)
        .join(role, role.c.id == revoked.c.role_id)
        .outerjoin(
            project,
            (revoked.c.content_type_id == _type(work, "structure", "project")) & (project.c.id == revoked.c.object_id),
        )
        .join(
            customer,
            customer.c.id
            == case(
                (revoked.c.content_type_id == _type(work, "structure", "customer"), revoked.c.object_id),
                else_=cast(project.c.customer_id, Integer),
            ),
        )
        .where(role.c.is_system_role)
        .distinct()
        .subquery("to_recount")
    )
