"""Senders: one class for each kind of outside system; ``interface`` says how they are called."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from waldur_dagster.deployment import Deployment
from waldur_dagster.outbox.senders.interface import (
    DeliveredInPart,
    Down,
    Misconfigured,
    NoPlace,
    NotDelivered,
    Postponed,
    Refused,
    Sender,
    UnknownFate,
)
from waldur_dagster.settings import Settings

__all__ = [
    "DeliveredInPart",
    "Down",
    "Misconfigured",
    "NoPlace",
    "NotDelivered",
    "Postponed",
    "Refused",
    "Sender",
    "UnknownFate",
    "sender_for",
]


# Module and name of what makes the sender of each kind of message, from the deployment and the site's settings.
_MAKERS = {
    "mail": ("mail", "mail_sender"),
    "webhook": ("web_hook", "WebHook"),
    "invitation": ("invitations", "Invitations"),
    "account": ("accounts", "Accounts"),
    "handover": ("broker", "Handovers"),
    "api_call": ("waldur_api", "WaldurApiCalls"),
}


def sender_for(kind: str, deployment: Deployment, settings: Callable[[], Settings] | None = None) -> Sender:
    """The sender of a kind of message. What a kind needs is imported only where messages of it are sent.

    ``settings`` gives those that hold on the site; without it, those of the deployment file do. Raises what a wrong
    setting raises.
    """
    module, name = _MAKERS[kind]
    make = getattr(import_module(f"{__name__}.{module}"), name)
    sender: Sender = make(deployment, settings or (lambda: deployment.settings))
    return sender
