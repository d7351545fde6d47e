"""A mail in the form in which it goes out: addresses that servers take, headers, encodings."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

import idna

from waldur_dagster.outbox.messages import Mail

# Everything in seven bits, so that it passes servers without 8BITMIME.
POLICY = SMTP.clone(cte_type="7bit")

_LOCAL = re.compile(r'[^\s<>()\[\],;:\\"@\x00-\x1f\x7f]+|"[^"\\\x00-\x1f\x7f]*"')
_NAMED = re.compile(r"[^<>@\r\n]*<[^<>]+>\s*")
_DOMAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f.:IPv]+\]")


class Malformed(ValueError):
    """This is no mail address; the text says which."""


@dataclass(frozen=True)
class Mailbox:
    """An address as it goes over the wire: its domain in letters of ASCII (IDNA)."""

    name: str
    local: str
    domain: str

    @property
    def address(self) -> str:
        return f"{self.local}@{self.domain}"

    @property
    def needs_utf8(self) -> bool:
        """Whether only servers with SMTPUTF8 (RFC 6531) can take it."""
        return not self.local.isascii()

    def header(self) -> Address:
        return Address(self.name, self.local.strip('"'), self.domain)


def mailbox(written: str) -> Mailbox:
    """``ann@x.org`` or ``Ann <ann@x.org>``. Raises Malformed."""
    name, address = parseaddr(written) if _NAMED.fullmatch(written) else ("", written.strip())
    local, _, domain = address.rpartition("@")
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode()
        except idna.IDNAError:
            domain = ""
    if not _LOCAL.fullmatch(local) or not _DOMAIN.fullmatch(domain):
        raise Malformed(f"{written!r} is no mail address")
    return Mailbox(name, local, domain)


def as_email(mail: Mail, *, utf8: bool = False) -> EmailMessage:
    """The message; blind copies are in the envelope only, and so are addresses that cannot be written in a header.

    The Message-ID follows from the key: when the program dies between the server's answer and its own note of it, the
    mail may be sent again, and mail programs that know the first copy can tell. ``utf8``: the server has SMTPUTF8.
    Raises Malformed for a sender that is no address.
    """
    sender = mailbox(mail.from_address)
    email = EmailMessage(policy=POLICY.clone(utf8=utf8))
    email["Subject"] = " ".join(mail.subject.split())
    email["From"] = sender.header()
    for header, addresses in (("To", mail.to), ("Cc", mail.cc), ("Reply-To", (mail.reply_to,))):
        if shown := [box.header() for box in _known(addresses) if utf8 or not box.needs_utf8]:
            email[header] = shown
    email["Date"] = format_datetime(datetime.now(UTC))
    email["Message-ID"] = f"<{hashlib.sha256(mail.key.encode()).hexdigest()[:32]}@waldur-dagster>"
    email.set_content(mail.body)
    if mail.html is not None:
        email.add_alternative(mail.html, subtype="html")
    for attachment in mail.attachments:
        maintype, _, subtype = attachment.media_type.partition("/")
        email.add_attachment(attachment.text.encode(), maintype=maintype, subtype=subtype, filename=attachment.filename)
    return email


def _known(addresses: Iterable[str]) -> Iterable[Mailbox]:
    for address in addresses:
        try:
            yield mailbox(address)
        except Malformed:
            continue
