"""What the sections of a deployment file may say: their keys, with defaults and what is refused."""

from __future__ import annotations

import base64
import re
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from waldur_dagster.timetable import check_cron

if TYPE_CHECKING:
    from sqlalchemy import URL

DATABASE_EXAMPLE = "postgresql://user@host:5432/name"

# Offerings whose orders are given up when they execute for too long.
INTERRUPTIBLE = ("Marketplace.Script", "OpenStack.Tenant", "OpenStack.Instance", "OpenStack.Volume")


# Offerings that Waldur itself takes over from other Waldurs.
RESOLD = ("Marketplace.Basic", "Support.OfferingTemplate", "Marketplace.Slurm", "SlurmInvoices.SlurmPackage")


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Database(Section):
    """Where the site's PostgreSQL database is.

    ``statement_timeout`` and ``lock_timeout`` are in seconds; 0 switches a limit off.
    """

    url: SecretStr
    password: SecretStr | None = None
    statement_timeout: Annotated[int, Field(ge=0)] = 1800
    lock_timeout: Annotated[int, Field(ge=0)] = 60
    connect_timeout: Annotated[int, Field(ge=1)] = 10

    @field_validator("url")
    @classmethod
    def _is_postgresql(cls, value: SecretStr) -> SecretStr:
        _check_port(value.get_secret_value())
        url = urlsplit(value.get_secret_value())
        if "://" not in value.get_secret_value():
            raise ValueError(f"is not a database URL; write {DATABASE_EXAMPLE}")
        if url.scheme.partition("+")[0] not in {"postgresql", "postgres"}:
            raise ValueError(f"names {url.scheme}; Waldur runs on PostgreSQL: {DATABASE_EXAMPLE}")
        if not url.path.strip("/"):
            raise ValueError(f"names no database; write {DATABASE_EXAMPLE}")
        return value

    @property
    def name(self) -> str:
        """The name of the database."""
        return unquote(urlsplit(self.url.get_secret_value()).path.strip("/"))

    @property
    def sqlalchemy_url(self) -> URL:
        from sqlalchemy import make_url

        url = make_url(self.url.get_secret_value()).set(drivername="postgresql+psycopg")
        return url.set(password=self.password.get_secret_value()) if self.password else url


class MailServer(Section):
    """How mails leave: an SMTP server, or a folder that takes them as .eml files.

    ``timeout``: seconds for connecting and logging in, and again for naming a mail's sender and recipients.
    ``answer_timeout``: seconds for the mail itself and the server's answer to it, ten minutes as RFC 5321 (4.5.3.2.6)
    asks, since a mail whose answer was not waited for may have been taken.
    """

    host: str = "localhost"
    port: Annotated[int, Field(ge=1, le=65535)] = 25
    security: Literal["none", "starttls", "tls"] = "none"
    user: str | None = None
    password: SecretStr | None = None
    timeout: Annotated[float, Field(gt=0)] = 30
    answer_timeout: Annotated[float, Field(gt=0)] = 600
    directory: Path | None = None


class WebHooks(Section):
    """Calls of addresses that users chose.

    ``timeout``: seconds for a whole call, with all its redirections. ``private_networks``: networks of private and
    loopback addresses that may be called; public ones always may.
    """

    timeout: Annotated[float, Field(gt=0)] = 20
    private_networks: tuple[IPv4Network | IPv6Network, ...] = ()


class Outbox(Section):
    """How many days messages that were delivered or dropped are kept, and how many their keys.

    A key that is known is never sent again; so a run for an instant that lies further back than ``keep_keys_days`` may
    send again what was sent at the time.
    """

    keep_days: Annotated[int, Field(ge=1)] = 90
    keep_keys_days: Annotated[int, Field(ge=1)] = 3650


