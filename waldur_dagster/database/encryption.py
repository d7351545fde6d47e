"""Secrets that newer versions of Waldur keep encrypted: passwords, tokens, secret options (spec newer 4).

A stored secret is clear text or a Fernet token, and the reader tells by its look, as Waldur does. What is written back
is encrypted where the site encrypts. No text, log or repr that is made here holds a secret, open or closed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Connection, text

from waldur_dagster.database.site_schema import SiteSchema
from waldur_dagster.deployment_sections import Encryption
from waldur_dagster.words import keep_secret

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

# How every Fernet token begins: the version, then the first bytes of a time stamp.
TOKEN = "gAAAA"  # noqa: S105  the mark, no token
_TOKENS = "SELECT {place.column} FROM {place.table} WHERE {place.column}::text LIKE :pattern"
_SECRET_KEY = re.compile(r"(.*_)?(password|token|secret)")


class NotOpened(Exception):
    """A stored secret is encrypted, and no key of the deployment opens it; the text says where, never what."""


def is_token(stored: object) -> bool:
    return isinstance(stored, str) and stored.startswith(TOKEN)


def is_secret_option(key: str) -> bool:
    """Whether Waldur encrypts the value of this key in options of service settings."""
    return _SECRET_KEY.fullmatch(key) is not None


def is_secret_of_offering(key: str) -> bool:
    """Whether Waldur encrypts the value of this key in an offering's secret options."""
    return is_secret_option(key) or key == "argocd_k8s_kubeconfig"


@dataclass(frozen=True)
class Place:
    """A column with secrets, and (without its number) the migration since which Waldur encrypts them.

    ``form``: the ``whole`` value is a secret, or it is an ``object`` (jsonb) or ``text`` (JSON as text) of which the
    values of some keys are: those that ``is_secret`` names.
    """

    table: str
    column: str
    migration: str  # of the app that the table's name begins with
    form: Literal["whole", "object", "text"] = "whole"
    is_secret: Callable[[str], bool] = is_secret_option

    def __str__(self) -> str:
        return f"{self.table}.{self.column}"

    @property
    def app(self) -> str:
        return self.table.split("_")[0]


OFFERING_SECRETS = Place(
    "marketplace_offering", "secret_options", "encrypt_existing_secret_options", "object", is_secret_of_offering
)
SERVICE_PASSWORD = Place("structure_servicesettings", "password", "encrypt_servicesettings_credentials")
SERVICE_TOKEN = Place("structure_servicesettings", "token", "encrypt_servicesettings_credentials")
SERVICE_OPTIONS = Place("structure_servicesettings", "options", "encrypt_servicesettings_options", "text")
PLACES = (OFFERING_SECRETS, SERVICE_PASSWORD, SERVICE_TOKEN, SERVICE_OPTIONS)


class Keys:
    """The keys of a deployment: the first encrypts, all of them open; the one of SECRET_KEY comes last."""

    def __init__(self, options: Encryption):
        self._options = options

    def __len__(self) -> int:
        return len(self._options.keys) + (self._options.secret_key is not None)

    def open(self, token: str) -> bool:
        """Whether one of them opens a token."""
        try:
            self.opened(token, "")
        except NotOpened:
            return False
        return True

    def opened(self, stored: Any, where: str) -> Any:
        """The plain value of a stored one. Raises NotOpened, which names ``where`` it was read."""
        if not is_token(stored):
            return stored
        from cryptography.fernet import InvalidToken

        if not len(self):
            raise NotOpened(f"{where} is encrypted, and the deployment has no keys ([encryption] keys, secret_key)")
        try:
            plain = self._fernet.decrypt(stored.encode()).decode()
        except (InvalidToken, UnicodeError):
            raise NotOpened(f"{where} is encrypted, and no key of [encryption] opens it") from None
        keep_secret(plain)
        return plain

    def closed(self, plain: Any, where: str) -> Any:
        """The value as Waldur encrypts it: empty texts and what is no text stay as they are. Raises NotOpened."""
        if not isinstance(plain, str) or not plain:
            return plain
        if not len(self):
            raise NotOpened(f"{where} has to be encrypted, and the deployment has no keys ([encryption] keys)")
        return self._fernet.encrypt(plain.encode()).decode()

    @cached_property
    def _fernet(self) -> MultiFernet:
        from cryptography.fernet import Fernet, MultiFernet

        keys = [key.get_secret_value().encode() for key in self._options.keys]
        if self._options.secret_key is not None:
            digest = hashlib.sha256(self._options.secret_key.get_secret_value().encode()).digest()
            keys.append(base64.urlsafe_b64encode(digest))
        return MultiFernet([Fernet(key) for key in keys])


