"""Icons of Rancher's templates, which Waldur keeps as files (spec openstack, pull-service-properties)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from sqlalchemy import Integer, Text, select, update

from waldur_dagster.clients.addresses import Network
from waldur_dagster.clients.failures import ItemFailed, SystemFailed
from waldur_dagster.clients.pictures import Picture, fetch_picture, picture_of
from waldur_dagster.clients.rancher import Rancher
from waldur_dagster.platform.expressions import given_rows
from waldur_dagster.platform.files import drop_files, store_files
from waldur_dagster.schema.rancher import template
from waldur_dagster.services.providers import Service
from waldur_dagster.work import Work

FOLDER = "rancher_icons"
MOST = 200  # that one pull fetches


def known_icons(work: Work, services: Sequence[Service]) -> set[tuple[int, str, str]]:
    """Templates whose icon is kept: settings of the server, id at Rancher, address of the icon."""
    servers = [service.id for service in services if service.type == "Rancher"]
    if not servers:
        return set()
    kept = select(template.c.settings_id, template.c.backend_id, template.c.icon_url)
    rows = work.connection.execute(kept.where(template.c.settings_id.in_(servers), template.c.icon != ""))
    return {(row.settings_id, row.backend_id, row.icon_url) for row in rows}


def icon_address(document: Mapping[str, Any]) -> str:
    return str((document.get("links") or {}).get("icon") or "")


def fetch_icons(
    server: Rancher,
    service: Service,
    documents: Sequence[Mapping[str, Any]],
    known: Collection[tuple[str, str]],
    networks: Sequence[Network],
) -> dict[str, Picture]:
    """Icons of templates by id, but for those that are ``known`` (id, address).

    A template may do without: one whose icon cannot be had is asked for it again by the next pull.
    """
    found: dict[str, Picture] = {}
    for document in documents:
        id, address = document["id"], icon_address(document)
        if address and (id, address) not in known:
            try:
                found[id] = _icon(server, service, id, address, networks)
            except ItemFailed:
                continue
            except SystemFailed:
                break
            if len(found) == MOST:
                break
    return found


def _icon(server: Rancher, service: Service, id: str, address: str, networks: Sequence[Network]) -> Picture:
    """As Rancher gives it, or else what is found at the address that it names."""
    try:
        return picture_of(server.content(f"templates/{quote(id, safe='')}/icon"))
    except ItemFailed:
        verify = bool(service.options.get("verify_ssl", False))
        return fetch_picture(address, home=service.url, verify=verify, permitted=networks)


def keep_icons(work: Work, icons: Mapping[int, Picture]) -> None:
    """Store icons by the ids of their templates; a new one takes the place of the one before it."""
    if not icons:
        return
    rows = work.connection.execute(
        select(template.c.id, template.c.uuid, template.c.icon).where(template.c.id.in_(icons))
    ).all()
    names = {row.id: f"{FOLDER}/{row.uuid.hex}" for row in rows}
    drop_files(work, {*names.values(), *(row.icon for row in rows)})
    store_files(work, {name: icons[id] for id, name in names.items()})
    named = given_rows([{"id": id, "name": name} for id, name in names.items()], id=Integer, name=Text)
    work.execute(update(template).where(template.c.id == named.c.id).values(icon=named.c.name))


def drop_icons(work: Work, ids: Sequence[int]) -> None:
    """Templates are about to be deleted: their icons go with them."""
    if ids:
        drop_files(work, work.connection.scalars(select(template.c.icon).where(template.c.id.in_(ids))).all())
