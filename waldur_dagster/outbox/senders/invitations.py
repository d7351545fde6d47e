"""The site's web hook for invitations."""

from __future__ import annotations

from collections.abc import Callable

from waldur_dagster.clients.invitation_hook import (
    HookDown,
    HookMisconfigured,
    InvitationHook,
    InvitationNotSent,
    InvitationRefused,
    InvitationUnanswered,
)
from waldur_dagster.deployment import Deployment
from waldur_dagster.outbox.messages import InvitationCall
from waldur_dagster.outbox.senders.interface import (
    Down,
    Misconfigured,
    NotDelivered,
    Postponed,
    Refused,
    Sender,
    UnknownFate,
)
from waldur_dagster.outbox.senders.web_hook import ID_HEADER, repetition_id
from waldur_dagster.settings import Settings
from waldur_dagster.words import in_words


class Invitations(Sender):
    """Hands invitations over; the token is fetched before the first one."""

    def __init__(self, deployment: Deployment, settings: Callable[[], Settings]):
        self._deployment = deployment
        self._hook = InvitationHook.of(settings())
        self.longest = self._hook.longest

    def ready(self, message: InvitationCall) -> None:
        try:
            self._hook.log_in()
        except InvitationNotSent as problem:
            raise self._meaning(problem) from None

    def send(self, message: InvitationCall) -> None:
        try:
            self._hook.invite(message.fields, {ID_HEADER: repetition_id(self._deployment, message)})
        except InvitationNotSent as problem:
            raise self._meaning(problem) from None

    def _meaning(self, problem: InvitationNotSent) -> NotDelivered:
        reason = in_words(str(problem), self._deployment.secrets)
        match problem:
            case InvitationUnanswered(slow=slow):
                return UnknownFate(reason, slow=slow)
            case InvitationRefused():
                return Refused(reason)
            case HookDown():
                return Down(reason)
            case HookMisconfigured():
                return Misconfigured(reason)
        return Postponed(reason)
