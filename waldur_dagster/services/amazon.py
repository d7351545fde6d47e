"""Amazon: regions, sizes and names of images, which all accounts share (spec openstack, pull-service-properties)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, true

from waldur_dagster.clients.amazon import Amazon, Size, known_sizes
from waldur_dagster.openstack.rows import mib
from waldur_dagster.platform.lengths import fitting
from waldur_dagster.platform.links import sync_links
from waldur_dagster.platform.merge import Merge
from waldur_dagster.schema import aws
from waldur_dagster.services.providers import Service
from waldur_dagster.visits import Visit
from waldur_dagster.work import Work

region, image, size = aws.region, aws.image, aws.size
# Those that Waldur offers; a size has the price of the first one that tells its own.
REGIONS = {
    "us-east-1": "US East (N. Virginia)",
    "us-west-2": "US West (Oregon)",
    "us-west-1": "US West (N. California)",
    "eu-west-1": "EU (Ireland)",
    "eu-central-1": "EU (Frankfurt)",
    "ap-south-1": "Asia Pacific (Mumbai)",
    "ap-southeast-1": "Asia Pacific (Singapore)",
    "ap-southeast-2": "Asia Pacific (Sydney)",
    "ap-northeast-1": "Asia Pacific (Tokyo)",
    "ap-northeast-2": "Asia Pacific (Seoul)",
    "sa-east-1": "South America (Sao Paulo)",
}


@dataclass(frozen=True)
class Known:
    """What the site has of Amazon: its regions, and the ids of images by region."""

    regions: list[str]
    images: dict[str, list[str]]


@dataclass(frozen=True)
class Pulled:
    """Sizes of all regions, and the names of known images by region."""

    sizes: list[Size]
    images: dict[str, dict[str, str]]


def known_offers(work: Work, services: Sequence[Service]) -> Known:
    images: defaultdict[str, list[str]] = defaultdict(list)
    if not any(service.type == "Amazon" for service in services):
        return Known([], images)
    regions = list(work.connection.scalars(select(region.c.backend_id).order_by(region.c.id)))
    of_regions = select(region.c.backend_id, image.c.backend_id).join_from(
        image, region, image.c.region_id == region.c.id
    )
    for place, id in work.connection.execute(of_regions.order_by(image.c.id)):
        images[place].append(id)
    return Known(regions, images)


def fetch_offers(visiting: Visit, service: Service, facts: Mapping[str, Any]) -> Pulled:
    """One account asks for the images; sizes come without a call."""
    known: Known = facts["amazon"]
    account = visiting.client("amazon", lambda: Amazon(service.username, service.token))
    names = {place: account.image_names(place, ids) for place, ids in known.images.items()}
    return Pulled(known_sizes(list(dict.fromkeys((*REGIONS, *known.regions)))), names)


def merge_offers(work: Work, _: Service, pulled: Pulled) -> None:
    """Regions that are missing are added, sizes renewed, images renamed; those that are gone are deleted."""
    _merge_regions(work)
    _merge_sizes(work, pulled.sizes)
    names = {id: name for of_region in pulled.images.values() for id, name in of_region.items() if name}
    rows = [{"backend_id": id, "name": fitting(work, image.c.name, name)} for id, name in names.items()]
    asked = image.c.region_id.in_(select(region.c.id).where(region.c.backend_id.in_(pulled.images)))
    made = Merge(work, image, rows, key=["backend_id"], columns=["name"], scope=asked)
    made.delete(made.stale())
    made.update(["name"])


def _merge_regions(work: Work) -> None:
    rows = [{"backend_id": id, "name": name} for id, name in REGIONS.items()]
    made = Merge(work, region, rows, key=["backend_id"], columns=["name"], scope=true())
    made.insert({name: made.pulled.c[name] for name in ("backend_id", "name")} | {"uuid": func.gen_random_uuid()})


def _merge_sizes(work: Work, sizes: Sequence[Size]) -> None:
    """A size whose price nobody knows is not offered anew; one that is known keeps its row."""
    rows = [
        {"backend_id": one.name, "name": one.name, "cores": one.cores, "ram": one.ram, "disk": mib(one.disk)}
        | {"price": price}
        for one in sizes
        if (price := _price(one)) is not None
    ]
    columns = ("name", "cores", "ram", "disk", "price")
    made = Merge(work, size, rows, key=["backend_id"], columns=columns, scope=true())
    made.update(columns)
    values = {name: made.pulled.c[name] for name in ("backend_id", *columns)}
    made.insert(values | {"uuid": func.gen_random_uuid()})
    known = dict(work.connection.execute(select(region.c.backend_id, region.c.id)).all())
    ids = dict(work.connection.execute(select(size.c.backend_id, size.c.id)).all())
    wanted = {(ids[s.name], known[place]) for s in sizes if s.name in ids for place in s.prices if place in known}
    sync_links(work, aws.size_regions, wanted, [ids[s.name] for s in sizes if s.name in ids])


def _price(one: Size) -> float | None:
    """Dollars an hour; 0 stands for a size that is sold no longer."""
    prices = [price for price in one.prices.values() if price is not None]
    return next((price for price in prices if price), prices[0] if prices else None)
