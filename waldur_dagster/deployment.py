"""One deployment: which Waldur site is served, and how. Read from one TOML file.

The path of the file is taken from ``WALDUR_DAGSTER_CONFIG``. Secrets do not belong in it: wherever the file wants a
string, ``{ env = "NAME" }`` takes the value of an environment variable instead.
"""

from __future__ import annotations

import contextlib
import os
import re
import tomllib
from collections.abc import Collection, Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails

from waldur_dagster import clock
from waldur_dagster.catalog import ADDED, CATALOG, FAMILIES
from waldur_dagster.deployment_sections import (
    INTERRUPTIBLE,
    Alerts,
    Azure,
    Celery,
    Database,
    Encryption,
    EntryOptions,
    MailServer,
    Outbox,
    RancherOptions,
    RemoteWaldurs,
    Retention,
    ScriptContainers,
    Section,
    SiteAgents,
    Telemetry,
    WaldurApi,
    WebHooks,
)
from waldur_dagster.setting_names import nearest, wrong_settings
from waldur_dagster.settings import Settings

if TYPE_CHECKING:
    pass

CONFIG_VARIABLE = "WALDUR_DAGSTER_CONFIG"


class ConfigurationError(Exception):
    """The deployment cannot be used as it is written; the text says what is wrong, where, and what to do."""


_SECRET_NAME = re.compile(r"PASSWORD|SECRET|TOKEN(?!_URL|_LIFETIME|_CLIENT_ID)|API_KEY|PRIVATE_KEY", re.IGNORECASE)


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
    families: dict[str, EntryOptions] = Field(default_factory=dict)
    entries: dict[str, EntryOptions] = Field(default_factory=dict)
    waldur: dict[str, Any] = Field(default_factory=dict, repr=False)  # passwords are among them

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


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"{name!r} is no time zone; write a name such as Europe/Tallinn") from None
