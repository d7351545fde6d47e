"""Mails about resources that have cost nothing for three months (spec marketplace, notify_about_stale_resource)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Select, exists, or_, select

from waldur_dagster.marketplace.states import ResourceState
from waldur_dagster.marketplace.text_objects import RESOURCE
from waldur_dagster.outbox import put
from waldur_dagster.platform.mail import Letter, notification_mails
from waldur_dagster.platform.month import Month
from waldur_dagster.platform.roles import OWNER, holders, is_mailable
from waldur_dagster.platform.template_objects import Objects, View
from waldur_dagster.schema import core, invoices, marketplace, structure
from waldur_dagster.work import Work

NOTIFICATION = "marketplace.notification_about_stale_resources"
SWITCH = "WALDUR_MARKETPLACE.ENABLE_STALE_RESOURCE_NOTIFICATIONS"
LIVING = (ResourceState.OK, ResourceState.ERRED, ResourceState.UPDATING)
MONTHS = 3


def tell_of_stale_resources(work: Work) -> int:
    """Mail owners the billable resources without a priced item in this month and the two before it.

    One mail for each address, once a month; nothing where the site has it switched off. Returns the new mails.
    """
    if not work.settings[SWITCH]:
        return 0
    return put(work, notification_mails(work, NOTIFICATION, _letters(work)))


def _letters(work: Work) -> Iterator[Letter]:
    home, month = work.settings["WALDUR_CORE.HOMEPORT_URL"], Month.of(work.as_of, work.zone)
    rows = work.connection.execute(_stale(work, month)).all()
    resources = Objects(work, RESOURCE, (row.id for row in rows))
    stale: dict[str, list[View]] = defaultdict(list)
    for row in rows:
        url = f"{home}resource-details/{row.uuid.hex}/"
        resource = resources.view(row.id, uuid=row.uuid, name=row.name)
        stale[row.email].append(View({"resource": resource, "resource_url": url}))
    for email, told in stale.items():
        yield Letter(key=f"stale resources {month} {email}", to=email, context={"resources": tuple(told)})


def _stale(work: Work, month: Month) -> Select[Any]:
    resource, offering, project = marketplace.resource, marketplace.offering, structure.project
    invoice, item, user = invoices.invoice, invoices.invoiceitem, core.user
    owners = holders(work, "structure", "customer", (OWNER,)).subquery("owners")
    months = [month]
    while len(months) < MONTHS:
        months.append(months[-1].previous)
    in_months = or_(*((invoice.c.year == m.year) & (invoice.c.month == m.month) for m in months))
    # A price that is not nothing is at least a cent: it is rounded away from zero.
    priced = exists().where(
        item.c.resource_id == resource.c.id,
        invoice.c.id == item.c.invoice_id,
        in_months,
        item.c.unit_price * item.c.quantity != 0,
    )
    return (
        select(user.c.email, resource.c.name, resource.c.uuid)
        .select_from(resource)
        .join(offering, offering.c.id == resource.c.offering_id)
        .join(project, project.c.id == resource.c.project_id)
        .join(owners, owners.c.scope_id == project.c.customer_id)
        .join(user, user.c.id == owners.c.user_id)
        .where(resource.c.state.in_(LIVING), offering.c.billable, ~project.c.is_removed, is_mailable(user), ~priced)
        .distinct()
        .add_columns(resource.c.created, resource.c.id)
        .order_by(user.c.email, resource.c.created, resource.c.id)
    )
