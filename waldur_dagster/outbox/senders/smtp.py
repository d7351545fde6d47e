"""An SMTP server, spoken to step by step, so that it is known of each mail whether the server can have taken it."""

from __future__ import annotations

import contextlib
import re
import smtplib
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from waldur_dagster.clients.addresses import connect
from waldur_dagster.clients.deadline import Deadline
from waldur_dagster.deployment_sections import MailServer
from waldur_dagster.outbox.messages import Mail
from waldur_dagster.outbox.senders.email_form import Mailbox, Malformed, as_email, mailbox
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
from waldur_dagster.words import in_words

GO_ON, CLOSING, TOO_LARGE = 354, 421, 552
FAREWELL = 5.0  # seconds
# "5.7.x": the server's policy, above all that it relays for nobody who has not logged in (RFC 3463).
_POLICY = re.compile(rb"\s*5\.7\.")


class _Closed(Exception):
    """The server ends the connection before it has the mail, which can be given to the next connection."""


class _Refusal(Exception):
    """An answer to MAIL or DATA, or to a mail, that is no consent."""

    def __init__(self, code: int):
        super().__init__(code)
        self.code = code


@dataclass
class _Envelope:
    """What the server is given; who of the recipients cannot be reached, for good or for now, and why."""

    sender: Mailbox
    recipients: dict[str, Mailbox]
    content: bytes
    utf8: bool
    refused: dict[str, str] = field(default_factory=dict)
    busy: dict[str, str] = field(default_factory=dict)


class SmtpServer(Sender):
    """One connection for the mails of a round, made again where the server closes it, as some do after each mail."""

    def __init__(self, options: MailServer, secrets: Sequence[str]):
        self._options, self._secrets = options, secrets
        self._smtp: _Smtp | None = None
        self.longest = 3 * options.timeout + options.answer_timeout

    def ready(self, message: Mail) -> None:
        if self._smtp is None or not self._is_open(self._smtp):
            self._connect()

    def send(self, message: Mail) -> None:
        try:
            self._hand_over(message)
        except _Closed:
            self._connect()
            try:
                self._hand_over(message)
            except _Closed:
                raise Postponed(self._says("it closes the connection at this mail")) from None

    def close(self) -> None:
        if self._smtp is not None:
            with contextlib.suppress(smtplib.SMTPException, OSError), self._within(self._smtp, FAREWELL):
                self._smtp.quit()
            self._smtp.close()
            self._smtp = None

    def _is_open(self, smtp: _Smtp) -> bool:
        """Whether the connection takes another mail; forgets what was begun of the last one."""
        try:
            with self._within(smtp, self._options.timeout):
                return smtp.rset()[0] < 400
        except (smtplib.SMTPException, OSError):
            return False

    def _connect(self) -> None:
        """Raises Down or Misconfigured."""
        self.close()
        options = self._options
        password = options.password.get_secret_value() if options.password else ""
        if not f"{options.user or ''}{password}".isascii():
            raise Misconfigured(self._says("user name or password has letters that SMTP cannot carry (ASCII only)"))
        with Deadline(options.timeout) as deadline:
            try:
                smtp = _Smtp(options, deadline)
                self._smtp = smtp
                smtp.ehlo_or_helo_if_needed()
                if options.security == "starttls":
                    smtp.starttls(context=ssl.create_default_context())  # smtplib by itself verifies no certificate
                    smtp.ehlo_or_helo_if_needed()
                if options.user:
                    smtp.login(options.user, password)
            except Exception as error:  # a host that is no name, a port that is none: of many types
                self.close()
                if deadline.expired or isinstance(error, TimeoutError):
                    raise Down(self._says(f"timed out after {options.timeout:g} seconds")) from None
                raise _connection_problem(error)(self._says(error)) from None

    def _hand_over(self, mail: Mail) -> None:
        assert self._smtp is not None
        envelope = self._envelope(self._smtp, mail)
        if envelope.recipients:
            self._announce(self._smtp, mail, envelope)
        if envelope.recipients:
            self._transmit(self._smtp, mail, envelope)
        _tell(mail, envelope)

    def _envelope(self, smtp: _Smtp, mail: Mail) -> _Envelope:
        can_utf8 = smtp.has_extn("smtputf8")
        found: dict[str, Mailbox] = {}
        refused: dict[str, str] = {}
        try:
            sender = mailbox(mail.from_address)
            for address in mail.recipients:
                try:
                    found[address] = mailbox(address)
                except Malformed:
                    refused[address] = "is no mail address"
            for address in [name for name, box in found.items() if box.needs_utf8 and not can_utf8]:
                del found[address]
                refused[address] = "has letters that the server cannot take (no SMTPUTF8)"
            utf8 = any(box.needs_utf8 for box in (sender, *found.values()))
            content = as_email(mail, utf8=utf8).as_bytes()
        except (Malformed, ValueError, LookupError) as error:
            raise Refused(f"cannot be made into a mail: {in_words(error, self._secrets)}") from None
        if utf8 and not can_utf8:
            raise Refused(f"the sender {mail.from_address} has letters that the server cannot take (no SMTPUTF8)")
        return _Envelope(sender, found, content, utf8, refused)

    def _announce(self, smtp: _Smtp, mail: Mail, envelope: _Envelope) -> None:
        """Say from whom and to whom; leaves in ``recipients`` those whom the server accepts."""
        options = [f"size={len(envelope.content)}"] if smtp.has_extn("size") else []
        options += ["SMTPUTF8", "BODY=8BITMIME"] if envelope.utf8 else []
        with self._talking(smtp, mail, envelope):
            _consent(smtp.mail(envelope.sender.address, options))
            for address, box in list(envelope.recipients.items()):
                code, said = smtp.rcpt(box.address)
                if code == CLOSING:
                    raise _Closed
                if code >= 400:
                    del envelope.recipients[address]
                    for_good = code >= 500 and not _POLICY.match(said)
                    (envelope.refused if for_good else envelope.busy)[address] = str(code)
            if envelope.recipients:
                _consent(smtp.docmd("DATA"), GO_ON)

    def _transmit(self, smtp: _Smtp, mail: Mail, envelope: _Envelope) -> None:
        """Give the mail itself. The server cannot have taken it before its last line is out; after that it may have."""
        with Deadline(self._options.answer_timeout) as deadline:
            connection = smtp.use(self._options.answer_timeout)
            deadline.watch(connection)
            ended = False
            try:
                connection.sendall(re.sub(rb"(?m)^\.", b"..", envelope.content))
                ended = True
                connection.sendall(b".\r\n")
                code, _ = smtp.getreply()
            except (smtplib.SMTPException, OSError) as error:
                self.close()
                if ended:
                    reason = f"no answer to the mail within {deadline.seconds:g} seconds" if deadline.expired else error
                    raise UnknownFate(self._says(reason), slow=deadline.expired) from None
                if deadline.expired:
                    raise Down(self._says(f"has not read a mail within {deadline.seconds:g} seconds")) from None
                raise Postponed(self._says(error)) from None
        if code >= 400:
            raise self._refusal(code, mail, envelope)

    @contextmanager
    def _talking(self, smtp: _Smtp, mail: Mail, envelope: _Envelope) -> Iterator[None]:
        """The talk before the mail itself. Raises Down, _Closed, or what a refusal means."""
        with Deadline(self._options.timeout) as deadline:
            try:
                deadline.watch(smtp.use(self._options.timeout))
                yield
            except _Refusal as refusal:
                raise self._refusal(refusal.code, mail, envelope, said_to_sender=True) from None
            except (smtplib.SMTPException, OSError):
                if deadline.expired:
                    self.close()
                    raise Down(self._says(f"timed out after {deadline.seconds:g} seconds")) from None
                raise _Closed from None

    @contextmanager
    def _within(self, smtp: _Smtp, seconds: float) -> Iterator[None]:
        with Deadline(seconds) as deadline:
            deadline.watch(smtp.use(seconds))
            yield

    def _refusal(self, code: int, mail: Mail, envelope: _Envelope, *, said_to_sender: bool = False) -> NotDelivered:
        if code == TOO_LARGE:
            size = len(envelope.content) / 2**20
            return Refused(self._says(f"{code}: the mail has {size:.0f} MiB, more than the server takes"))
        if said_to_sender and code >= 500:
            return Misconfigured(self._says(f"{code}: it takes no mail from {mail.from_address}"))
        return Postponed(self._says(f"it does not take the mail now: {code}"))

    def _says(self, problem: BaseException | str) -> str:
        return f"mail server {self._options.host}:{self._options.port}: {in_words(problem, self._secrets)}"


