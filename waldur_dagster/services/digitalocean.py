"""DigitalOcean (spec openstack, pull-service-properties and -resources)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table, func, select

from waldur_dagster.clients.json_api import JsonApi, pinned
from waldur_dagster.clients.listing import Page, by_link, complete, items_of
from waldur_dagster.openstack.rows import mib
from waldur_dagster.platform.links import sync_links
from waldur_dagster.platform.merge import Merge
from waldur_dagster.platform.plugin_resources import CREATING, ERRED, OK
from waldur_dagster.schema import digitalocean
from waldur_dagster.services.providers import Service
from waldur_dagster.visits import Visit
from waldur_dagster.work import Work

region, image, size, droplet = digitalocean.region, digitalocean.image, digitalocean.size, digitalocean.droplet
PER_PAGE = 200
MB_OF_TB = 2**20
# State and runtime state by DigitalOcean's status.
STATES = {
    "new": (CREATING, "provisioning"),
    "active": (OK, "online"),
    "off": (OK, "offline"),
    "archive": (OK, "archive"),
}


def fetch_properties(visiting: Visit, service: Service, facts: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    api = _api(visiting, service, facts)
    return {
        "regions": _listed(api, "regions", "slug"),
        "images": _listed(api, "images", "id"),
        "sizes": _listed(api, "sizes", "slug"),
    }


def merge_properties(work: Work, _: Service, pulled: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Regions that can be used, images and sizes, which all accounts share; what is not listed is deleted."""
    regions = [
        {"backend_id": document["slug"], "name": document["name"][:150]}
        for document in pulled["regions"]
        if document["available"]
    ]
    _merge(work, region, regions)
    images = [
        {
            "backend_id": str(document["id"]),
            "name": f"{document['distribution']} {document['name']}"[:150],
            "type": document["type"],
            "distribution": document["distribution"],
            "is_official": document["slug"] is not None,
            "min_disk_size": mib(document["min_disk_size"]),
            "created_at": document["created_at"],
        }
        for document in pulled["images"]
    ]
    _merge(work, image, images)
    _link(work, image, digitalocean.image_regions, {str(d["id"]): d["regions"] for d in pulled["images"]})
    sizes = [
        {
            "backend_id": document["slug"],
            "name": document["slug"],
            "cores": document["vcpus"],
            "ram": document["memory"],
            "disk": mib(document["disk"]),
            "transfer": int(document["transfer"] * MB_OF_TB),
            "price": document["price_hourly"],
        }
        for document in pulled["sizes"]
    ]
    _merge(work, size, sizes)
    _link(work, size, digitalocean.size_regions, {d["slug"]: d["regions"] for d in pulled["sizes"]})


def fetch_droplets(visiting: Visit, service: Service, facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    return _listed(_api(visiting, service, facts), "droplets", "id")


def merge_droplets(work: Work, service: Service, pulled: Sequence[Mapping[str, Any]]) -> None:
    """Droplets that the site knows; one that is not listed is erred."""
    rows = []
    for document in pulled:
        state, runtime_state = STATES.get(document["status"], (ERRED, "error"))
        of = document["image"]
        name = f"{of['distribution']} {of['name']}"[:150]
        rows.append(
            {
                "backend_id": str(document["id"]),
                "state": state,
                "runtime_state": runtime_state,
                "image_name": name,
            }
        )
    columns = ("state", "runtime_state", "image_name")
    made = Merge(
        work, droplet, rows, key=["backend_id"], columns=columns, scope=droplet.c.service_settings_id == service.id
    )
    gone = made.stale()
    if gone:
        lost = droplet.update().where(droplet.c.id.in_(gone), droplet.c.state != ERRED)
        work.execute(lost.values(state=ERRED, modified=work.as_of))
    made.update(columns, also={"modified": work.as_of})


def _api(visiting: Visit, service: Service, facts: Mapping[str, Any]) -> JsonApi:
    headers = {"Authorization": f"Bearer {service.token}"}
    return visiting.client("api", lambda: JsonApi(facts["digitalocean_url"], headers=headers, secrets=[service.token]))


def _listed(api: JsonApi, kind: str, key: str) -> list[dict[str, Any]]:
    def read(address: str) -> Page:
        answer = api.get(address)
        following = ((answer.get("links") or {}).get("pages") or {}).get("next")
        total = (answer.get("meta") or {}).get("total")
        return Page(items_of(answer, kind), total, following and pinned(api.url, following))

    return complete(kind, by_link(read, f"{kind}/?per_page={PER_PAGE}"), lambda item: str(item[key]))


def _merge(work: Work, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    columns = [name for name in (rows[0] if rows else {}) if name != "backend_id"]
    made = Merge(work, table, rows, key=["backend_id"], columns=columns, scope=table.c.id.is_not(None))
    made.delete(made.stale())
    if rows:
        made.update(columns)
        pulled = {name: made.pulled.c[name] for name in ("backend_id", *columns)}
        made.insert(pulled | {"uuid": func.gen_random_uuid()})


def _link(work: Work, table: Table, links: Table, regions: Mapping[str, Sequence[str]]) -> None:
    known = dict(work.connection.execute(select(region.c.backend_id, region.c.id)).all())
    ids = dict(work.connection.execute(select(table.c.backend_id, table.c.id)).all())
    wanted = {(ids[name], known[slug]) for name, slugs in regions.items() for slug in slugs if slug in known}
    sync_links(work, links, wanted, list(ids.values()))
