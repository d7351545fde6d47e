"""What the events' contexts say of the objects that they are about (spec core 1.6, marketplace 0.4).

A context is a flat JSON object. Waldur writes most values as the text that Python prints for them: ``"None"``,
``"True"``, times in ISO 8601; JSON stays JSON, and amounts are numbers.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Double, Text, case, cast, func, literal, literal_column
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.platform.expressions import hex_of, json_object, merged

NONE = "None"
NOTHING = literal_column("'{}'::jsonb", JSONB)


def python_bool(value: ColumnElement[Any]) -> ColumnElement[str]:
    return case((value.is_(None), NONE), (value, "True"), else_="False")


def python_text(value: ColumnElement[Any]) -> ColumnElement[str]:
    """The text of a number or a date; ``None`` for NULL."""
    return func.coalesce(cast(value, Text), NONE)


def python_time(value: ColumnElement[Any]) -> ColumnElement[str]:
    """An instant in ISO 8601 in UTC, microseconds only where there are some, as Python writes it."""
    utc = func.timezone("UTC", value)
    fraction = case((func.to_char(utc, "US") == "000000", ""), else_=func.to_char(utc, ".US"))
    text = func.concat(func.to_char(utc, 'YYYY-MM-DD"T"HH24:MI:SS'), fraction, "+00:00")
    return case((value.is_(None), NONE), else_=text)


def amount(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """A decimal as a JSON number; the text ``None`` for NULL."""
    return func.coalesce(func.to_jsonb(cast(value, Double)), func.to_jsonb(literal(NONE, Text)))


def full_name(user: Any) -> ColumnElement[str]:
    return func.trim(func.concat(user.c.first_name, " ", user.c.last_name))


def customer_context(customer: Any, prefix: str = "customer") -> ColumnElement[Any]:
    """The ``customer_*`` keys; ``customer`` is the table structure_customer or an alias of it."""
    return json_object(
        **{
            f"{prefix}_uuid": hex_of(customer.c.uuid),
            f"{prefix}_name": customer.c.name,
            f"{prefix}_abbreviation": customer.c.abbreviation,
            f"{prefix}_contact_details": customer.c.contact_details,
        }
    )


def project_context(project: Any, prefix: str = "project") -> ColumnElement[Any]:
    """The ``project_*`` keys; the project's customer has keys of its own."""
    return json_object(
        **{
            f"{prefix}_uuid": hex_of(project.c.uuid),
            f"{prefix}_name": project.c.name,
            f"{prefix}_end_date": python_text(project.c.end_date),
        }
    )


def settings_context(settings: Any) -> ColumnElement[Any]:
    """The ``service_settings_*`` keys; ``settings`` is the table structure_servicesettings or an alias of it."""
    known = json_object(
        service_settings_uuid=hex_of(settings.c.uuid),
        service_settings_name=settings.c.name,
        service_settings_type=settings.c.type,
    )
    shared = case((settings.c.customer_id.is_(None), json_object(service_settings_customer=NONE)), else_=NOTHING)
    return merged(known, shared)


def user_context(user: Any, prefix: str = "user", *, missing: str | None = None) -> ColumnElement[Any]:
    """The keys of a user. For a user that is not there: the one key ``missing`` with the text None, or no key."""
    known = json_object(
        **{
            f"{prefix}_uuid": hex_of(user.c.uuid),
            f"{prefix}_username": user.c.username,
            f"{prefix}_full_name": full_name(user),
            f"{prefix}_native_name": user.c.native_name,
            f"{prefix}_is_staff": python_bool(user.c.is_staff),
            f"{prefix}_is_support": python_bool(user.c.is_support),
            f"{prefix}_token_lifetime": python_text(user.c.token_lifetime),
        }
    )
    absent = json_object(**{missing: NONE}) if missing else NOTHING
    return case((user.c.id.is_(None), absent), else_=known)


def named_context(thing: Any, prefix: str) -> ColumnElement[Any]:
    """The keys of an object of which only uuid and name are told: an offering, a plan, a call, a proposal."""
    return json_object(**{f"{prefix}_uuid": hex_of(thing.c.uuid), f"{prefix}_name": thing.c.name})


def optional_context(thing: Any, prefix: str, *, missing: str) -> ColumnElement[Any]:
    """As ``named_context``, of an object that may be absent: then the key ``missing`` says None."""
    return case((thing.c.id.is_(None), json_object(**{missing: NONE})), else_=named_context(thing, prefix))


def invoice_context(invoice: Any) -> ColumnElement[Any]:
    """The keys of an invoice, which only newer versions write; its year and month are texts."""
    return json_object(
        invoice_uuid=hex_of(invoice.c.uuid),
        invoice_year=cast(invoice.c.year, Text),
        invoice_month=cast(invoice.c.month, Text),
    )