class Celery(Section):
    """Waldur's own Celery: the broker, for work that is handed over to its workers, and the store of their results.

    ``queue`` takes all tasks, where the queues that Waldur's own settings name were given other names.
    """

    broker_url: SecretStr | None = None
    queue: str | None = None
    result_store_url: SecretStr | None = None

    @field_validator("broker_url")
    @classmethod
    def _is_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and "://" not in value.get_secret_value():
            raise ValueError("is no URL; write amqp://user:password@host:5672/name or redis://host:6379/0")
        return value

    @field_validator("broker_url", "result_store_url")
    @classmethod
    def _have_a_port(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            _check_port(value.get_secret_value())
        return value


class Encryption(Section):
    """Keys of the secrets that Waldur keeps encrypted in its database.

    ``keys`` are Waldur's FIELD_ENCRYPTION_KEY and FIELD_ENCRYPTION_KEY_FALLBACKS (several may stand in one text, with
    commas between them): the first encrypts, all of them open. ``secret_key`` is Waldur's SECRET_KEY, of which the
    last key is made.
    """

    keys: tuple[SecretStr, ...] = ()
    secret_key: SecretStr | None = None

    @field_validator("keys")
    @classmethod
    def _are_keys(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        keys = [key.strip() for text in value for key in text.get_secret_value().split(",") if key.strip()]
        for number, key in enumerate(keys, 1):
            if not _is_fernet_key(key):
                raise ValueError(f"number {number} is no key: 32 bytes in URL-safe base64, 44 characters, are wanted")
        return tuple(SecretStr(key) for key in keys)


class Alerts(Section):
    """Who is told by mail when a job begins to fail, and when it works again."""

    to: tuple[str, ...] = ()

    @field_validator("to")
    @classmethod
    def _are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            if not re.fullmatch(r"[^@\s]+@[^@\s]+", address):
                raise ValueError(f"{address!r} is no mail address")
        return value


class Retention(Section):
    """After how many days Dagster's history and report files are removed; 0 keeps them for ever."""

    runs_days: Annotated[int, Field(ge=0)] = 90
    ticks_days: Annotated[int, Field(ge=0)] = 30
    reports_days: Annotated[int, Field(ge=0)] = 730


class Telemetry(Section):
    """What telemetry tells of the Waldur that is served; it is sent only where the site has switched it on."""

    waldur_version: str = "unknown"
    deployment_type: str = "other"


class ScriptContainers(Section):
    """How operators' scripts are run in containers: how many at once, and what each may use.

    ``time_limit`` is in seconds; in Kubernetes Waldur's K8S_JOB_TIMEOUT holds instead. ``output_limit`` is in bytes,
    ``memory`` in MiB, ``cpus`` in cores. In Docker Waldur's DOCKER_RUN_OPTIONS win over the last two.
    """

    parallel: Annotated[int, Field(ge=1)] = 4
    time_limit: Annotated[float, Field(gt=0)] = 1800
    output_limit: Annotated[int, Field(ge=1024)] = 2**20
    memory: Annotated[int, Field(ge=16)] = 512
    cpus: Annotated[float, Field(gt=0)] = 1


class SiteAgents(Section):
    """How site agents are told, beside Waldur's own setting RABBITMQ.

    ``amqp_port``: where RabbitMQ is asked which queues there are; 0: they are taken to be there.
    """

    amqp_port: Annotated[int, Field(ge=0, le=65535)] = 5672


class RancherOptions(Section):
    """What is done at Rancher and its Keycloak beyond what Waldur itself does.

    ``bill_unchanged_months``: the first run of a month counts the nodes of every cluster, also of those in which
    nothing has changed; without it such a month is not billed, as in Waldur. ``delete_unknown_groups``: Keycloak groups
    of clusters and projects that this database does not know are deleted too; only for a realm of this Waldur alone.
    """

    bill_unchanged_months: bool = False
    delete_unknown_groups: bool = False


class WaldurApi(Section):
    """Waldur's REST API, to end resources and approve orders through it instead of through the broker.

    ``url`` is the site's address without ``/api``; ``token`` is that of a staff user, who then is the author of the
    orders. ``timeout`` is in seconds.
    """

    url: str
    token: SecretStr
    timeout: Annotated[float, Field(gt=0)] = 60

    @field_validator("url")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if not value.startswith(("https://", "http://")):
            raise ValueError("is no address; write https://waldur.example.com")
        _check_port(value)
        return value.rstrip("/").removesuffix("/api")


class RemoteWaldurs(Section):
    """Other Waldurs whose offerings the site resells.

    ``verify_tls``: whether their certificates are checked. ``may_lose``: the share, from 0 to 1, of what is known of
    one of them (components, members, accounts) that may go in one run; from ten things on, more is refused.
    ``offering_types`` are what is taken over from those that the site's administrators have configured.
    """

    verify_tls: bool = True
    may_lose: Annotated[float, Field(ge=0, le=1)] = 0.5
    offering_types: tuple[str, ...] = RESOLD


class Azure(Section):
    """Where Azure is: the addresses of its login and its resource manager, for clouds other than the public one."""

    login_url: str = "https://login.microsoftonline.com"
    api_url: str = "https://management.azure.com"

    @field_validator("login_url", "api_url")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if not value.startswith("https://"):
            raise ValueError("is no address; write https://management.usgovcloudapi.net")
        _check_port(value)
        return value.rstrip("/")


class EntryOptions(Section):
    """What a deployment says about one entry; None leaves the family's word in force.

    ``superseded`` = "run": also where the site's Waldur does the entry's work in another way.
    """

    registered: bool | None = None
    running: bool | None = None
    schedule: str | None = None
    superseded: Literal["run"] | None = None

    @field_validator("schedule")
    @classmethod
    def _can_be_kept(cls, value: str | None) -> str | None:
        return value if value is None else check_cron(value)


def _is_fernet_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text, altchars=b"-_", validate=True)) == 32
    except ValueError:
        return False


def _check_port(url: str) -> None:
    """Raises ValueError when an address has a port that is none; of several addresses, the first one."""
    try:
        port = urlsplit(url.partition(";")[0].partition(",")[0]).port if "://" in url else None
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError("has a port that is no number from 1 to 65535")
