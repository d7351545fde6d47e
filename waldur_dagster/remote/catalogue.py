"""What a remote says of an offering: texts, components, plans with prices, addresses, terms (spec remote 3).

``columns`` of each are those of which the remote has said something: versions of Waldur differ in what they tell, and
what a remote does not know is left as it is here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from waldur_dagster.clients.failures import ItemFailed
from waldur_dagster.clients.pictures import Picture
from waldur_dagster.clients.waldur import Amount, Document, Uuid, Words

TEXTS = (
    *("name", "description", "full_description", "terms_of_service", "terms_of_service_link", "privacy_policy_link"),
    *("getting_started", "integration_guide", "country", "access_url"),
)
OBJECTS = ("options", "resource_options", "plugin_options")
OFFERING_FIELDS = (*TEXTS, *OBJECTS)
COMPONENT_FIELDS = (
    *("name", "description", "article_code", "measured_unit", "billing_type", "min_value", "max_value", "is_boolean"),
    *("default_limit", "limit_period", "limit_amount", "limit_decimal_places"),
)
PLAN_FIELDS = ("name", "description", "article_code", "archived")


class Component(Document):
    type: Words
    name: Words
    billing_type: Words
    description: Words = ""
    article_code: Words = ""
    measured_unit: Words = ""
    min_value: Amount | None = None
    max_value: Amount | None = None
    is_boolean: bool = False
    default_limit: Amount | None = None
    limit_period: Words | None = None
    limit_amount: Amount | None = None
    limit_decimal_places: int = 0


class Plan(Document):
    """``prices`` and ``quotas`` are by the components' types."""

    uuid: Uuid
    name: Words
    description: Words = ""
    article_code: Words = ""
    archived: bool = False
    unit: Words = ""
    unit_price: Amount | None = None
    prices: dict[Words, Amount | None] = {}  # noqa: RUF012  a model's default is copied
    quotas: dict[Words, Amount | None] = {}  # noqa: RUF012


class Endpoint(Document):
    name: Words = ""
    url: Words


class Terms(Document):
    """Terms of service, which newer versions keep in versions of their own."""

    version: Words = ""
    terms_of_service: Words = ""
    terms_of_service_link: Words = ""
    is_active: bool = False
    requires_reconsent: bool = False


@dataclass(frozen=True)
class Catalogue:
    """``state`` is the remote's word; ``endpoints`` and ``terms`` are None where nothing is known of them.

    ``pictures`` are by the column they are for; None there means that the remote has none. ``notes`` are to be told.
    """

    fields: dict[str, Any]
    components: list[Component]
    component_columns: frozenset[str]
    plans: list[Plan]
    plan_columns: frozenset[str]
    state: str
    endpoints: list[Endpoint] | None = None
    terms: list[Terms] | None = None
    pictures: dict[str, Picture | None] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_catalogue(found: Mapping[str, Any]) -> Catalogue:
    """What an answer about an offering says, without its pictures. Raises ItemFailed when it is malformed."""
    components, plans = _list(found, "components"), _list(found, "plans")
    return Catalogue(
        fields=_fields(found),
        components=[Component.read(one) for one in components],
        component_columns=_known(COMPONENT_FIELDS, components),
        plans=[Plan.read(one) for one in plans],
        plan_columns=_known(PLAN_FIELDS, plans),
        state=str(found.get("state") or ""),
        endpoints=[Endpoint.read(one) for one in _list(found, "endpoints")] if "endpoints" in found else None,
    )


def old_terms(found: Mapping[str, Any]) -> list[Terms] | None:
    """The terms as versions up to 2024 tell them, in the offering itself; None where it has none."""
    terms = Terms.read({"version": "1.0", "is_active": True} | _texts(found, TEXTS[3:5]))
    return [terms] if terms.terms_of_service or terms.terms_of_service_link else None


def _fields(found: Mapping[str, Any]) -> dict[str, Any]:
    texts = _texts(found, TEXTS)
    return texts | {name: found[name] for name in OBJECTS if isinstance(found.get(name), dict | list)}


def _texts(found: Mapping[str, Any], names: Iterable[str]) -> dict[str, str]:
    return {name: str(found[name]).replace("\0", "") for name in names if found.get(name) is not None}


def _known(names: Iterable[str], items: list[Mapping[str, Any]]) -> frozenset[str]:
    return frozenset(name for name in names if all(name in item for item in items))


def _list(found: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    items = found.get(name)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ItemFailed(f"the answer about an offering has no list of {name}")
    return items
