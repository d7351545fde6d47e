"""Composing mails: notifications from templates, and plain ones (spec core 1.8). They go out through the outbox."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from waldur_dagster.outbox import Attachment, Mail
from waldur_dagster.platform.template_objects import View
from waldur_dagster.platform.templates import Templates
from waldur_dagster.schema import core
from waldur_dagster.work import Work


@dataclass(frozen=True)
class Letter:
    """One notification for one address. ``key`` names it for the outbox, ``context`` has what the texts show, under
    Waldur's names.

    The text of a confidential one is not kept in the outbox once it is delivered.
    """

    key: str
    to: str
    context: Mapping[str, Any] | View
    attachments: Sequence[Attachment] = ()
    confidential: bool = False


def is_enabled(work: Work, notification: str) -> bool:
    """Whether the site sends a notification such as ``invoices.notification``: its row is there and switched on."""
    return bool(
        work.connection.scalar(select(core.notification.c.enabled).where(core.notification.c.key == notification))
    )


def notification_mails(work: Work, notification: str, letters: Iterable[Letter]) -> Iterator[Mail]:
    """The mails of a notification, one for each letter; none when the site has it switched off."""
    if not is_enabled(work, notification):
        return
    templates, footer = work.once(Templates), Footer(work)
    name = notification.replace(".", "/", 1)
    for letter in letters:
        body, html = footer.under(
            templates.render(f"{name}_message.txt", letter.context).strip(),
            templates.render(f"{name}_message.html", letter.context),
        )
        yield Mail(
            key=letter.key,
            to=(letter.to,),
            subject=templates.render(f"{name}_subject.txt", letter.context).strip(),
            body=body,
            html=html,
            from_address=work.settings["DEFAULT_FROM_EMAIL"],
            reply_to=work.settings["DEFAULT_REPLY_TO_EMAIL"],
            attachments=tuple(letter.attachments),
            notification=notification,
            confidential=letter.confidential,
        )


def plain_mail(
    work: Work,
    key: str,
    to: str,
    subject: str,
    body: str,
    *,
    html: str | None = None,
    bcc: Sequence[str] = (),
    attachments: Sequence[Attachment] = (),
) -> Mail:
    """A mail without a template; the site's footers are added."""
    body, html = Footer(work).under(body, html)
    return Mail(
        key=key,
        to=(to,),
        bcc=tuple(bcc),
        subject=subject,
        body=body,
        html=html,
        from_address=work.settings["DEFAULT_FROM_EMAIL"],
        reply_to=work.settings["DEFAULT_REPLY_TO_EMAIL"],
        attachments=tuple(attachments),
    )


class Footer:
    """The site's footers, which go under every mail when at least one of them is written."""

    def __init__(self, work: Work):
        self._text, self._html = work.constance["COMMON_FOOTER_TEXT"], work.constance["COMMON_FOOTER_HTML"]

    def under(self, body: str, html: str | None) -> tuple[str, str | None]:
        if not (self._text or self._html):
            return body, html
        return f"{body}\n\n{self._text}", None if html is None else f"{html}\n\n{self._html}"
