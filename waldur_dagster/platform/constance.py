"""Settings that administrators keep in the database with django-constance (spec core 1.9)."""

from __future__ import annotations

import base64
import io
import json
import pickle
import uuid
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, text

from waldur_dagster.deployment import Deployment
from waldur_dagster.platform.site_schema import SiteSchema
from waldur_dagster.settings import IN_DATABASE, Settings

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
}

# django-constance renamed its table in version 3.
_TABLES = ("constance_constance", "constance_config")

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


class BadConstanceValue(Exception):
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
    return Settings(deployment.waldur, constance.given(IN_DATABASE))


class Constance:
    """Settings by key: ``constance["SITE_NAME"]``. Raises BadConstanceValue naming the key of a malformed row."""

    def __init__(self, connection: Connection, schema: SiteSchema):
        table = next((name for name in _TABLES if schema.has(name)), None)
        rows = connection.execute(text(f"SELECT key, value FROM {table}")).all() if table else []
        self._stored: dict[str, str | None] = {row.key: row.value for row in rows}

    def __getitem__(self, key: str) -> Any:
        if key not in DEFAULTS:
            raise KeyError(f"no default is known for the constance setting {key}")
        stored = self._stored.get(key)
        return DEFAULTS[key] if stored is None else self._decoded(key, stored)

    def _decoded(self, key: str, stored: str) -> Any:
        try:
            return decode(stored)
        except BadConstanceValue as error:
            raise BadConstanceValue(f"The site's setting {key} is malformed: {error}") from None

    def given(self, keys: Iterable[str]) -> dict[str, Any]:
        """Those of ``keys`` that have a value: settings that only newer versions of Waldur keep in the database."""
        return {key: self._decoded(key, stored) for key in keys if (stored := self._stored.get(key)) is not None}
