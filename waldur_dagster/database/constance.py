"""Settings that administrators keep in the database with django-constance (spec core 1.9)."""

from __future__ import annotations

import base64
import io
import json
import pickle
import re
import uuid
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, text

from waldur_dagster.database.encryption import NotOpened, Secrets, is_token
from waldur_dagster.database.site_schema import SiteSchema
from waldur_dagster.deployment import Deployment
from waldur_dagster.settings import IN_DATABASE, BadSetting, Settings, Unusable
from waldur_dagster.words import keep_secret

# Waldur's defaults of the keys in use; a key without a row has its default, and reading never writes one.
DEFAULTS: dict[str, Any] = {
    "SITE_NAME": "Waldur",
    "SITE_EMAIL": "",
    "SITE_PHONE": "",
    "SITE_LOGO": "",
    "CURRENCY_NAME": "EUR",
    "WALDUR_SUPPORT_ENABLED": True,
    "WALDUR_SUPPORT_ACTIVE_BACKEND_TYPE": "atlassian",
    "COMMON_FOOTER_TEXT": "",
    "COMMON_FOOTER_HTML": "",
    "ENABLE_ORDER_START_DATE": False,
    "AFFILIATES_ENABLED": False,
    "ENFORCE_USER_CONSENT_FOR_OFFERINGS": False,
    "ATLASSIAN_API_URL": "http://example.com/",
    "ATLASSIAN_USERNAME": "USERNAME",
    "ATLASSIAN_PASSWORD": "PASSWORD",
    "ATLASSIAN_EMAIL": "",
    "ATLASSIAN_TOKEN": "",
    "ATLASSIAN_PERSONAL_ACCESS_TOKEN": "",
    "ATLASSIAN_OAUTH2_CLIENT_ID": "",
    "ATLASSIAN_OAUTH2_ACCESS_TOKEN": "",
    "ATLASSIAN_PROJECT_ID": "",
    "ATLASSIAN_USE_OLD_API": False,
    "ATLASSIAN_USE_AUTOMATIC_REQUEST_MAPPING": True,
    "ATLASSIAN_STRANGE_SETTING": 1,
    "ATLASSIAN_PULL_PRIORITIES": True,
    "ZAMMAD_API_URL": "",
    "ZAMMAD_TOKEN": "",
}

# django-constance renamed its table in version 3; those of Waldur's versions that have it keep settings there.
_NEW_TABLE, _OLD_TABLE = "constance_constance", "constance_config"

# Settings of Atlassian's that those versions no longer know: rows that an upgrade left mean nothing (spec newer, 3).
_GONE = frozenset({"ATLASSIAN_STRANGE_SETTING", "ATLASSIAN_PULL_PRIORITIES", "ATLASSIAN_USE_AUTOMATIC_REQUEST_MAPPING"})

# Settings that Waldur declares as secrets, and encrypts since core 0053 (spec newer 4).
_SECRET = re.compile(
    r"FREEIPA_PASSWORD|REMOTE_EDUTEAMS_REFRESH_TOKEN|ZAMMAD_TOKEN|SMAX_PASSWORD|SCIM_API_KEY|OIDC_CLIENT_SECRET"
    r"|ATLASSIAN_(PASSWORD|TOKEN|PERSONAL_ACCESS_TOKEN|OAUTH2_(CLIENT_ID|CLIENT_SECRET|ACCESS_TOKEN))"
    r"|\w+_WEBHOOK_SHARED_SECRET|(ONBOARDING|AI|MATRIX)_\w+"
)

_JSON_TYPES: dict[str, Callable[[Any], Any]] = {
    "default": lambda value: value,
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "decimal": Decimal,
    "uuid": uuid.UUID,
    "timedelta": lambda value: timedelta(seconds=value),
}

_PLAIN = {
    ("datetime", "date"),
    ("datetime", "datetime"),
    ("datetime", "time"),
    ("datetime", "timedelta"),
    ("decimal", "Decimal"),
    ("uuid", "UUID"),
}


class BadConstanceValue(BadSetting):
    """A value in the settings table that is neither a pickle of a plain value nor constance's JSON."""