class _Smtp(smtplib.SMTP):
    """A connection that a deadline watches from its first byte on."""

    def __init__(self, options: MailServer, deadline: Deadline):
        self._encrypted, self._deadline = options.security == "tls", deadline
        super().__init__(options.host, options.port, timeout=options.timeout)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        connection = connect(host, port, self._deadline)
        connection.settimeout(timeout)
        if self._encrypted:
            return ssl.create_default_context().wrap_socket(connection, server_hostname=host)
        return connection

    def use(self, seconds: float) -> socket.socket:
        """The socket, for a talk of so many seconds; the deadline's end comes first. Raises SMTPServerDisconnected."""
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("it has closed the connection")
        self.sock.settimeout(seconds + 1)
        return self.sock


def _consent(answer: tuple[int, bytes], wanted: int = 0) -> None:
    code, _ = answer
    if code == CLOSING:
        raise _Closed
    if code >= 400 or (wanted and code != wanted):
        raise _Refusal(code)


def _connection_problem(error: Exception) -> type[NotDelivered]:
    """Whether the server is down or the deployment says something wrong of it."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return Misconfigured if error.smtp_code >= 500 else Down
    broken_off = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
    if isinstance(error, (ssl.SSLError, smtplib.SMTPNotSupportedError)) and not isinstance(error, broken_off):
        return Misconfigured
    return Down if isinstance(error, (OSError, smtplib.SMTPException)) else Misconfigured


def _tell(mail: Mail, envelope: _Envelope) -> None:
    """Say who has got a mail and who has not, when somebody has not."""
    missing = envelope.refused | envelope.busy
    if not missing:
        return
    reason = "; ".join(f"{address}: {why}" for address, why in missing.items())
    if envelope.recipients:
        if envelope.busy:
            raise Postponed(f"sent, but not to {reason}", rest=mail.model_copy(update={"left": tuple(envelope.busy)}))
        raise DeliveredInPart(f"sent, but not to {reason}")
    if envelope.busy:
        raise Postponed(f"the server refuses the recipient: {reason}")
    if mail.left is not None:
        raise DeliveredInPart(f"the server refuses the recipient: {reason}")
    raise Refused(f"the server refuses the recipient: {reason}")
