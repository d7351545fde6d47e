"""Senders: one class for each kind of outside system; ``interface`` says how they are called."""

from __future__ import annotations

from importlib import import_module

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


# Module and name of what makes the sender of each kind of message.
_MAKERS = {
    "mail": ("mail", "mail_sender"),
    "webhook": ("web_hook", "WebHook"),
    "invitation": ("invitations", "Invitations"),
    "account": ("accounts", "Accounts"),
    "handover": ("broker", "Broker"),
    "api_call": ("waldur_api", "WaldurApiCalls"),
}


def sender_for(kind: str, deployment: Deployment) -> Sender:
    """The sender of a kind of message. What a kind needs is imported only where messages of it are sent."""
    module, name = _MAKERS[kind]
    sender: Sender = getattr(import_module(f"{__name__}.{module}"), name)(deployment)
    return sender
