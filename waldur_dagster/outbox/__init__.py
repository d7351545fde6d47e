"""What leaves the program: written in the transaction of the work, delivered after its commit (design decision 3)."""

from waldur_dagster.outbox.messages import Attachment, Handover, Mail, Message, WebCall
from waldur_dagster.outbox.queue import put

__all__ = ["Attachment", "Handover", "Mail", "Message", "WebCall", "put"]
