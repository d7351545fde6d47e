"""One deployment: which Waldur site is served, and how. Read from one TOML file.

The path of the file is taken from ``WALDUR_DAGSTER_CONFIG``. Secrets do not belong in it: wherever the file wants a
string, ``{ env = "NAME" }`` takes the value of an environment variable instead.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import tomllib
from collections.abc import Collection, Iterator
from datetime import date
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails

from waldur_dagster import clock
from waldur_dagster.catalog import ADDED, CATALOG, FAMILIES
from waldur_dagster.setting_names import nearest, wrong_settings
from waldur_dagster.settings import Settings
from waldur_dagster.timetable import check_cron

if TYPE_CHECKING:
    from sqlalchemy import URL

CONFIG_VARIABLE = "WALDUR_DAGSTER_CONFIG"
DATABASE_EXAMPLE = "postgresql://user@host:5432/name"


class ConfigurationError(Exception):
    """The deployment cannot be used as it is written; the text says what is wrong, where, and what to do."""


_SECRET_NAME = re.compile(r"PASSWORD|SECRET|TOKEN(?!_URL|_LIFETIME|_CLIENT_ID)|API_KEY|PRIVATE_KEY", re.IGNORECASE)

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


class Deployment(Section):
    """All of the file. ``waldur`` holds the settings of Waldur's Django configuration under Waldur's own names.

    ``event_contexts``: whether the contexts of events have the fields that the site's own Waldur writes, or only those
    of October 2024, for receivers of web hooks that refuse what they do not know.
    ``first_month`` ("2024-05") is the first month that the site was billed for: partitions begin there.
    """

    name: str = "waldur"
    database: Database
    time_zone: str | None = None
    first_month: date | None = None
    mail: MailServer = MailServer()
    celery: Celery | None = None
    web_hooks: WebHooks = WebHooks()
    outbox: Outbox = Outbox()
    encryption: Encryption = Encryption()
    alerts: Alerts = Alerts()
    retention: Retention = Retention()
    telemetry: Telemetry = Telemetry()
    waldur_api: WaldurApi | None = None
    remote_waldurs: RemoteWaldurs = RemoteWaldurs()
    script_containers: ScriptContainers = ScriptContainers()
    site_agents: SiteAgents = SiteAgents()
    rancher: RancherOptions = RancherOptions()
    event_contexts: Literal["site", "2024"] = "site"
    owners: tuple[str, ...] = ()
    source_url: str | None = None
    refresh_reports: bool = False
    azure: Azure = Azure()
    digitalocean_url: str = "https://api.digitalocean.com/v2/"
    interruptible_offerings: tuple[str, ...] = INTERRUPTIBLE
    reports: Path = Path("reports")
    media: Path | None = None
    families: dict[str, EntryOptions] = {}
    entries: dict[str, EntryOptions] = {}
    waldur: Annotated[dict[str, Any], Field(repr=False)] = {}  # passwords are among them

    @field_validator("time_zone")
    @classmethod
    def _is_known(cls, value: str | None) -> str | None:
        if value is not None:
            _zone(value)
        return value

    @field_validator("owners")
    @classmethod
    def _are_owners(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for owner in value:
            if not re.fullmatch(r"team:\S.*|[^@\s]+@[^@\s]+\.[^@\s]+", owner):
                raise ValueError(f"{owner!r} is neither a mail address nor a team; write team:cloud")
        return value

    @field_validator("source_url")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("https://", "http://")):
            raise ValueError("is no address; write https://git.example.org/waldur-dagster/blob/main")
        return value and value.rstrip("/")

    @field_validator("first_month", mode="before")
    @classmethod
    def _is_month(cls, value: Any) -> date | None:
        if value is None or isinstance(value, date):
            return value
        found = re.fullmatch(r"(20\d\d)-(0[1-9]|1[0-2])", value) if isinstance(value, str) else None
        if found is None:
            raise ValueError(f'{value!r} is no month; write e.g. "2024-05"')
        month = date(int(found[1]), int(found[2]), 1)
        if month > clock.now().date():
            raise ValueError(f"{value} is still to come; write the first month that this site was billed for")
        return month

    @field_validator("families", "entries")
    @classmethod
    def _are_documented(cls, value: dict[str, EntryOptions], info: ValidationInfo) -> dict[str, EntryOptions]:
        known: Collection[str] = FAMILIES if info.field_name == "families" else {**CATALOG, **ADDED}
        for name in value.keys() - set(known):
            raise ValueError(f"has no {name}{nearest(name, known)}")
        return value

    def runs_superseded(self, entry: str) -> bool:
        """Whether an entry is to run even where the site's Waldur does its work in another way."""
        return entry in self.entries and self.entries[entry].superseded == "run"

    @property
    def has_broker(self) -> bool:
        return self.celery is not None and self.celery.broker_url is not None

    @property
    def settings(self) -> Settings:
        return Settings(self.waldur)

    @property
    def zone(self) -> ZoneInfo:
        """The site's time zone: ``time_zone`` of the file, else Waldur's TIME_ZONE (UTC by default)."""
        return _zone(self.time_zone or self.settings["TIME_ZONE"])

    @property
    def secrets(self) -> list[str]:
        """Every value that must not be shown: of the file, and of Waldur's settings that are named like secrets."""
        from sqlalchemy import make_url

        url = make_url(self.database.url.get_secret_value())
        in_query = [str(value) for name, value in url.query.items() if _SECRET_NAME.search(name)]
        return [
            *_secrets(self.model_dump(exclude={"waldur"})),
            *_named_secrets(self.waldur),
            str(url.password or ""),
            *in_query,
        ]

    @property
    def first_partition(self) -> date:
        """The first day of the first month that is shown: that of the file, else this year's."""
        return self.first_month or clock.now().astimezone(self.zone).date().replace(month=1, day=1)

    def options(self, entry: str, family: str) -> EntryOptions:
        """What holds for one entry: its own words over those of its family; registered, not running, by default."""
        whole, own = self.families.get(family, EntryOptions()), self.entries.get(entry, EntryOptions())

        def first(*words: bool | None) -> bool:
            return next(word for word in words if word is not None)

        return EntryOptions(
            registered=first(own.registered, whole.registered, True),
            running=first(own.running, whole.running, False),
            schedule=own.schedule,
        )


