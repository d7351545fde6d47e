"""Where mails go: to an SMTP server, or into a folder."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from waldur_dagster.deployment import Deployment
from waldur_dagster.outbox.messages import Mail
from waldur_dagster.outbox.senders.email_form import Malformed, as_email
from waldur_dagster.outbox.senders.interface import Down, Misconfigured, Refused, Sender
from waldur_dagster.outbox.senders.smtp import SmtpServer
from waldur_dagster.words import in_words


def mail_sender(deployment: Deployment, _: object = None) -> Sender:
    """The one that the deployment names."""
    if deployment.mail.directory is not None:
        return MailFolder(deployment.mail.directory)
    return SmtpServer(deployment.mail, deployment.secrets)


class MailFolder(Sender):
    """Writes each mail to a file of its own that mail programs open, and only its owner may read."""

    def __init__(self, directory: Path):
        self._directory = directory

    def ready(self, message: Mail) -> None:
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise Misconfigured(f"mail folder {self._directory}: {in_words(error)}") from None

    def send(self, message: Mail) -> None:
        try:
            content = as_email(message, utf8=True).as_bytes()
        except Malformed as error:
            raise Refused(str(error)) from None
        # The digest tells apart keys that differ in signs, or in letters' case, which some file systems do not tell.
        readable = "".join(c if c.isalnum() or c in "-_.@" else "-" for c in message.key)[:80]
        name = f"{readable}-{hashlib.sha256(message.key.encode()).hexdigest()[:12]}.eml"
        try:
            self._write(self._directory / name, content)
        except OSError as error:
            raise Down(f"mail folder {self._directory}: {in_words(error)}") from None

    @staticmethod
    def _write(file: Path, content: bytes) -> None:
        unfinished = file.with_suffix(".part")
        unfinished.unlink(missing_ok=True)
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(content)
        unfinished.replace(file)
