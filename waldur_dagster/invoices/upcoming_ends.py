"""The job send-notifications-about-upcoming-ends: owners are reminded that a fixed price contract ends."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date

from sqlalchemy import select

from waldur_dagster.invoices.contracts import FIXED_PRICE, contract_attributes, contract_end
from waldur_dagster.outbox import put
from waldur_dagster.platform.mail import Letter, notification_mails
from waldur_dagster.platform.reminders import ends_to_tell
from waldur_dagster.platform.roles import OWNER, recipients
from waldur_dagster.schema import invoices, structure
from waldur_dagster.work import Work

NOTIFICATION = "invoices.upcoming_ends_notification"
DAYS_BEFORE = frozenset({60, 30, 14, 1})


def remind_of_upcoming_ends(work: Work) -> int:
    """Mail the owners of customers whose contract ends in 60, 30, 14 or 1 days; returns the number of new mails.

    A reminder is named by profile, end date and distance: a second run on the same day repeats none. What was due on a
    day without a run is told late.
    """
    ends = ends_to_tell(work, DAYS_BEFORE)
    return put(work, notification_mails(work, NOTIFICATION, _letters(work, ends)))


def _letters(work: Work, ends: Mapping[date, int]) -> Iterator[Letter]:
    profile, customer = invoices.paymentprofile, structure.customer
    owners: dict[int, list[str]] = defaultdict(list)
    of_contracts = select(profile.c.organization_id).where(profile.c.payment_type == FIXED_PRICE, profile.c.is_active)
    scope = recipients(work, "structure", "customer", (OWNER,)).subquery()
    for row in work.connection.execute(select(scope).where(scope.c.scope_id.in_(of_contracts))):
        owners[row.scope_id].append(row.email)
    found = work.connection.execute(
        select(profile.c.uuid, profile.c.attributes, customer.c.id.label("customer_id"), customer.c.name)
        .join(customer, customer.c.id == profile.c.organization_id)
        .where(profile.c.payment_type == FIXED_PRICE, profile.c.is_active)
        .order_by(customer.c.name, profile.c.id)
    ).all()
    for row in found:
        attributes = contract_attributes(work, row.attributes, row.name)
        end = contract_end(work, attributes, row.name)
        if end is None or end not in ends:
            continue
        facts = {
            "organization_name": row.name,
            "end": end,
            "contract_number": attributes.get("contract_number", ""),
        }
        for email in sorted(owners[row.customer_id]):
            yield Letter(f"upcoming end {row.uuid.hex} {end} {ends[end]} {email}", email, facts)