class _PlainUnpickler(pickle.Unpickler):
    """Unpickles plain values only: whoever can write a row of settings must not run code here."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _PLAIN:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is not a plain value")


def decode(value: str) -> Any:
    """A stored value: base64 of a pickle (before constance 4), or JSON with a type. Raises BadConstanceValue."""
    try:
        if value.lstrip().startswith("{"):
            typed = json.loads(value)
            return _JSON_TYPES[typed["__type__"]](typed["__value__"])
        return _PlainUnpickler(io.BytesIO(base64.b64decode(value, validate=True))).load()
    except Exception as error:  # a malformed pickle may raise anything
        # Other errors may quote the value, which may be a secret.
        reason = str(error) if isinstance(error, pickle.UnpicklingError) else type(error).__name__
        raise BadConstanceValue(f"neither a pickle of a plain value nor constance's JSON: {reason}") from None


def settings_in_force(deployment: Deployment, constance: Constance) -> Settings:
    """Waldur's settings: those of the deployment file, under those that newer versions keep in the database."""
    return Settings(deployment.waldur, constance.given(IN_DATABASE), in_database=constance.keeps_settings)


class Constance:
    """Settings by key: ``constance["SITE_NAME"]``, secrets in clear.

    Raises BadConstanceValue naming the key of a row that is malformed, or encrypted and not opened by any key.
    """

    def __init__(self, connection: Connection, schema: SiteSchema, secrets: Secrets):
        self.keeps_settings = schema.has(_NEW_TABLE)
        table = next((name for name in (_NEW_TABLE, _OLD_TABLE) if schema.has(name)), None)
        rows = connection.execute(text(f"SELECT key, value FROM {table}")).all() if table else []
        self._stored: dict[str, str | None] = {row.key: row.value for row in rows}
        self._secrets = secrets

    def __getitem__(self, key: str) -> Any:
        if key not in DEFAULTS:
            raise KeyError(f"no default is known for the constance setting {key}")
        is_gone = self.keeps_settings and key in _GONE
        stored = None if is_gone else self._stored.get(key)
        return DEFAULTS[key] if stored is None else self._opened(key, stored)

    def given(self, keys: Iterable[str]) -> dict[str, Any]:
        """Those of ``keys`` that have a value: settings that only newer versions of Waldur keep in the database.

        One that cannot be used is Unusable here, so that it stops only those who want it.
        """
        found: dict[str, Any] = {}
        for key in keys:
            if (stored := self._stored.get(key)) is not None:
                try:
                    found[key] = self._opened(key, stored)
                except BadConstanceValue as problem:
                    found[key] = Unusable(str(problem))
        return found

    def locked(self) -> list[str]:
        """The secret settings that are encrypted and that no key opens."""
        tokens = {key: token for key in sorted(self._stored) if (token := self._token(key))}
        return [f"setting {key}" for key, token in tokens.items() if not self._secrets.keys.open(token)]

    def encoded(self, key: str, value: Any) -> str:
        """A plain value (text, number, bool, list, object) as the site stores it, a secret encrypted where it does so.

        Raises NotOpened when a secret has to be encrypted and there is no key.
        """
        if _SECRET.fullmatch(key) and self._encrypts():
            value = self._secrets.keys.closed(value, f"the setting {key}")
        if self._stored_as_json():
            return json.dumps({"__type__": "default", "__value__": value})
        return base64.b64encode(pickle.dumps(value)).decode()

    def _encrypts(self) -> bool:
        return self._secrets.migrated("core", "encrypt_constance_secrets") or any(map(self._token, self._stored))

    def _stored_as_json(self) -> bool:
        """Constance 4 stores JSON; before that, in the table of either name, pickles were stored."""
        values = [stored for stored in self._stored.values() if stored]
        return any(stored.startswith("{") for stored in values) if values else self.keeps_settings

    def _token(self, key: str) -> str | None:
        """The value of a secret setting, when it is encrypted."""
        stored = self._stored.get(key)
        if stored is None or not _SECRET.fullmatch(key):
            return None
        try:
            value = self._decoded(key, stored)
        except BadConstanceValue:
            return None
        return value if is_token(value) else None

    def _opened(self, key: str, stored: str) -> Any:
        value = self._decoded(key, stored)
        if not _SECRET.fullmatch(key):
            return value
        try:
            plain = self._secrets.keys.opened(value, f"The site's setting {key}")
        except NotOpened as problem:
            raise BadConstanceValue(str(problem)) from None
        keep_secret(plain)  # older versions of Waldur keep them in clear
        return plain

    def _decoded(self, key: str, stored: str) -> Any:
        try:
            return decode(stored)
        except BadConstanceValue as error:
            raise BadConstanceValue(f"The site's setting {key} is malformed: {error}") from None
