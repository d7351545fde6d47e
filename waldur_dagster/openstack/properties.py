"""What a tenant can choose from: volume types, flavors and images (spec openstack, properties 1, 4 and 5)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table, func, select

from waldur_dagster.marketplace.storage_components import keep_storage_components
from waldur_dagster.openstack.providers import Sessions, Tenant
from waldur_dagster.openstack.rows import mib
from waldur_dagster.platform.lengths import fitting
from waldur_dagster.platform.links import sync_links
from waldur_dagster.platform.merge import Merge
from waldur_dagster.schema import openstack
from waldur_dagster.work import Work


def fetch_volume_types(sessions: Sessions, _: Mapping[str, Any]) -> list[dict[str, Any]]:
    return sessions.tenant.listed_silently("block_storage", "/types", "volume_types", is_public="None")


def merge_volume_types(work: Work, place: Tenant, fetched: Mapping[str, Any]) -> None:
    """Volume types of the cloud, linked to the tenant; offerings with dynamic storage have a component for each."""
    named = str(place.provider.options.get("volume_type_blacklist") or "")
    disabled = {name.strip() for name in named.split(",")} - {""}
    rows = [
        {
            "backend_id": str(document["id"]),
            "name": fitting(work, openstack.volumetype.c.name, document["name"]),
            "description": fitting(work, openstack.volumetype.c.description, document.get("description")),
            "disabled": document["name"] in disabled,
        }
        for document in fetched["volume types"]
    ]
    ids = _merge(work, place, openstack.volumetype, openstack.volumetype_tenants, rows)
    keep_storage_components(work, place.provider.id, ids)


def fetch_flavors(sessions: Sessions, _: Mapping[str, Any]) -> list[dict[str, Any]]:
    return sessions.tenant.listed("compute", "/flavors/detail", "flavors")


def merge_flavors(work: Work, place: Tenant, fetched: Mapping[str, Any]) -> None:
    """Flavors of the cloud, linked to the tenant, without those whose name the cloud's options exclude."""
    excluded = place.provider.options.get("flavor_exclude_regex")
    rows = [
        {
            "backend_id": str(document["id"]),
            "name": fitting(work, openstack.flavor.c.name, document["name"]),
            "cores": document["vcpus"],
            "ram": document["ram"],
            "disk": mib(document["disk"]),
        }
        for document in fetched["flavors"]
        if not (excluded and re.match(str(excluded), document["name"]))
    ]
    _merge(work, place, openstack.flavor, openstack.flavor_tenants, rows)


def fetch_images(sessions: Sessions, _: Mapping[str, Any]) -> list[dict[str, Any]]:
    return sessions.tenant.listed("image", "/images", "images")


def merge_images(work: Work, place: Tenant, fetched: Mapping[str, Any]) -> None:
    """Images of the cloud, linked to the tenant."""
    rows = [
        {
            "backend_id": str(document["id"]),
            "name": fitting(
                work, openstack.image.c.name, document.get("name") or document.get("description") or str(document["id"])
            ),
            "min_ram": document["min_ram"],
            "min_disk": mib(document["min_disk"]),
        }
        for document in fetched["images"]
        if document["status"] != "deleted"
    ]
    _merge(work, place, openstack.image, openstack.image_tenants, rows)


def _merge(work: Work, place: Tenant, table: Table, links: Table, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Rows are the cloud's, links the tenant's: what it does not see any more is unlinked. Returns the rows' ids."""
    settings = place.provider.id
    columns = [name for name in (rows[0] if rows else {}) if name != "backend_id"]
    made = Merge(work, table, rows, key=["backend_id"], columns=columns, scope=table.c.settings_id == settings)
    if rows:
        made.update(columns)
        values = {name: made.pulled.c[name] for name in ("backend_id", *columns)}
        made.insert(values | {"settings_id": settings, "uuid": func.gen_random_uuid()})
    ids = list(work.connection.scalars(select(table.c.id).join_from(table, made.pulled, made.matches())))
    sync_links(work, links, {(place.id, id) for id in ids}, [place.id])
    return ids
