"""Texts, addresses and terms of offerings made what their remotes say (spec remote 3, writes 1 and 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import and_, func, select, update

from waldur_dagster.platform.cascade import delete_with_dependants
from waldur_dagster.platform.merge import Merge
from waldur_dagster.remote.catalogue import OFFERING_FIELDS
from waldur_dagster.remote.component_rows import Pulled
from waldur_dagster.schema import marketplace
from waldur_dagster.work import Work

offering, endpoint, terms = marketplace.offering, marketplace.offeringaccessendpoint, marketplace.offeringtermsofservice
# Options that say what may be asked for here: newer versions keep their own.
OWN_OPTIONS = ("enable_resource_end_date_change_requests", "enable_resource_limit_change_requests")


def merge_fields(work: Work, pulled: Sequence[Pulled], extra: Mapping[int, Mapping[str, Any]] | None = None) -> None:
    """Write what differs, and nothing else: what the remote does not say of an offering stays as it is.

    ``extra`` are more columns by offering, the same ones for all.
    """
    if not pulled:
        return
    rows = [{"id": one.offering_id} | fitted(work, one.catalogue.fields) for one in pulled]
    options = _own_options(work, [one.offering_id for one in pulled])
    for row in rows:
        if "plugin_options" in row and isinstance(row["plugin_options"], dict):
            row["plugin_options"] = row["plugin_options"] | options[row["id"]]
        row.update((extra or {}).get(row["id"], {}))
    said = [name for name in OFFERING_FIELDS if any(name in row for row in rows)]
    more = list(next(iter(extra.values()))) if extra else []
    scope = offering.c.id.in_([row["id"] for row in rows])
    made = Merge(work, offering, rows, key=["id"], columns=[*said, *more], scope=scope)
    values = {name: func.coalesce(made.pulled.c[name], offering.c[name]) for name in said}
    made.update(values | {name: made.pulled.c[name] for name in more}, also={"modified": work.as_of})


def fitted(work: Work, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that the site has columns for, texts as long as these can hold.

    Plugin options are taken over by newer versions only: up to 2024 they say how the offering works here.
    """
    here = work.schema.tables[offering.name]
    names = [name for name in OFFERING_FIELDS if name in fields and name in here]
    if not work.schema.has_column(offering.c.access_url):
        names = [name for name in names if name != "plugin_options"]
    return {name: _cut(fields[name], here[name].length) for name in names}


def _cut(value: Any, length: int | None) -> Any:
    return value[:length] if isinstance(value, str) else value


def _own_options(work: Work, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    rows = work.connection.execute(select(offering.c.id, offering.c.plugin_options).where(offering.c.id.in_(ids)))
    return {
        row.id: {key: value for key, value in (row.plugin_options or {}).items() if key in OWN_OPTIONS} for row in rows
    }


def merge_endpoints(work: Work, pulled: Sequence[Pulled]) -> None:
    """Addresses of offerings by their URL; where the remote tells of none at all, they stay."""
    told = [one for one in pulled if one.catalogue.endpoints is not None]
    rows = {}
    for one in told:
        for found in one.catalogue.endpoints or ():
            if work.schema.holds(endpoint.c.url, found.url):
                name = _cut(found.name, work.schema.tables[endpoint.name]["name"].length)
                rows[one.offering_id, found.url] = {"offering_id": one.offering_id, "url": found.url, "name": name}
            else:
                work.outcome.warn(one.name, "an access endpoint has an address that is too long here")
    if told:
        scope = endpoint.c.offering_id.in_([one.offering_id for one in told])
        made = Merge(work, endpoint, list(rows.values()), key=["offering_id", "url"], columns=["name"], scope=scope)
        made.delete(made.stale())
        made.update(["name"])
        made.insert({name: made.pulled.c[name] for name in ("offering_id", "url", "name")})


def merge_terms(work: Work, pulled: Sequence[Pulled]) -> None:
    """Terms of service of newer versions: the remote's first version is written, and none at all deletes all."""
    told = [one for one in pulled if one.catalogue.terms is not None]
    if not told or not work.schema.has(terms.name):
        return
    without = [one.offering_id for one in told if not one.catalogue.terms]
    gone = work.connection.scalars(select(terms.c.id).where(terms.c.offering_id.in_(without))).all()
    delete_with_dependants(work, terms, gone)
    rows = [{"offering_id": one.offering_id} | _terms(work, one) for one in told if one.catalogue.terms]
    if rows:
        columns = ("terms_of_service", "terms_of_service_link", "is_active", "requires_reconsent")
        scope = terms.c.offering_id.in_([row["offering_id"] for row in rows])
        made = Merge(work, terms, rows, key=["offering_id", "version"], columns=columns, scope=scope)
        # An offering has one version in force, and a unique index that says so.
        replaced = and_(scope, terms.c.is_active, terms.c.id.in_(made.stale()))
        in_force = select(made.pulled.c.offering_id).where(made.pulled.c.is_active)
        work.execute(
            update(terms)
            .where(replaced, terms.c.offering_id.in_(in_force))
            .values(is_active=False, modified=work.as_of)
        )
        made.update(columns, also={"modified": work.as_of})
        made.insert({name: made.pulled.c[name] for name in ("offering_id", "version", *columns)})


def _terms(work: Work, one: Pulled) -> dict[str, Any]:
    assert one.catalogue.terms
    found = one.catalogue.terms[0].model_dump()
    lengths = {name: column.length for name, column in work.schema.tables[terms.name].items()}
    return {name: _cut(value, lengths[name]) for name, value in found.items()} | {"version": found["version"] or "1.0"}
