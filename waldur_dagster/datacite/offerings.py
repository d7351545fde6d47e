"""The offerings that have a DOI, and where DataCite is (spec people, waldur-update-all-pid)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import extract, func, select

from waldur_dagster.clients.datacite import Account, DataCite
from waldur_dagster.schema import marketplace, structure
from waldur_dagster.visits import Stop, Visit
from waldur_dagster.work import Work

offering, provider = marketplace.offering, structure.customer
NOBODY = ("", "https://example.com")  # Waldur's default is the address of nobody


@dataclass(frozen=True)
class Named:
    """An offering with a DOI, as its record at DataCite is to tell of it."""

    account: Account
    id: int
    name: str
    doi: str
    document: dict[str, Any]
    failed_before: bool

    def datacite(self, visit: Visit) -> DataCite:
        return visit.client(self.account, lambda: DataCite(self.account))


def stops(work: Work) -> list[Stop[Named]]:
    """Every offering with a DOI, of any state, by id; none where DataCite is not configured, which the run says."""
    settings = work.settings["WALDUR_PID"]["DATACITE"]
    if settings["API_URL"].rstrip("/") in NOBODY:
        work.outcome.warn("DataCite", "is not configured: WALDUR_PID.DATACITE.API_URL is empty")
        return []
    account = Account(settings["API_URL"], settings["REPOSITORY_ID"], settings["PASSWORD"])
    system = f"DataCite at {urlsplit(account.url).hostname}"
    named = [
        Named(account, row.id, row.name, row.datacite_doi, _document(work, row), row.error_message != "")
        for row in _with_doi(work)
    ]
    return [Stop(system, f"offering {one.name}", one) for one in named]


def _with_doi(work: Work) -> Sequence[Any]:
    found = (
        select(
            *(offering.c[name] for name in ("id", "uuid", "name", "description", "datacite_doi", "error_message")),
            extract("year", func.timezone("UTC", offering.c.created)).label("year"),
            provider.c.name.label("provider"),
        )
        .join(provider, provider.c.id == offering.c.customer_id)
        .where(offering.c.datacite_doi != "")
        .order_by(offering.c.id)
    )
    return work.connection.execute(found).all()


def _document(work: Work, row: Any) -> dict[str, Any]:
    settings = work.settings["WALDUR_PID"]["DATACITE"]
    attributes = {
        "prefix": settings["PREFIX"],
        "event": "publish",
        "creators": [{"name": row.provider}],
        "titles": [{"title": row.name}],
        "descriptions": [{"description": row.description}],
        "publisher": settings["PUBLISHER"],
        "publicationYear": int(row.year),
        "types": {"resourceTypeGeneral": "Service"},
        "url": f"{work.settings['WALDUR_CORE.HOMEPORT_URL']}marketplace-public-offering/{row.uuid.hex}/",
        "schemaVersion": "http://datacite.org/schema/kernel-4",
    }
    return {"data": {"type": "dois", "attributes": attributes}}
