"""Senders: one class for each kind of outside system; ``interface`` says how they are called."""

from __future__ import annotations

from waldur_dagster.deployment import Deployment
from waldur_dagster.outbox.senders.interface import (
    DeliveredInPart,
    Down,
    Misconfigured,
    NotDelivered,
    Postponed,
    Refused,
    Sender,
    UnknownFate,
)

__all__ = [
    "DeliveredInPart",
    "Down",
    "Misconfigured",
    "NotDelivered",
    "Postponed",
    "Refused",
    "Sender",
    "UnknownFate",
    "sender_for",
]


def sender_for(kind: str, deployment: Deployment) -> Sender:
    """The sender of a kind of message. What a kind needs is imported only where messages of it are sent."""
    match kind:
        case "mail":
            from waldur_dagster.outbox.senders.mail import mail_sender

            return mail_sender(deployment)
        case "webhook":
            from waldur_dagster.outbox.senders.web_hook import WebHook

            return WebHook(deployment)
        case "invitation":
            from waldur_dagster.outbox.senders.invitations import Invitations

            return Invitations(deployment)
        case "account":
            from waldur_dagster.outbox.senders.accounts import Accounts

            return Accounts(deployment)
        case "handover":
            from waldur_dagster.outbox.senders.broker import Broker

            return Broker(deployment)
        case "api_call":
            from waldur_dagster.outbox.senders.waldur_api import WaldurApiCalls

            return WaldurApiCalls(deployment)
    raise Refused(f"messages of the kind {kind!r} are unknown")