def load_deployment(path: Path | None = None) -> Deployment:
    """Read the deployment file at ``path``, or at ``WALDUR_DAGSTER_CONFIG``.

    Raises ConfigurationError when there is none, when it is not TOML, or when it says something unknown or impossible.
    """
    if path is None:
        if CONFIG_VARIABLE not in os.environ:
            raise ConfigurationError(
                f"No deployment: set {CONFIG_VARIABLE} to the path of a deployment file "
                "(deploy/waldur.example.toml shows one), or run `make demo` for a demo site."
            )
        path = Path(os.environ[CONFIG_VARIABLE])
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(f"The deployment file {path} does not exist.") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"The deployment file {path} cannot be read: {error}") from None
    return parse_deployment(document, source=str(path))


def parse_deployment(document: dict[str, Any], source: str = "deployment") -> Deployment:
    """Check a deployment given as plain data. Raises ConfigurationError naming each wrong place."""
    missing: list[str] = []
    filled = _with_environment(document, (), missing)
    if missing:
        variables = "the environment variable" if len(missing) == 1 else "these environment variables"
        raise ConfigurationError(
            f"{source} wants {variables}: {', '.join(missing)}; set {'it' if len(missing) == 1 else 'them'}."
        )
    try:
        deployment = Deployment.model_validate(filled)
    except ValidationError as error:
        raise ConfigurationError(f"{source}: {'; '.join(map(_told, error.errors(include_url=False)))}") from None
    if wrong := list(wrong_settings(deployment.waldur)):
        raise ConfigurationError(f"{source}: {'; '.join(wrong)}")
    return deployment


def _told(problem: ErrorDetails) -> str:
    """One problem with its place, and for an unknown key the nearest that is known; never the value."""
    place, words = ".".join(map(str, problem["loc"])), problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        words = f"is unknown{nearest(str(problem['loc'][-1]), _keys(problem['loc'][:-1]))}"
    return f"[{place or 'top level'}] {words}"


def _keys(path: tuple[str | int, ...]) -> list[str]:
    """The keys that may stand at a place of the file."""
    section: type[BaseModel] = Deployment
    for name in map(str, path):
        inner = section.model_fields[name].annotation if name in section.model_fields else None
        kinds = [kind for kind in (inner, *get_args(inner)) if isinstance(kind, type) and issubclass(kind, BaseModel)]
        section = kinds[0] if kinds else EntryOptions
    return list(section.model_fields)


def _with_environment(value: Any, path: tuple[str, ...], missing: list[str]) -> Any:
    """The document with the values of variables; what is not set is noted in ``missing``."""
    if isinstance(value, dict):
        if set(value) == {"env"}:
            name = str(value["env"])
            if not os.environ.get(name):
                missing.append(f"{name} for [{'.'.join(path)}]")
            return os.environ.get(name, "")
        return {key: _with_environment(item, (*path, key), missing) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_environment(item, (*path, str(n)), missing) for n, item in enumerate(value)]
    return value


def _secrets(value: Any) -> Iterator[str]:
    if isinstance(value, SecretStr):
        from sqlalchemy import make_url
        from sqlalchemy.exc import ArgumentError

        yield value.get_secret_value()
        with contextlib.suppress(ArgumentError):
            yield str(make_url(value.get_secret_value()).password or "")
    elif isinstance(value, dict):
        for item in value.values():
            yield from _secrets(item)


def _named_secrets(value: Any, name: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _named_secrets(item, str(key))
    elif isinstance(value, str) and _SECRET_NAME.search(name):
        yield value


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


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"{name!r} is no time zone; write a name such as Europe/Tallinn") from None
