"""Offerings here made those that an organization at a remote offers in the categories that are taken over."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from sqlalchemy import Integer, delete, select, update

from waldur_dagster.clients.pictures import Picture
from waldur_dagster.clients.waldur import uuid_text
from waldur_dagster.database.encryption import OFFERING_SECRETS
from waldur_dagster.marketplace.catalogue_events import log_offering_events
from waldur_dagster.marketplace.states import OfferingState
from waldur_dagster.platform.expressions import given_rows
from waldur_dagster.platform.files import drop_files, store_files
from waldur_dagster.platform.slugs import next_slugs
from waldur_dagster.remote.answers import merge_good
from waldur_dagster.remote.catalogue import Catalogue
from waldur_dagster.remote.component_rows import Pulled, merge_components, tell_notes
from waldur_dagster.remote.losses import loses_too_much
from waldur_dagster.remote.offering_rows import fitted, merge_fields
from waldur_dagster.remote.picture_rows import merge_pictures
from waldur_dagster.remote.plan_rows import merge_plans
from waldur_dagster.remote.remotes import TYPE, address_of_api
from waldur_dagster.remote.states import OFFERING_STATES
from waldur_dagster.remote.synchronisations import Synchronisation, end, of_organization, rename_categories
from waldur_dagster.schema import marketplace
from waldur_dagster.work import Work

offering, screenshot = marketplace.offering, marketplace.screenshot
FOLDER = "screenshot"  # of Waldur's pictures


@dataclass(frozen=True)
class Screenshot:
    """A screenshot there; its pictures are there where it is new here."""

    uuid: str
    name: str
    description: str
    image: Picture | None = None
    thumbnail: Picture | None = None


@dataclass(frozen=True)
class Listed:
    """An offering there, and the category here that it belongs to; ``screenshots``: None where they are not known."""

    uuid: str
    category: int
    catalogue: Catalogue
    image_uuid: str | None
    screenshots: list[Screenshot] | None

    def __str__(self) -> str:
        return f"offering {self.catalogue.fields.get('name')} ({self.uuid})"


@dataclass
class Found:
    """What is offered. ``categories`` are all there with their titles; ``read``: the categories here that were read.

    ``uuids`` are all that are offered, also those that could not be read (``problems``). ``output`` is for the site's
    administrators.
    """

    categories: dict[str, str]
    read: set[int] = field(default_factory=set)
    uuids: set[str] = field(default_factory=set)
    offerings: list[Listed] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)
    output: list[str] = field(default_factory=list)


def merge_found(work: Work, place: Synchronisation, found: Found) -> None:
    """Update known offerings, insert new ones, archive those that are not offered any more, and note how it went.

    What the database refuses of an offering is the configuration's error; the others are taken over.
    """
    for item, problem in found.problems:
        work.outcome.warn(item, problem)
    rename_categories(work, place, found.categories)
    answers = [(one, place) for one in found.offerings]
    refused = {one.uuid: f"{one}: {problem}" for one, problem in merge_good(work, str(place), answers, _merge_listed)}
    _archive(work, place, found)
    notes = [f"{item}: {problem}" for item, problem in found.problems]
    taken = [f"{one} was taken over." for one in found.offerings if one.uuid not in refused]
    end(work, place, [*found.output, *taken, *notes], "\n".join(refused.values()))


def _merge_listed(work: Work, remote: str, answers: Sequence[tuple[Listed, Synchronisation]]) -> None:
    if not answers:
        return
    place = answers[0][1]
    listed = [one for one, _ in answers]
    known = _known(work, place)
    new = [one for one in listed if one.uuid not in known]
    _insert(work, place, new)
    known = _known(work, place) if new else known
    pulled = [Pulled(known[one.uuid].id, str(one), one.catalogue) for one in listed]
    tell_notes(work, pulled)
    merge_fields(work, pulled, {known[one.uuid].id: _own(work, place, one, known[one.uuid]) for one in listed})
    merge_pictures(work, pulled)
    merge_pictures(work, pulled, offering.c.image)
    _merge_screenshots(work, {known[one.uuid].id: one.screenshots for one in listed if one.screenshots is not None})
    merge_components(work, remote, pulled, deletes=False)
    merge_plans(work, remote, pulled, archives=False)


def _known(work: Work, place: Synchronisation) -> dict[str, Any]:
    """The offerings of a configuration by their uuid there; of several for one the oldest."""
    columns = ("id", "backend_id", "state", "category_id", "secret_options")
    chosen = select(*(offering.c[name] for name in columns)).where(of_organization(place))
    rows = work.connection.execute(chosen.order_by(offering.c.id.desc()).with_for_update()).all()
    return {uuid_text(row.backend_id): row for row in rows}


def _own(work: Work, place: Synchronisation, one: Listed, row: Any) -> dict[str, Any]:
    """Columns that are not the catalogue's: state, category, how the remote is asked, and which image is kept."""
    secrets = dict(work.secrets.opened(OFFERING_SECRETS, row.secret_options))
    asked = {"api_url": place.remote.api_url, "token": place.remote.token}
    address = address_of_api(work, str(secrets.get("api_url")))
    same = {"api_url": address, "token": secrets.get("token")} == asked
    kept = row.secret_options if same else work.secrets.stored(OFFERING_SECRETS, secrets | asked)
    return {
        "state": int(OFFERING_STATES.get(one.catalogue.state, OfferingState.DRAFT)),
        "category_id": one.category,
        "secret_options": kept,
        "remote_image_uuid": one.image_uuid,
    }


