"""The kinds of message: mails, calls of web hooks and of Waldur's API, and tasks for Waldur's Celery workers."""

from __future__ import annotations

import base64
import zlib
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class _Message(BaseModel):
    """``key`` names a message once and for all: what is put twice under one key is sent once."""

    model_config = ConfigDict(frozen=True)

    key: str


class Attachment(BaseModel):
    """A text file in a mail; a large one has its text ``packed``: zlib, base64."""

    model_config = ConfigDict(frozen=True)

    filename: str
    content: str = ""
    packed: str = ""
    media_type: str = "text/plain"

    @property
    def text(self) -> str:
        return zlib.decompress(base64.b64decode(self.packed)).decode() if self.packed else self.content


class AttachmentWriter:
    """A text stream that becomes an attachment; a large one is packed while it is written, and stays small."""

    LARGEST_PLAIN = 2**20

    def __init__(self) -> None:
        self._packer = zlib.compressobj(level=1)
        self._packed = bytearray()
        self._size = 0

    @property
    def size(self) -> int:
        """How many bytes were written."""
        return self._size

    def write(self, text: str) -> int:
        data = text.encode()
        self._size += len(data)
        self._packed += self._packer.compress(data)
        return len(text)

    def attachment(self, filename: str, media_type: str = "text/plain") -> Attachment:
        """What was written; nothing can be added any more."""
        self._packed += self._packer.flush()
        packed = Attachment(filename=filename, packed=base64.b64encode(self._packed).decode(), media_type=media_type)
        if self._size > self.LARGEST_PLAIN:
            return packed
        return packed.model_copy(update={"content": packed.text, "packed": ""})


class Mail(_Message):
    kind: Literal["mail"] = "mail"
    to: tuple[str, ...]
    subject: str
    body: str
    from_address: str
    html: str | None = None
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    reply_to: str = ""
    attachments: tuple[Attachment, ...] = ()
    notification: str | None = None
    left: tuple[str, ...] | None = None
    confidential: bool = False

    @property
    def recipients(self) -> tuple[str, ...]:
        """Who is to get it: everybody that it names, or those whom the server has put off so far (``left``)."""
        return self.left if self.left is not None else self.to + self.cc + self.bcc

    def __str__(self) -> str:
        return f"to {', '.join(self.to + self.cc + self.bcc)}: {self.subject}"


class WebCall(_Message):
    """A POST without credentials: an event for a web hook, as JSON or as a form; without ``fields`` it has no body."""

    kind: Literal["webhook"] = "webhook"
    url: str
    form: bool = False
    verify: bool = True
    fields: dict[str, Any] | None = None

    def __str__(self) -> str:
        host = self.url.partition("://")[2].partition("/")[0].rpartition("@")[2]  # the rest is often a secret
        return f"POST to {host}: {(self.fields or {}).get('event_type', 'no body')}"


class InvitationCall(_Message):
    """An invitation for the site's invitation web hook; its address and secrets are settings of the site."""

    kind: Literal["invitation"] = "invitation"
    fields: dict[str, Any]

    def __str__(self) -> str:
        return f"invitation for {self.fields.get('email', '')} to the web hook"


class AccountRequest(_Message):
    """An account that FreeIPA is to make; whoever asked takes the password out once it is told to its owner."""

    kind: Literal["account"] = "account"
    user_id: int
    username: str
    password: str = ""
    facts: dict[str, Any] = {}

    def __str__(self) -> str:
        return f"FreeIPA account {self.username}"


class Handover(_Message):
    """A task for Waldur's own workers."""

    kind: Literal["handover"] = "handover"
    task: str
    args: list[Any] = []
    kwargs: dict[str, Any] = {}

    def __str__(self) -> str:
        return f"task {self.task}"


class ApiCall(_Message):
    """A POST to Waldur's own REST API, as the user whose token the deployment has."""

    kind: Literal["api_call"] = "api_call"
    path: str
    body: dict[str, Any] = {}

    def __str__(self) -> str:
        return f"POST {self.path}"


Message = Mail | WebCall | InvitationCall | AccountRequest | Handover | ApiCall
parse: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="kind")])


def payload_of(message: Message) -> dict[str, Any]:
    """The message as it is stored."""
    return message.model_dump(mode="json", exclude_defaults=True) | {"kind": message.kind}
