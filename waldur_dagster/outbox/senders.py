"""Sending one message: by SMTP or into a folder, by HTTP, to Waldur's API, or to Celery's broker."""

from __future__ import annotations

import contextlib
import hashlib
import json
import smtplib
import ssl
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING, Self

from waldur_dagster.deployment import Deployment, MailServer, WaldurApi
from waldur_dagster.outbox.messages import AccountRequest, ApiCall, Handover, InvitationCall, Mail, Message, WebCall
from waldur_dagster.settings import BadSetting, Settings

if TYPE_CHECKING:  # each kind of message loads what it needs when the first one is sent
    from waldur_dagster.clients.broker import Broker
    from waldur_dagster.clients.freeipa import FreeIpa
    from waldur_dagster.clients.invitation_hook import InvitationHook

WEB_HOOK_TIMEOUT = 20.0
# SMTP's answer to a mail that is larger than the server takes (RFC 1870).
TOO_LARGE = 552


class NotDelivered(Exception):
    """The message did not get out; ``final`` when another try cannot help.

    ``rest`` is what another try has to send when a part of it did get out.
    """

    def __init__(self, reason: str, *, final: bool = False, rest: Message | None = None):
        super().__init__(reason)
        self.final = final
        self.rest = rest


class DeliveredInPart(Exception):
    """The message got out, but some of its recipients never accept it; the others must not get it again."""


class Senders:
    """Open connections of one round of deliveries; a context manager."""

    def __init__(self, deployment: Deployment, settings: Callable[[], Settings] | None = None):
        """``settings`` gives those that hold on the site; without it, those of the deployment file do."""
        self._deployment = deployment
        self._settings = settings or (lambda: deployment.settings)
        self._mail = MailFolder(deployment.mail) if deployment.mail.directory else SmtpServer(deployment.mail)
        self._web_hooks = WebHooks()
        self._broker: Broker | None = None
        self._hook: InvitationHook | None = None
        self._freeipa: FreeIpa | None = None

    def send(self, message: Message) -> None:
        """Raises NotDelivered."""
        match message:
            case Mail():
                self._mail.send(message)
            case WebCall():
                self._web_hooks.call(message)
            case InvitationCall():
                self._invite(message)
            case AccountRequest():
                self._make_account(message)
            case Handover():
                self._hand_over(message)
            case ApiCall():
                if self._deployment.waldur_api is None:
                    raise NotDelivered("no API of Waldur is configured ([waldur_api] url, token)")
                call_waldur(self._deployment.waldur_api, message)

    def _invite(self, message: InvitationCall) -> None:
        from waldur_dagster.clients.invitation_hook import InvitationHook, InvitationNotSent

        try:
            if self._hook is None:
                self._hook = InvitationHook.of(self._settings())
            self._hook.invite(message.fields)
        except InvitationNotSent as problem:
            raise NotDelivered(str(problem), final=problem.final) from None

    def _make_account(self, message: AccountRequest) -> None:
        from waldur_dagster.clients.freeipa import FreeIpa, FreeIpaFailed

        try:
            if self._freeipa is None:
                self._freeipa = FreeIpa.of(self._settings())
            self._freeipa.add_user(message.username, message.facts | {"userpassword": message.password})
        except (FreeIpaFailed, BadSetting) as problem:
            raise NotDelivered(str(problem)) from None

    def _hand_over(self, message: Handover) -> None:
        from waldur_dagster.clients.broker import Broker, NotGiven

        options = self._deployment.celery
        if options is None or options.broker_url is None:
            raise NotDelivered("no Celery broker is configured ([celery] broker_url); it waits until there is one")
        if self._broker is None:
            self._broker = Broker(options.broker_url, options.queue)
        try:
            self._broker.give(message.task, message.args, message.kwargs, key=message.key)
        except NotGiven as problem:
            raise NotDelivered(str(problem)) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._mail.close()
        if self._hook is not None:
            self._hook.close()
        if self._freeipa is not None:
            self._freeipa.close()
        if self._broker is not None:
            self._broker.close()


class SmtpServer:
    """One connection for all mails, made when the first one is sent.

    A server that cannot be reached, or is too slow, is not asked again in this round: many mails would wait for it.
    """

    def __init__(self, options: MailServer):
        self._options = options
        self._smtp: smtplib.SMTP | None = None
        self._unreachable: str | None = None

    def send(self, mail: Mail) -> None:
        if self._unreachable is not None:
            raise NotDelivered(self._unreachable)
        try:
            smtp = self._connection()
            refused = smtp.send_message(as_email(mail), mail.from_address, mail.recipients)
        except smtplib.SMTPRecipientsRefused as error:
            reason = f"the server refuses the recipient: {_answers(error.recipients)}"
            permanent = all(code >= 500 for code, _ in error.recipients.values())
            if permanent and mail.left is not None:
                raise DeliveredInPart(reason) from None
            raise NotDelivered(reason, final=permanent) from None
        except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            # The server is there, and goes on with the next mail; this one it does not take.
            reason = f"mail server {self._options.host}:{self._options.port}: {_plain(error)}"
            too_large = error.smtp_code == TOO_LARGE
            self.close()
            raise NotDelivered(f"{reason}: {_size(mail)}" if too_large else reason, final=too_large) from None
        except (smtplib.SMTPException, OSError) as error:
            reason = f"mail server {self._options.host}:{self._options.port}: {_plain(error)}"
            if self._smtp is None or isinstance(error, TimeoutError):
                self._unreachable = reason
            self.close()
            raise NotDelivered(reason) from None
        if refused:
            reason = f"sent, but not to {_answers(refused)}"
            if busy := tuple(address for address, (code, _) in refused.items() if code < 500):
                raise NotDelivered(reason, rest=mail.model_copy(update={"left": busy}))
            raise DeliveredInPart(reason)

    def _connection(self) -> smtplib.SMTP:
        if self._smtp is None:
            options = self._options
            trust = ssl.create_default_context()  # smtplib by itself verifies no certificate
            address = (options.host, options.port)
            if options.security == "tls":
                smtp: smtplib.SMTP = smtplib.SMTP_SSL(*address, timeout=options.timeout, context=trust)
            else:
                smtp = smtplib.SMTP(*address, timeout=options.timeout)
            if options.security == "starttls":
                smtp.starttls(context=trust)
            if options.user:
                smtp.login(options.user, options.password.get_secret_value() if options.password else "")
            self._smtp = smtp
        return self._smtp

    def close(self) -> None:
        if self._smtp is not None:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                self._smtp.quit()
            self._smtp = None


