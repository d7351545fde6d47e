"""The job waldur-update-all-pid: DataCite's records say what Waldur says of offerings (spec people)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import update

from waldur_dagster.clients.datacite import Refused
from waldur_dagster.clients.failures import ItemFailed, VisitFailed
from waldur_dagster.datacite.offerings import Named, stops
from waldur_dagster.schema import marketplace
from waldur_dagster.site import Transactions
from waldur_dagster.visits import Visit, visit
from waldur_dagster.work import Work

offering = marketplace.offering


def update_records(transaction: Transactions) -> None:
    """Write the record of every offering with a DOI that differs from what DataCite has.

    What DataCite says against it is kept with the offering until a later run succeeds, and the run fails.
    """
    with transaction() as work:
        chosen = stops(work)
    visit(transaction, chosen, _write, _forget_failure, failed=_keep_failure)


def _write(visit: Visit, named: Named) -> None:
    datacite = named.datacite(visit)
    try:
        if _says(datacite.record(named.doi, as_owner=True), named.document["data"]["attributes"]):
            return
    except ItemFailed:
        pass  # what cannot be read is written, and that tells what is wrong
    visit.change(f"write the record of {named.doi}", lambda: datacite.put(named.doi, named.document))


def _says(record: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a record that is public says what is wanted; DataCite adds to names, titles and types."""
    lists = (("creators", "name"), ("titles", "title"), ("descriptions", "description"))
    return (
        record.get("state") == "findable"
        and all(record.get(name) == wanted[name] for name in ("publisher", "publicationYear", "url"))
        and all(_texts(record.get(name), key) == _texts(wanted[name], key) for name, key in lists)
        and _text(record.get("types"), "resourceTypeGeneral") == wanted["types"]["resourceTypeGeneral"]
    )


def _texts(entries: Any, key: str) -> list[Any]:
    return [_text(entry, key) for entry in entries] if isinstance(entries, list) else []


def _text(entry: Any, key: str) -> Any:
    return entry.get(key) if isinstance(entry, dict) else None


def _forget_failure(work: Work, named: Named, _: None) -> None:
    if named.failed_before:
        _note(work, named, "")


def _keep_failure(work: Work, named: Named, problem: VisitFailed) -> bool:
    said = (
        f". Status code: {problem.status}, message: {problem.body}"
        if isinstance(problem, Refused)
        else f": {str(problem).rstrip('.')}"
    )
    _note(work, named, f"Updating Datacite DOI for {named.name} has failed{said}.".replace("\0", ""))
    return False


def _note(work: Work, named: Named, words: str) -> None:
    work.execute(update(offering).where(offering.c.id == named.id).values(error_message=words, modified=work.as_of))
