"""The job waldur-pid-update-all-referrables: who cites an offering, as DataCite knows it (spec people)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import String, delete, func, literal, select, update

from waldur_dagster.clients.datacite import DataCite
from waldur_dagster.clients.failures import ItemFailed, NotFound, VisitFailed
from waldur_dagster.datacite.offerings import Named, stops
from waldur_dagster.platform.expressions import given_rows
from waldur_dagster.schema import marketplace, pid
from waldur_dagster.site import Transactions
from waldur_dagster.visits import Circuit, Partly, Visit, visit
from waldur_dagster.work import Work

LONGEST = 255  # characters of every text
TEXTS = ("relation_type", "resource_type", "creator", "publisher", "title", "published", "referral_url")
offering, referral = marketplace.offering, pid.datacitereferral


@dataclass
class Cited:
    """What DataCite knows of an offering: ``listed`` are all that cite it, ``works`` those that could be read.

    ``whole`` unless some work on its list has no name: that may be any.
    """

    count: int
    listed: set[str]
    whole: bool
    works: dict[str, dict[str, str]] = field(default_factory=dict)


def update_referrals(transaction: Transactions) -> None:
    """Bring the number of citations and the citing works of every offering with a DOI up to date.

    Works that DataCite cannot tell of keep their rows, as long as they are listed; those that are listed no more go.
    An offering whose own record cannot be read stays as it is.
    """
    with transaction() as work:
        chosen = stops(work)
    visit(transaction, chosen, _fetch, _merge)


def _fetch(visit: Visit, named: Named) -> Cited | None:
    """None for a DOI that DataCite does not show: a draft is not public."""
    datacite = named.datacite(visit)
    try:
        record = datacite.record(named.doi)
    except NotFound:
        return None
    count, related = record.get("citationCount"), record.get("relatedIdentifiers")
    if not isinstance(count, int) or not isinstance(related, list):
        raise ItemFailed(f"the record of {named.doi} has no citationCount and list of relatedIdentifiers")
    entries = [entry for entry in related if _is_named(entry)]
    whole = all(_is_named(entry) or not _may_be_doi(entry) for entry in related)
    cited = Cited(count, {_cut(entry["relatedIdentifier"]) for entry in entries}, whole)
    problem = _read(datacite, filter(_may_be_doi, entries), cited)
    if problem is None and not whole:
        problem = ItemFailed(f"the record of {named.doi} lists a work without its relatedIdentifier")
    if problem:
        raise Partly(cited, problem)
    return cited


def _is_named(entry: Any) -> bool:
    name = entry.get("relatedIdentifier") if isinstance(entry, dict) else None
    return isinstance(name, str) and name != ""


def _may_be_doi(entry: Any) -> bool:
    return not isinstance(entry, dict) or entry.get("relatedIdentifierType") in (None, "DOI")


def _read(datacite: DataCite, entries: Iterable[Any], cited: Cited) -> VisitFailed | None:
    """Look works up by their DOIs; returns the first problem, if any. Of a work listed twice the last entry wins.

    DOIs of other agencies are unknown to DataCite, which is no problem.
    """
    problem: VisitFailed | None = None
    circuit = Circuit()
    for entry in entries:
        name = entry["relatedIdentifier"]
        try:
            cited.works[_cut(name)] = _row(entry, datacite.reference(name))
            circuit.note(None)
        except NotFound:
            circuit.note(None)
        except VisitFailed as failure:
            problem = problem or ItemFailed(f"{name}: {failure}")
            if circuit.note(failure):
                break
    return problem


def _row(entry: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, str]:
    publisher = record.get("publisher")
    texts = {
        "relation_type": entry.get("relationType"),
        "resource_type": entry.get("resourceTypeGeneral"),
        "creator": _first(record.get("creators"), "name") or "N/A",
        "publisher": publisher.get("name") if isinstance(publisher, dict) else publisher,
        "title": _first(record.get("titles"), "title") or "N/A",
        "published": record.get("published"),
        "referral_url": record.get("url"),
    }
    return {name: _cut(text) for name, text in texts.items()}


def _first(entries: Any, key: str) -> Any:
    first = entries[0] if isinstance(entries, list) and entries else None
    return first.get(key) if isinstance(first, dict) else None


def _cut(text: Any) -> str:
    """As a column takes it: PostgreSQL has no NUL."""
    return "" if text is None else str(text).replace("\0", "")[:LONGEST]


def _merge(work: Work, named: Named, cited: Cited | None) -> None:
    """The offering is changed first: so its row is locked, and two runs never add a work twice."""
    if cited is None:
        work.outcome.warn(f"offering {named.name}", f"DataCite does not show {named.doi}; nothing was changed")
        return
    work.execute(
        update(offering).where(offering.c.id == named.id).values(citation_count=cited.count, modified=work.as_of)
    )
    kind = work.content_types("marketplace", "offering")
    own = (referral.c.content_type_id == kind) & (referral.c.object_id == named.id)
    if cited.works:
        rows = [{"pid": name, **texts} for name, texts in cited.works.items()]
        given = given_rows(rows, pid=String, **dict.fromkeys(TEXTS, String))
        work.execute(
            update(referral).where(own, referral.c.pid == given.c.pid).values({name: given.c[name] for name in TEXTS})
        )
        known = select(referral.c.id).where(own, referral.c.pid == given.c.pid)
        fresh = select(
            func.gen_random_uuid().label("uuid"),
            literal(kind).label("content_type_id"),
            literal(named.id).label("object_id"),
            given.c.pid,
            *(given.c[name] for name in TEXTS),
        )
        work.execute(work.insert_from(referral, fresh.where(~known.exists())))
    if cited.whole:
        work.execute(delete(referral).where(own, referral.c.pid.not_in(cited.listed)))
