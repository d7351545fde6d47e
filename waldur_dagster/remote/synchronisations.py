"""Which organizations' offerings at other Waldurs the site sells, by category, and how the last run went.

The configurations and what they do are those of newer versions (spec remote 2, waldur-remote-offerings-sync).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Integer, Text, and_, func, or_, select, update

from waldur_dagster.clients.waldur import uuid_text
from waldur_dagster.platform.expressions import given_rows, hex_of
from waldur_dagster.remote.remotes import TYPE, Remote, address_of_api
from waldur_dagster.schema import marketplace, marketplace_remote
from waldur_dagster.words import keep_secret
from waldur_dagster.work import Work

configured, mapping = marketplace_remote.remotesynchronisation, marketplace_remote.remotelocalcategory
offering, provider, screenshot = marketplace.offering, marketplace.serviceprovider, marketplace.screenshot
PROCESSING, OK, ERRED = "Processing", "OK", "Erred"
# A run that was killed leaves its configuration in Processing; the next day's takes it up again.
GIVEN_UP_AFTER = timedelta(hours=23)


@dataclass(frozen=True)
class Category:
    """A category here, and the one there whose offerings it takes; ``remote`` is of 32 hex digits."""

    id: int
    local_id: int
    remote: str
    remote_name: str


@dataclass(frozen=True)
class Synchronisation:
    """One configuration: an organization at a remote whose offerings a provider here sells.

    ``images`` and ``screenshots`` are those that are known already, by the offering's uuid there: the picture's uuid
    there, the screenshots'.
    """

    id: int
    name: str
    organization: str
    customer_id: int
    remote: Remote
    categories: tuple[Category, ...]
    images: Mapping[str, str] = field(default_factory=dict, repr=False)
    screenshots: Mapping[str, frozenset[str]] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        return f"offerings of {self.name} at {self.remote.api_url}"


def begin(work: Work) -> list[Synchronisation]:
    """The active configurations that nobody is at work on; they are marked as being processed."""
    stuck = configured.c.modified < work.as_of - GIVEN_UP_AFTER
    due = and_(configured.c.is_active, or_(configured.c.state != PROCESSING, stuck))
    rows = work.connection.execute(
        select(configured, provider.c.customer_id)
        .join(provider, provider.c.id == configured.c.local_service_provider_id)
        .where(due)
        .order_by(configured.c.id)
        .with_for_update(of=configured, skip_locked=True)
    ).all()
    ids = [row.id for row in rows]
    begun = {"state": PROCESSING, "error_message": "", "last_output": "", "modified": work.as_of}
    work.execute(update(configured).where(configured.c.id.in_(ids)).values(begun))
    categories = _categories(work, ids)
    return [_synchronisation(work, row, categories.get(row.id, ())) for row in rows]


def of_organization(place: Synchronisation) -> Any:
    """Whether an offering is one that a configuration is about."""
    there = func.replace(offering.c.secret_options["customer_uuid"].astext, "-", "")
    return and_(offering.c.type == TYPE, offering.c.customer_id == place.customer_id, there == place.organization)


def end(work: Work, place: Synchronisation, output: Sequence[str], error: str = "") -> None:
    """Note how it went."""
    values = {
        "state": ERRED if error else OK,
        "error_message": error,
        "last_output": "\n".join(output),
        "last_execution": work.as_of,
        "modified": work.as_of,
    }
    length = work.schema.tables[configured.name]["last_output"].length  # it was a short text once
    values["last_output"] = str(values["last_output"])[:length]
    work.execute(update(configured).where(configured.c.id == place.id).values(values))


def rename_categories(work: Work, place: Synchronisation, names: Mapping[str, str]) -> None:
    """Keep what the remote calls its categories, where the site has room for that."""
    told = [(one, names.get(one.remote, one.remote_name)[:255]) for one in place.categories]
    changed = [{"id": one.id, "name": name} for one, name in told if name != one.remote_name]
    if changed and work.schema.has_column(mapping.c.remote_category_name):
        given = given_rows(changed, id=Integer, name=Text)
        work.execute(update(mapping).where(mapping.c.id == given.c.id).values(remote_category_name=given.c.name))


def _categories(work: Work, ids: Sequence[int]) -> Mapping[int, Sequence[Category]]:
    named = work.schema.has_column(mapping.c.remote_category_name)
    columns = [mapping.c[name] for name in ("id", "remote_synchronisation_id", "local_category_id", "remote_category")]
    if named:
        columns.append(mapping.c.remote_category_name)
    found: dict[int, list[Category]] = defaultdict(list)
    chosen = select(*columns).where(mapping.c.remote_synchronisation_id.in_(ids)).order_by(mapping.c.id)
    for row in work.connection.execute(chosen):
        name = row.remote_category_name if named else ""
        found[row.remote_synchronisation_id].append(
            Category(row.id, row.local_category_id, row.remote_category.hex, name)
        )
    return found


def _synchronisation(work: Work, row: Any, categories: Sequence[Category]) -> Synchronisation:
    keep_secret(row.token)
    remote = Remote(address_of_api(work, row.api_url), row.token, work.deployment.remote_waldurs.verify_tls)
    organization = row.remote_organization_uuid.hex
    place = Synchronisation(
        row.id, row.remote_organization_name, organization, row.customer_id, remote, tuple(categories)
    )
    known = of_organization(place)
    images = work.connection.execute(
        select(offering.c.backend_id, hex_of(offering.c.remote_image_uuid).label("image")).where(
            known, offering.c.remote_image_uuid.is_not(None)
        )
    ).all()
    shots: dict[str, set[str]] = defaultdict(set)
    kept = select(offering.c.backend_id, screenshot.c.backend_id.label("screenshot"))
    for shot in work.connection.execute(
        kept.join(screenshot, screenshot.c.offering_id == offering.c.id).where(known, screenshot.c.backend_id != "")
    ):
        shots[uuid_text(shot.backend_id)].add(shot.screenshot)
    return replace(
        place,
        images={uuid_text(image.backend_id): image.image for image in images},
        screenshots={uuid: frozenset(found) for uuid, found in shots.items()},
    )
