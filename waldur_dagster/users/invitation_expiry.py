"""The jobs cancel-expired-invitations and send-reminder-for-pending-invitations (spec core 4)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import select, update

from waldur_dagster.outbox import put
from waldur_dagster.platform.mail import Letter, notification_mails
from waldur_dagster.schema.users import invitation
from waldur_dagster.temporary import temporary_returned
from waldur_dagster.users.invitation_facts import InvitationTexts, are_newer, invitation_facts, lifetime
from waldur_dagster.work import Work

EXPIRED, CREATED = "users.invitation_expired", "users.invitation_created"
REMINDED_BEFORE = timedelta(days=1)


def cancel_expired_invitations(work: Work) -> None:
    """Expire pending invitations that are as old as their lifetime, and tell those who sent them.

    Newer versions also expire those that wait for their project to start. The author is told when he has an active
    account with an address and wants notifications, and when what he invited to is still there. The change and the
    mails are one transaction.
    """
    open_states = ("pending", "project") if are_newer(work) else ("pending",)
    due = invitation.c.state.in_(open_states) & (invitation.c.created <= work.as_of - lifetime(work))
    expired = temporary_returned(
        work,
        "expired_invitation",
        update(invitation).where(due).values(state="expired").returning(invitation.c.id),
    )
    facts = invitation_facts(work).where(invitation.c.id.in_(select(expired.c.id))).subquery()
    told = select(facts).where(facts.c.author_is_told, ~facts.c.scope_is_removed).order_by(facts.c.id)

    def letters() -> Iterator[Letter]:
        rows = work.connection.execute(told).all()
        texts = InvitationTexts(work, rows)
        for row in rows:
            key = f"invitation expired {row.uuid.hex} {row.created.isoformat()}"
            yield Letter(key, row.author_email, texts.facts(row, row.author_email))

    put(work, notification_mails(work, EXPIRED, letters()))


def remind_of_pending_invitations(work: Work) -> None:
    """Remind guests of pending invitations that are still valid and expire within a day.

    Newer versions remind of no invitation to a project that is removed. A reminder is named by the invitation and its
    start, so that a guest is reminded once however often the job runs, and again only when the invitation was renewed.
    """
    oldest = work.as_of - lifetime(work)
    due = invitation_facts(work).where(
        invitation.c.state == "pending",
        invitation.c.created > oldest,
        invitation.c.created <= oldest + REMINDED_BEFORE,
    )

    def letters() -> Iterator[Letter]:
        rows = work.connection.execute(due).all()
        texts = InvitationTexts(work, rows)
        for row in rows:
            if row.scope_name is None:
                work.outcome.warn(f"invitation {row.uuid.hex}", "is to something that is gone; no reminder is sent")
                continue
            if row.scope_is_removed and are_newer(work):
                continue
            sender = row.author_full_name or row.author_email or row.author_username
            key = f"invitation reminder {row.uuid.hex} {row.created.isoformat()}"
            yield Letter(key, row.email, texts.facts(row, sender, reminder=True))

    put(work, notification_mails(work, CREATED, letters()))