class Secrets:
    """Reads and writes the secrets of one site's columns; values go in and come out plain."""

    def __init__(self, connection: Connection, schema: SiteSchema, options: Encryption):
        self._connection, self._schema = connection, schema
        self.keys = Keys(options)
        self._encrypting: dict[Place, bool] = {}

    def opened(self, place: Place, stored: Any) -> Any:
        """The plain value of a column: a text, or the object with its secrets open.

        Raises NotOpened, and ValueError when a text that should be a JSON object is none.
        """
        if place.form == "whole":
            plain = self.keys.opened(stored, str(place))
            keep_secret(plain)
            return plain
        values = _object(place, stored)
        opened = {
            key: self.keys.opened(value, f"{place}, key {key}") if place.is_secret(key) else value
            for key, value in values.items()
        }
        keep_secret(*(value for key, value in opened.items() if place.is_secret(key)))
        return opened

    def stored(self, place: Place, plain: Any) -> Any:
        """What to write into a column: encrypted where the site encrypts. Raises NotOpened without a key."""
        if self.encrypts(place):
            if place.form == "whole":
                plain = self.keys.closed(plain, str(place))
            else:
                plain = {
                    key: self.keys.closed(value, f"{place}, key {key}") if place.is_secret(key) else value
                    for key, value in plain.items()
                }
        return json.dumps(plain) if place.form == "text" else plain

    def same(self, place: Place, stored: Any, plain: Any) -> bool:
        """Whether a stored value is this plain one: no two encryptions of a value are alike. Raises NotOpened."""
        return bool(self.opened(place, stored) == plain)

    def encrypts(self, place: Place) -> bool:
        """Whether the site's Waldur encrypts this column: its migration was applied, or there are tokens in it."""
        if place not in self._encrypting:
            self._encrypting[place] = self.migrated(place.app, place.migration) or self._has_tokens(place)
        return self._encrypting[place]

    def migrated(self, app: str, migration: str) -> bool:
        """Whether a migration was applied, by its name: its number differs between versions of Waldur."""
        if not self._schema.has("django_migrations"):
            return False
        applied = text("SELECT EXISTS (SELECT FROM django_migrations WHERE app = :app AND name LIKE :name)")
        return bool(self._connection.scalar(applied, {"app": app, "name": f"%{migration}"}))

    def locked(self) -> list[str]:
        """The columns with tokens that no key opens, each with the number of its rows."""
        found = []
        for place in PLACES:
            if rows := sum(not self._opens(place, stored) for stored in self._with_tokens(place)):
                found.append(f"{place} ({rows} {'row' if rows == 1 else 'rows'})")
        return found

    def _opens(self, place: Place, stored: Any) -> bool:
        try:
            self.opened(place, stored)
        except NotOpened:
            return False
        except ValueError:
            pass  # malformed, which no key would mend
        return True

    def _has_tokens(self, place: Place) -> bool:
        if not self._schema.has(place.table, place.column):
            return False
        return bool(self._connection.scalar(text(f"SELECT EXISTS ({_TOKENS.format(place=place)})"), _pattern(place)))

    def _with_tokens(self, place: Place) -> Iterator[Any]:
        """The values of a column that may hold tokens."""
        if self._schema.has(place.table, place.column):
            statement = text(_TOKENS.format(place=place))
            yield from self._connection.execute(
                statement, _pattern(place), execution_options={"yield_per": 1000}
            ).scalars()


def _pattern(place: Place) -> dict[str, str]:
    return {"pattern": f"{TOKEN}%" if place.form == "whole" else f'%"{TOKEN}%'}


def _object(place: Place, stored: Any) -> Mapping[str, Any]:
    if place.form == "text":
        try:
            stored = json.loads(stored) if stored else {}
        except ValueError:
            raise ValueError(f"{place} is no JSON") from None
    if stored is None:
        return {}
    if not isinstance(stored, Mapping):
        raise ValueError(f"{place} is no JSON object")
    return stored
