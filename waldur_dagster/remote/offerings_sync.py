"""waldur-remote-offerings-sync: offerings of other Waldurs are taken over as the site's configurations say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

from waldur_dagster.clients.addresses import Network
from waldur_dagster.clients.failures import ItemFailed, NotFound, VisitFailed
from waldur_dagster.clients.pictures import Picture, fetch_picture
from waldur_dagster.clients.waldur import Document, Uuid, Waldur, Words, uuid_text
from waldur_dagster.remote.catalogue import Catalogue, read_catalogue
from waldur_dagster.remote.offerings import shown
from waldur_dagster.remote.remotes import client
from waldur_dagster.remote.synchronisations import Synchronisation, begin, end
from waldur_dagster.remote.synchronised_rows import Found, Listed, Screenshot, merge_found
from waldur_dagster.site import Transactions
from waldur_dagster.visits import Stop, Visit, visit
from waldur_dagster.work import Work

ALLOWED = 3600.0  # seconds for all calls of one configuration


class RemoteCategory(Document):
    uuid: Uuid
    title: Words = ""


class RemoteScreenshot(Document):
    uuid: Uuid
    name: Words = ""
    description: Words = ""
    image: Words = ""
    thumbnail: Words = ""


def sync_offerings(transaction: Transactions) -> None:
    """Do all active configurations; one that fails keeps why, and changes nothing."""
    with transaction() as work:
        stops = [Stop(str(place), str(place), place) for place in begin(work)]
        networks = work.deployment.web_hooks.private_networks
        types = work.deployment.remote_waldurs.offering_types
    visit(
        transaction,
        stops,
        partial(fetch_offerings, types=types, networks=networks),
        merge_found,
        failed=_note_failure,
        allowed=ALLOWED,
    )


def fetch_offerings(
    visit: Visit, place: Synchronisation, *, types: Sequence[str], networks: Sequence[Network]
) -> Found:
    """What is offered in the categories that are taken over, each with its pictures."""
    api = client(visit, place.remote)
    read = [RemoteCategory.read(one) for one in api.listed("marketplace-categories/", field=["uuid", "title"])]
    found = Found({one.uuid: one.title for one in read})
    unread: set[int] = set()  # the categories here of which not all offerings are known
    for category in place.categories:
        if category.remote not in found.categories:
            found.output.append(f"Category {category.remote} is not there any more; it was left out.")
            unread.add(category.local_id)
            continue
        found.output.append(f"Category {found.categories[category.remote]}:")
        listed = api.listed(
            "marketplace-public-offerings/",
            shared="true",
            allowed_customer_uuid=place.organization,
            type=list(types),
            category_uuid=category.remote,
        )
        found.read.add(category.local_id)
        for one in listed:
            uuid = _uuid(one)
            found.uuids.add(uuid)
            try:
                found.offerings.append(_listed(api, place, one, category.local_id, networks))
            except ItemFailed as problem:
                found.problems.append((f"offering {one.get('name')} ({uuid})", str(problem)))
    found.read -= unread
    return found


def _uuid(found: Mapping[str, Any]) -> str:
    return uuid_text(str(found["uuid"]))


def _listed(
    api: Waldur,
    place: Synchronisation,
    found: Mapping[str, Any],
    category: int,
    networks: Sequence[Network],
) -> Listed:
    uuid, notes = _uuid(found), list[str]()
    pictures = shown(found, "thumbnail", place.remote, networks, notes)
    image, image_uuid = _image(place, uuid, found, networks, notes)
    catalogue: Catalogue = replace(read_catalogue(found), pictures=pictures | image, notes=notes)
    shots = _screenshots(api, place, uuid, networks, notes)
    return Listed(uuid, category, catalogue, image_uuid, shots)


def _image(
    place: Synchronisation, uuid: str, found: Mapping[str, Any], networks: Sequence[Network], notes: list[str]
) -> tuple[dict[str, Picture | None], str | None]:
    """The image, and the last part of its address, by which it is known again; nothing where it is known already."""
    address = str(found.get("image") or "")
    if not address:
        return shown(found, "image", place.remote, networks, notes), None
    try:
        name = UUID(address.rstrip("/").rpartition("/")[2]).hex
    except ValueError:
        notes.append("its image stays as it is: its address does not end in a uuid")
        return {}, place.images.get(uuid)
    if place.images.get(uuid) == name:
        return {}, name
    fetched = shown(found, "image", place.remote, networks, notes)
    return fetched, name if fetched else place.images.get(uuid)


def _screenshots(
    api: Waldur, place: Synchronisation, uuid: str, networks: Sequence[Network], notes: list[str]
) -> list[Screenshot] | None:
    """All screenshots, new ones with their pictures; None where the remote does not tell of them."""
    known = place.screenshots.get(uuid, frozenset())
    fetch: Callable[[str], Picture] = partial(
        fetch_picture, home=place.remote.api_url, verify=place.remote.verify, permitted=networks
    )
    shots = []
    try:
        for found in api.listed("marketplace-screenshots/", offering_uuid=uuid):
            one = RemoteScreenshot.read(found)
            shot = Screenshot(one.uuid, one.name, one.description)
            shots.append(shot if one.uuid in known else _with_pictures(shot, one, fetch, notes))
    except NotFound:
        return None
    except VisitFailed as problem:
        notes.append(f"its screenshots stay as they are: {problem}")
        return None
    return shots


def _with_pictures(
    shot: Screenshot, one: RemoteScreenshot, fetch: Callable[[str], Picture], notes: list[str]
) -> Screenshot:
    try:
        return replace(shot, image=fetch(one.image), thumbnail=fetch(one.thumbnail) if one.thumbnail else None)
    except ItemFailed as problem:
        notes.append(f"screenshot {one.name} was left out: {problem}")
        return shot


def _note_failure(work: Work, place: Synchronisation, problem: VisitFailed) -> bool:
    end(work, place, [], str(problem))
    return True
