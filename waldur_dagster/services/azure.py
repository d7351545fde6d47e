"""Azure: locations of a subscription, and what they have (spec openstack, pull-service-properties).

Waldur's virtual machines go with the rows of their image, size and location. So what one of them needs stays, whatever
Azure lists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from sqlalchemy import ColumnClause, Table, column, func, select, table

from waldur_dagster.clients.azure import Azure
from waldur_dagster.clients.failures import ItemFailed
from waldur_dagster.platform.merge import Merge
from waldur_dagster.schema import azure
from waldur_dagster.services.providers import Service
from waldur_dagster.visits import Visit
from waldur_dagster.work import Work

location, size, zone, image = azure.location, azure.size, azure.sizeavailabilityzone, azure.image
OPTIONS = ("tenant_id", "client_id", "client_secret", "subscription_id")
PUBLISHERS = ("MicrosoftSQLServer", "Debian", "Canonical")
FACTS = ("publisher", "offer", "sku", "version")
IMAGES = 10  # of each location
# How Azure says that a location has no virtual machines.
NOT_THERE = ("NoRegisteredProviderFound", "No registered resource provider found")
SIZES = {
    "max_data_disk_count": "maxDataDiskCount",
    "memory_in_mb": "memoryInMB",
    "number_of_cores": "numberOfCores",
    "os_disk_size_in_mb": "osDiskSizeInMB",
    "resource_disk_size_in_mb": "resourceDiskSizeInMB",
}


@dataclass
class Pulled:
    """Rows of all locations; those of images and zones name their location by its id at Azure."""

    locations: list[dict[str, Any]]
    sizes: dict[str, dict[str, Any]] = field(default_factory=dict)
    images: list[dict[str, Any]] = field(default_factory=list)
    zones: set[tuple[str, str, int]] = field(default_factory=set)  # location, size, zone


def fetch_offers(visiting: Visit, service: Service, facts: Mapping[str, Any]) -> Pulled:
    """Every location with its sizes, their zones, and its first images."""
    if lacking := [name for name in OPTIONS if not service.options.get(name)]:
        raise ItemFailed(f"its options lack {', '.join(lacking)}")
    options = {name: str(service.options[name]) for name in OPTIONS}
    login_url, api_url = facts["azure_urls"]
    cloud = visiting.client("azure", lambda: Azure(options, login_url, api_url))
    of_groups = cloud.locations_of_groups()
    documents = cloud.locations()
    pulled = Pulled([_location(document, of_groups) for document in documents])
    for document in documents:
        if (document.get("metadata") or {}).get("regionType") != "Logical":
            _fetch_location(cloud, document["name"], pulled)
    return pulled


def merge_offers(work: Work, service: Service, pulled: Pulled) -> None:
    """Rows of this subscription: added and deleted, never renewed; locations are enabled where groups may be."""
    locations = _Kind(work, service, location, pulled.locations, ("name", "latitude", "longitude", "enabled"))
    sizes = _Kind(work, service, size, list(pulled.sizes.values()), ("name", *SIZES))
    places, names = locations.ids(), sizes.ids()
    images = [row | {"location_id": places[row["at"]]} for row in pulled.images]
    _Kind(work, service, image, images, ("name", *FACTS, "location_id")).delete_unused()
    _merge_zones(work, places, names, pulled.zones)
    sizes.delete_unused()
    left = locations.delete_unused()
    locations.made.update(["enabled"])
    if left:  # what is gone can be chosen no longer
        work.execute(location.update().where(location.c.id.in_(left), location.c.enabled).values(enabled=False))


def _fetch_location(cloud: Azure, place: str, pulled: Pulled) -> None:
    try:
        for document in cloud.sizes(place):
            row = {name: document[their_name] for name, their_name in SIZES.items()}
            pulled.sizes[document["name"]] = {"backend_id": document["name"], "name": document["name"][:150]} | row
        found = (one | {"publisher": name} for name in PUBLISHERS for one in cloud.images(place, name))
        pulled.images += [_image(one, place) for one in islice(found, IMAGES)]
        pulled.zones |= {(place, name, one) for name, zones in cloud.zones(place).items() for one in zones}
    except ItemFailed as problem:
        if not any(words in str(problem) for words in NOT_THERE):
            raise


def _location(document: Mapping[str, Any], of_groups: set[str]) -> dict[str, Any]:
    facts = document.get("metadata") or {}
    return {
        "backend_id": document["name"],
        "name": document["displayName"][:150],
        "latitude": _number(facts.get("latitude")),
        "longitude": _number(facts.get("longitude")),
        "enabled": document["displayName"] in of_groups,
    }


def _number(text: Any) -> float | None:
    return float(text) if text not in (None, "") else None


def _image(one: Mapping[str, str], place: str) -> dict[str, Any]:
    facts = {name: one[name] for name in FACTS}
    return facts | {"backend_id": one["id"], "name": f"{one['offer']} {one['version']}"[:150], "at": place}


class _Kind:
    """Rows of one table of this subscription by Azure's ids: the new ones are inserted at once."""

    def __init__(
        self, work: Work, service: Service, kind: Table, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]
    ):
        self._work, self._table = work, kind
        self._own = kind.c.settings_id == service.id
        self.made = Merge(work, kind, rows, key=["backend_id"], columns=columns, scope=self._own)
        values = {name: self.made.pulled.c[name] for name in ("backend_id", *columns)}
        self.made.insert(values | {"uuid": func.gen_random_uuid(), "settings_id": service.id})

    def ids(self) -> dict[str, int]:
        found = select(self._table.c.backend_id, self._table.c.id).where(self._own)
        return dict(self._work.connection.execute(found).all())

    def delete_unused(self) -> list[int]:
        """Delete what is not listed; returns the ids of such rows that stay, since something of the site needs them."""
        gone = set(self.made.stale())
        used: set[int] = set()
        for found in self._work.schema.references.get(self._table.name, []):
            if gone and found.child != zone.name:
                reference: ColumnClause[int] = column(found.column)
                referring = select(reference).select_from(table(found.child, reference)).where(reference.in_(gone))
                used |= set(self._work.connection.scalars(referring))
        self.made.delete(sorted(gone - used))
        return sorted(used)


def _merge_zones(
    work: Work, places: Mapping[str, int], sizes: Mapping[str, int], zones: set[tuple[str, str, int]]
) -> None:
    rows = [
        {"location_id": places[place], "size_id": sizes[name], "zone": number}
        for place, name, number in sorted(zones)
        if name in sizes
    ]
    key = ["location_id", "size_id", "zone"]
    made = Merge(work, zone, rows, key=key, columns=[], scope=zone.c.location_id.in_(places.values()))
    made.delete(made.stale())
    made.insert({name: made.pulled.c[name] for name in key})
