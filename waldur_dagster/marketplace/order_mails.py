"""Mails that tell a provider of an order that waits for his approval (spec marketplace 0.7.1)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from sqlalchemy import FromClause, Row, Select, select, true, union

from waldur_dagster.marketplace.rights import APPROVE
from waldur_dagster.marketplace.text_objects import OFFERING, ORDER, RESOURCE
from waldur_dagster.outbox import put
from waldur_dagster.platform.contexts import full_name
from waldur_dagster.platform.mail import Letter, notification_mails
from waldur_dagster.platform.roles import is_mailable, wants_mail
from waldur_dagster.platform.template_objects import USER, Objects, person_names
from waldur_dagster.schema import core, marketplace, permissions, structure
from waldur_dagster.work import Work

PROVIDER_NOTIFICATION = "marketplace.notify_provider_about_pending_order"
STAFF_TOO = "WALDUR_MARKETPLACE.NOTIFY_STAFF_ABOUT_APPROVALS"

order, offering, resource = marketplace.order, marketplace.offering, marketplace.resource


def tell_providers(work: Work, chosen: FromClause) -> int:
    """Mail those who may approve the orders of ``chosen`` (order_id) for their provider; each address once an order.

    Returns the number of new mails. A second call for the same order repeats none.
    """
    return put(work, notification_mails(work, PROVIDER_NOTIFICATION, _letters(work, chosen)))


def _letters(work: Work, chosen: FromClause) -> Iterator[Letter]:
    approvers: dict[int, set[str]] = defaultdict(set)
    for row in work.connection.execute(_approvers(work, chosen)):
        approvers[row.order_id].add(row.email)
    found = work.connection.execute(_orders(chosen)).all()
    orders = Objects(work, ORDER, (row.id for row in found))
    resources = Objects(work, RESOURCE, (row.resource_id for row in found))
    offerings = Objects(work, OFFERING, (row.offering_id for row in found))
    authors = Objects(work, USER, (row.author_id for row in found))
    for row in found:
        shown = orders.view(
            row.id,
            name=row.resource,
            uuid=row.uuid,
            resource=resources.view(row.resource_id, name=row.resource),
            offering=offerings.view(row.offering_id, name=row.offering),
            created_by=authors.view(row.author_id, **person_names(row.author)),
        )
        facts = {
            "order": shown,
            "order_url": f"{work.settings['WALDUR_CORE.HOMEPORT_URL']}{_page(work, row)}",
            "site_name": work.constance["SITE_NAME"],
        }
        for email in sorted(approvers[row.id]):
            yield Letter(f"pending provider order {row.uuid.hex} {email}", email, facts)


def _page(work: Work, row: Row[Any]) -> str:
    """Where the portal shows the order: newer ones have a page for each (spec newer 0.9)."""
    if work.schema.has_column(order.c.completed_at):
        return f"marketplace-order-details/{row.uuid.hex}/"
    return f"providers/{row.provider_uuid.hex}/orders/"


def _orders(chosen: FromClause) -> Select[Any]:
    provider, author = structure.customer.alias("provider"), core.user.alias("author")
    return (
        select(
            *(order.c[name] for name in ("id", "uuid", "resource_id", "offering_id")),
            resource.c.name.label("resource"),
            offering.c.name.label("offering"),
            provider.c.uuid.label("provider_uuid"),
            author.c.id.label("author_id"),
            full_name(author).label("author"),
        )
        .select_from(chosen.join(order, order.c.id == chosen.c.order_id))
        .join(resource, resource.c.id == order.c.resource_id)
        .join(offering, offering.c.id == order.c.offering_id)
        .join(provider, provider.c.id == offering.c.customer_id)
        .outerjoin(author, author.c.id == order.c.created_by_id)
        .order_by(order.c.id)
    )


def _approvers(work: Work, chosen: FromClause) -> Select[Any]:
    """(order_id, email): whoever has a role with ORDER.APPROVE on the provider or the offering, and staff if wanted.

    That an account is switched off does not matter here, except for staff (spec marketplace 0.3).
    """
    held, granted, user = permissions.userrole, permissions.rolepermission, core.user
    of_orders = chosen.join(order, order.c.id == chosen.c.order_id).join(offering, offering.c.id == order.c.offering_id)
    on_provider = (held.c.content_type_id == work.content_types("structure", "customer")) & (
        held.c.object_id == offering.c.customer_id
    )
    on_offering = (held.c.content_type_id == work.content_types("marketplace", "offering")) & (
        held.c.object_id == offering.c.id
    )
    by_role = (
        select(chosen.c.order_id, user.c.email)
        .select_from(of_orders)
        .join(held, on_provider | on_offering)
        .join(granted, (granted.c.role_id == held.c.role_id) & (granted.c.permission == APPROVE))
        .join(user, user.c.id == held.c.user_id)
        .where(held.c.is_active, wants_mail(user))
    )
    parts = [by_role]
    if work.settings[STAFF_TOO]:
        everyone = chosen.join(user, true())
        parts.append(
            select(chosen.c.order_id, user.c.email).select_from(everyone).where(user.c.is_staff, is_mailable(user))
        )
    return select(union(*parts).subquery("approvers"))
