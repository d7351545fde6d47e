"""What a sender is, and how it says what became of a message.

A sender speaks to one outside system for one round of deliveries, in one thread. ``deliver`` calls it so:

1. ``ready(message)``: connect and log in where that can be done before the message. Nothing of the message leaves yet,
   so whatever goes wrong here is the system's fault or the deployment's, never the message's: Down, Misconfigured or
   NoPlace.
2. The attempt is counted and committed; no transaction is open after that.
3. ``send(message)``: returns when the system has taken the message, else raises one of the exceptions below.

What each costs:

=============== =================== ==================================================================================
exception       the message         the other messages of the same system
=============== =================== ==================================================================================
Refused         is given up         go on
Postponed       waits, counted      go on
DeliveredInPart is delivered        go on
Down            waits, not counted  wait without being tried, until the system's pause is over
Misconfigured   waits, not counted  wait without being tried, until the system's pause is over; nothing is given up
NoPlace         waits, not counted  go on, but for those with the same task, which wait without being tried
UnknownFate     waits, a few times  go on; when the system was too slow (``slow``) they wait as for Down
=============== =================== ==================================================================================

The texts of all of them are shown to operators and kept: they must hold no secret (see ``clients.words``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Self

from waldur_dagster.outbox.messages import Message


class NotDelivered(Exception):
    """The message did not get out, or perhaps; the text says why, without secrets."""


class Refused(NotDelivered):
    """The system does not take this message, and another try cannot help."""


class Postponed(NotDelivered):
    """The system does not take this message now; ``rest`` is what to send next time when a part of it did get out."""

    def __init__(self, reason: str, *, rest: Message | None = None):
        super().__init__(reason)
        self.rest = rest


class Down(NotDelivered):
    """The system cannot be reached, or is too slow, and has certainly not taken the message."""


class Misconfigured(NotDelivered):
    """The deployment or the site's settings say something about the system that cannot work: a password, a host."""


class NoPlace(NotDelivered):
    """The system is there, and has no place for a message of this task: its queue is missing."""


class UnknownFate(NotDelivered):
    """The system was given the message and has not answered, so perhaps it has taken it. ``slow``: it took too long."""

    def __init__(self, reason: str, *, slow: bool = False):
        super().__init__(reason)
        self.slow = slow


class DeliveredInPart(Exception):
    """The message got out, but some of its recipients never accept it; the others must not get it again."""


class Sender(ABC):
    """One outside system, for one round of deliveries; a context manager.

    ``longest``: seconds that ``send`` takes at most, whatever the other side does; the claim on a message is held so
    long. A sender keeps to it with a total deadline (``clients.deadline``), not with time-outs of single reads.
    """

    longest: float = 60

    def ready(self, message: Any) -> None:  # noqa: B027  a system without a login has nothing to do
        """Prepare for the message without sending anything of it. Raises Down, Misconfigured or NoPlace."""

    @abstractmethod
    def send(self, message: Any) -> None:
        """Send the message once. Raises NotDelivered (one of its kinds) or DeliveredInPart."""

    def close(self) -> None:  # noqa: B027
        """End what is open; never raises."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