class MailFolder:
    """Writes each mail to a file that mail programs open."""

    def __init__(self, options: MailServer):
        assert options.directory is not None
        self._directory = options.directory

    def send(self, mail: Mail) -> None:
        name = "".join(c if c.isalnum() or c in "-_.@" else "-" for c in mail.key)
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            (self._directory / f"{name}.eml").write_bytes(bytes(as_email(mail)))
        except OSError as error:
            raise NotDelivered(f"mail folder {self._directory}: {_plain(error)}") from None

    def close(self) -> None:
        """Nothing is open."""


def as_email(mail: Mail) -> EmailMessage:
    """The message as it goes out; blind copies are in the envelope only.

    The Message-ID follows from the key: when the program dies between the server's answer and its own note of it, the
    mail is sent again, and mail programs that know the first copy can tell.
    """
    email = EmailMessage()
    email["Subject"] = " ".join(mail.subject.split())
    email["From"] = mail.from_address
    email["To"] = ", ".join(mail.to)
    if mail.cc:
        email["Cc"] = ", ".join(mail.cc)
    if mail.reply_to:
        email["Reply-To"] = mail.reply_to
    email["Date"] = format_datetime(datetime.now(UTC))
    email["Message-ID"] = f"<{hashlib.sha256(mail.key.encode()).hexdigest()[:32]}@waldur-dagster>"
    email.set_content(mail.body)
    if mail.html is not None:
        email.add_alternative(mail.html, subtype="html")
    for attachment in mail.attachments:
        maintype, _, subtype = attachment.media_type.partition("/")
        email.add_attachment(attachment.text.encode(), maintype=maintype, subtype=subtype, filename=attachment.filename)
    return email


class WebHooks:
    """Calls of web hooks. One that does not answer is not called again in this round: many events would wait for it."""

    def __init__(self) -> None:
        self._silent: dict[str, str] = {}

    def call(self, call: WebCall) -> None:
        """POST an event, or nothing but the call. An answer of any status counts as delivered (spec core 1.7)."""
        import httpx

        if call.url in self._silent:
            raise NotDelivered(self._silent[call.url])
        fields = call.fields
        try:
            with httpx.Client(verify=call.verify, timeout=WEB_HOOK_TIMEOUT) as client:
                if fields is None:
                    client.post(call.url)
                elif call.form:
                    client.post(call.url, data=fields | {"context": json.dumps(fields.get("context"))})
                else:
                    client.post(call.url, json=fields)
        except httpx.InvalidURL as error:
            raise NotDelivered(f"web hook: {error}", final=True) from None
        except httpx.HTTPError as error:
            self._silent[call.url] = f"web hook: {type(error).__name__}: {error}"
            raise NotDelivered(self._silent[call.url]) from None


def _size(mail: Mail) -> str:
    return f"the mail has {len(bytes(as_email(mail))) / 2**20:.0f} MiB, more than the server takes"


def _answers(refused: Mapping[str, tuple[int, bytes]]) -> str:
    return "; ".join(f"{address}: {code}" for address, (code, _) in refused.items())


# Answers of Waldur that another try, or a corrected token, may change.
PASSING_ANSWERS = frozenset({401, 403, 408, 425, 429})


def call_waldur(api: WaldurApi, call: ApiCall) -> None:
    """POST to Waldur's API as the user of the token. Raises NotDelivered, for good when Waldur refuses the call."""
    import httpx

    headers = {"Authorization": f"Token {api.token.get_secret_value()}"}
    try:
        answer = httpx.post(f"{api.url}{call.path}", json=call.body, headers=headers, timeout=api.timeout)
    except httpx.HTTPError as error:
        raise NotDelivered(f"Waldur's API: {type(error).__name__}: {error}") from None
    if not answer.is_success:
        final = answer.is_client_error and answer.status_code not in PASSING_ANSWERS
        raise NotDelivered(f"Waldur's API answers {answer.status_code}: {answer.text[:200]}", final=final)


def _plain(error: Exception) -> str:
    """What happened, without what the server said at length."""
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{type(error).__name__} {error.smtp_code}"
    return f"{type(error).__name__}: {error}"
