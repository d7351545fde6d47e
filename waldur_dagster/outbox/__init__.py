"""What leaves the program: written in the transaction of the work, delivered after its commit (design decision 3)."""

from waldur_dagster.outbox.messages import (
    AccountRequest,
    ApiCall,
    Attachment,
    AttachmentWriter,
    Handover,
    InvitationCall,
    Mail,
    Message,
    WebCall,
)
from waldur_dagster.outbox.queue import deliveries, problem_of_delivery, put, waiting_keys

__all__ = [
    "AccountRequest",
    "ApiCall",
    "Attachment",
    "AttachmentWriter",
    "Handover",
    "InvitationCall",
    "Mail",
    "Message",
    "WebCall",
    "deliveries",
    "problem_of_delivery",
    "put",
    "waiting_keys",
]
