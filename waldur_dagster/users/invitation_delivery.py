"""The job process-pending-project-invitations (spec core 4).

Nothing is delivered inside a transaction: what the release of an invitation sets off is a message in the outbox, named
by the invitation. The second step writes into the invitations what became of their messages, those of earlier runs too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Text, case, cast, func, literal, or_, select, update

from waldur_dagster.outbox import InvitationCall, problem_of_delivery, put
from waldur_dagster.outbox.tables import DELIVERED, DROPPED, message
from waldur_dagster.platform.expressions import hex_of
from waldur_dagster.platform.mail import Letter, is_enabled, notification_mails
from waldur_dagster.schema import structure
from waldur_dagster.schema.users import invitation
from waldur_dagster.temporary import temporary_returned
from waldur_dagster.users.invitation_facts import InvitationTexts, invitation_facts, invitation_link, lifetime
from waldur_dagster.users.invited_accounts import add_profiles, request_accounts
from waldur_dagster.work import Work

CREATED = "users.invitation_created"
KEY = "invitation "
NO_HOOK = "The address of the invitation web hook is not configured (WALDUR_CORE.INVITATION_WEBHOOK_URL)."


def release_project_invitations(work: Work) -> None:
    """Make invitations of projects that have started pending, and write what delivers them into the outbox.

    Projects start at the beginning of a day in the site's time zone; removed ones release nothing. On sites that make
    accounts for guests (INVITATION_CREATE_MISSING_USER), guests without an account in FreeIPA get one first.
    """
    project = structure.project
    started = select(project.c.id).where(project.c.start_date <= work.today, ~project.c.is_removed)
    released = temporary_returned(
        work,
        "released_invitation",
        update(invitation)
        .where(
            invitation.c.state == "project",
            invitation.c.content_type_id == work.content_types("structure", "project"),
            invitation.c.object_id.in_(started),
        )
        .values(state="pending", modified=work.as_of)
        .returning(invitation.c.id),
    )
    query = invitation_facts(work).where(invitation.c.id.in_(select(released.c.id)))
    rows = work.connection.execute(query).all()
    if work.settings["WALDUR_CORE.INVITATION_CREATE_MISSING_USER"]:
        rows = request_accounts(work, rows)
    _deliver(work, rows)


def note_deliveries(work: Work) -> None:
    """Write into invitations whether they were delivered: execution_state OK, or Erred with the reason.

    A message that waits for another try may still be delivered; a later run then says OK. Accounts that FreeIPA has
    made become profiles, and their owners get their invitation with it.
    """
    add_profiles(work)
    delivered = message.c.state.in_((DELIVERED, DROPPED))
    state: ColumnElement[str] = case((delivered, "OK"), else_="Erred")
    problem = problem_of_delivery()
    reason = case((delivered, ""), else_=func.coalesce(problem, ""))
    trace = case((message.c.kind == "invitation", reason), else_="")
    work.execute(
        update(invitation)
        .where(
            message.c.key == func.concat(literal(KEY, Text), hex_of(invitation.c.uuid)),
            invitation.c.execution_state.in_(("Processing", "Erred")),
            or_(delivered, problem.is_not(None)),
            or_(cast(invitation.c.execution_state, Text) != state, invitation.c.error_message != reason),
        )
        .values(execution_state=state, error_message=reason, error_traceback=trace, modified=work.as_of)
    )


def _deliver(work: Work, rows: Sequence[Row[Any]]) -> None:
    """Put the mails or calls of invitations into the outbox; their rows say Processing until these are delivered."""
    if not rows:
        return
    hooks = work.settings["WALDUR_CORE.INVITATION_USE_WEBHOOKS"]
    outcome = {"execution_state": "Processing", "error_message": ""}
    if hooks and not work.settings["WALDUR_CORE.INVITATION_WEBHOOK_URL"]:
        outcome = {"execution_state": "Erred", "error_message": NO_HOOK}
    elif hooks:
        put(work, _calls(work, rows))
    elif is_enabled(work, CREATED):
        put(work, notification_mails(work, CREATED, _letters(work, rows)))
    else:
        outcome["execution_state"] = "OK"
    work.connection.execute(  # counted as released already
        update(invitation)
        .where(invitation.c.id == func.any([row.id for row in rows]))
        .values(**outcome, error_traceback="", modified=work.as_of)
    )


def _letters(work: Work, rows: Sequence[Row[Any]]) -> Iterator[Letter]:
    texts = InvitationTexts(work, rows)
    for row in rows:
        sender = row.author_full_name or row.author_username
        yield Letter(f"{KEY}{row.uuid.hex}", row.email, texts.facts(row, sender))


def _calls(work: Work, rows: Sequence[Row[Any]]) -> Iterator[InvitationCall]:
    home = work.settings["WALDUR_CORE.HOMEPORT_URL"]
    for row in rows:
        yield InvitationCall(
            key=f"{KEY}{row.uuid.hex}",
            fields={
                "email": row.email,
                "role_name": row.role_name,
                "role_description": row.role_description,
                "scope_type": row.scope_kind,
                "scope_name": row.scope_name,
                "scope_uuid": row.scope_uuid.hex,
                "scope_slug": row.scope_slug,
                "extra_invitation_text": row.extra_invitation_text,
                "created_by_full_name": row.author_full_name,
                "created_by_username": row.author_username,
                "expires": (row.created + lifetime(work)).isoformat(),
                "redirect_scope_url": f"{home}{row.scope_page}/{row.scope_uuid.hex}/",
                "redirect_url": invitation_link(work, row),
                "invitation_uuid": row.uuid.hex,
            },
        )
