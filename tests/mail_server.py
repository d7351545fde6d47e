"""A real SMTP server on loopback that keeps what it is sent."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

CERTIFICATE = Path(__file__).parent / "outbox" / "loopback.pem"


@dataclass
class MailServer:
    """``refused``: addresses that are answered with 550; ``busy``: those answered with 451, try again.

    Mails with one of ``refused_subjects`` are answered with 451 after they were received; every answer to a mail takes
    ``pause`` seconds. One of the ``slow`` addresses gets none for as long as it is slow, nor does the mail that was
    received as number ``halt`` while this is so. ``asked``: all addresses it was asked for.
    """

    refused: set[str] = field(default_factory=set)
    busy: set[str] = field(default_factory=set)
    refused_subjects: set[str] = field(default_factory=set)
    received: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    slow: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    port: int = 0
    pause: float = 0
    halt: int = 0
    released: bool = False

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        self.asked.append(address)
        while address in self.slow and not self.released:
            await asyncio.sleep(0.02)
        if address in self.refused:
            return "550 No such user"
        if address in self.busy:
            return "451 Try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        if message["Subject"] in self.refused_subjects:
            return "451 Try again later"
        self.received.append((list(envelope.rcpt_tos), message))
        number = len(self.received)
        while self.halt == number:
            await asyncio.sleep(0.02)
        await self._wait()
        return "250 OK"

    async def _wait(self) -> None:
        end = time.monotonic() + self.pause
        while time.monotonic() < end and not self.released:
            await asyncio.sleep(min(0.02, self.pause))

    def release(self) -> None:
        """End all pauses now."""
        self.released = True

    @property
    def options(self) -> dict[str, Any]:
        """How a deployment names this server."""
        return {"host": "127.0.0.1", "port": self.port}

    @property
    def addresses(self) -> list[str]:
        return sorted(address for recipients, _ in self.received for address in recipients)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def mail_server(
    refused: set[str] | None = None,
    *,
    largest: int = 2**25,
    security: str = "none",
    utf8: bool = False,
    port: int | None = None,
) -> Iterator[MailServer]:
    """``largest``: bytes of a mail that the server takes; ``security`` as a deployment says it; ``utf8``: SMTPUTF8.

    Without a ``port`` it has a free one. Whoever logs in is let in.
    """
    handler = MailServer(refused=refused or set())
    handler.port = port or free_port()
    encryption: dict[str, Any] = {}
    if security != "none":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(CERTIFICATE)
        demanded = {"tls_context": context, "require_starttls": True}
        encryption = {"ssl_context": context} if security == "tls" else demanded
    controller = Controller(
        handler,
        hostname="127.0.0.1",
        port=handler.port,
        data_size_limit=largest,
        enable_SMTPUTF8=utf8,
        auth_require_tls=False,
        authenticator=lambda *_: AuthResult(success=True),
        **encryption,
    )
    controller.start()
    try:
        yield handler
    finally:
        controller.stop()