def _insert(work: Work, place: Synchronisation, new: Sequence[Listed]) -> None:
    if not new:
        return
    secrets = {"api_url": place.remote.api_url, "token": place.remote.token, "customer_uuid": place.organization}
    slugs = next_slugs(work, offering, [str(one.catalogue.fields.get("name", "")) for one in new])
    uuids = [uuid4() for _ in new]
    alike: dict[frozenset[str], list[dict[str, Any]]] = defaultdict(list)  # a remote may leave out what is empty
    for one, slug, uuid in zip(new, slugs, uuids, strict=True):
        row: dict[str, Any] = {
            "uuid": uuid,
            "type": TYPE,
            "backend_id": one.uuid,
            "customer_id": place.customer_id,
            "category_id": one.category,
            "state": int(OFFERING_STATES.get(one.catalogue.state, OfferingState.DRAFT)),
            "secret_options": work.secrets.stored(OFFERING_SECRETS, secrets),
            "billable": True,
            "shared": True,
            "slug": slug,
        }
        row = fitted(work, one.catalogue.fields) | row
        alike[frozenset(row)].append(row)
    for rows in alike.values():
        work.insert(offering, rows)
    made = select(offering.c.id.label("offering_id")).where(offering.c.uuid.in_(uuids)).subquery("made")
    log_offering_events(work, made, "marketplace_offering_created", "Offering has been created.")


def _archive(work: Work, place: Synchronisation, found: Found) -> None:
    """Offerings in categories that were read, and are not offered any more, get the state Archived without an event."""
    rows = [
        row
        for row in _known(work, place).values()
        if row.category_id in found.read and row.state != OfferingState.ARCHIVED
    ]
    gone = [row.id for row in rows if uuid_text(row.backend_id) not in found.uuids]
    if not gone or loses_too_much(work, str(place), "offerings", lost=len(gone), known=len(rows)):
        return
    given = given_rows([{"id": id} for id in gone], id=Integer)
    archived = update(offering).where(offering.c.id == given.c.id).values(state=int(OfferingState.ARCHIVED))
    work.execute(archived)
    found.output.append(f"{len(gone)} offerings that are not offered any more were archived.")


def _merge_screenshots(work: Work, wanted: dict[int, list[Screenshot]]) -> None:
    """New ones are stored, vanished ones deleted with their files; those that were made here stay."""
    if not wanted:
        return
    columns = ("id", "offering_id", "backend_id", "image", "thumbnail")
    rows = work.connection.execute(
        select(*(screenshot.c[name] for name in columns)).where(
            screenshot.c.offering_id.in_(wanted), screenshot.c.backend_id != ""
        )
    ).all()
    listed = {(id, one.uuid) for id, shots in wanted.items() for one in shots}
    gone = [row for row in rows if (row.offering_id, row.backend_id) not in listed]
    if gone:
        drop_files(work, [name for row in gone for name in (row.image, row.thumbnail)])
        work.execute(delete(screenshot).where(screenshot.c.id.in_([row.id for row in gone])))
    here = {(row.offering_id, row.backend_id) for row in rows}
    made: list[dict[str, Any]] = []
    files: dict[str, Picture] = {}
    for id, shots in wanted.items():
        for one in shots:
            if (id, one.uuid) not in here and one.image is not None:
                made.append(_screenshot_row(work, id, one, files))
    store_files(work, files)
    work.insert(screenshot, made)


def _screenshot_row(work: Work, offering_id: int, one: Screenshot, files: dict[str, Picture]) -> dict[str, Any]:
    assert one.image is not None
    uuid, here = uuid4(), work.schema.tables[screenshot.name]
    name = f"{FOLDER}/{uuid.hex}"
    files[name] = one.image
    if one.thumbnail is not None:
        files[f"{name}_thumbnail"] = one.thumbnail
    return {
        "uuid": uuid,
        "offering_id": offering_id,
        "backend_id": one.uuid,
        "name": one.name[: here["name"].length],
        "description": one.description[: here["description"].length],
        "image": name,
        "thumbnail": f"{name}_thumbnail" if one.thumbnail is not None else "",
    }
