"""Pictures of offerings, which Waldur keeps as files in its database (spec remote 3, write 2)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Column, Integer, Text, func, select, update

from waldur_dagster.clients.pictures import Picture
from waldur_dagster.platform.expressions import given_rows
from waldur_dagster.platform.files import drop_files, store_files
from waldur_dagster.remote.component_rows import Pulled
from waldur_dagster.schema import marketplace, media
from waldur_dagster.work import Work

offering, file = marketplace.offering, media.file
# Folders of Waldur's by the column that names the file.
FOLDERS = {"thumbnail": "marketplace_service_offering_thumbnails", "image": "offering"}


def merge_pictures(work: Work, pulled: Sequence[Pulled], column: Column[Any] = offering.c.thumbnail) -> None:
    """Make a picture of offerings what their remotes show: stored where it is another one, gone where it is gone.

    Offerings of whose picture nothing is known, or whose picture could not be fetched, keep theirs.
    """
    wanted = {
        one.offering_id: one.catalogue.pictures[column.name] for one in pulled if column.name in one.catalogue.pictures
    }
    names: dict[int, str] = {}
    gone: set[str] = set()
    files: dict[str, Picture] = {}
    for row in _rows(work, column, wanted) if wanted else ():
        picture, own = wanted[row.id], f"{FOLDERS[column.name]}/{row.uuid.hex}"
        if picture is None:
            names[row.id] = ""
            gone.add(row.name)
        elif picture.hash != row.hash:
            names[row.id] = own
            gone |= {row.name, own}
            files[own] = picture
    drop_files(work, gone)
    store_files(work, files)
    if names:
        given = given_rows([{"id": id, "name": name} for id, name in names.items()], id=Integer, name=Text)
        differs = offering.c[column.name].is_distinct_from(given.c.name)
        named = update(offering).where(offering.c.id == given.c.id, differs)
        work.execute(named.values({column.name: given.c.name, "modified": work.as_of}))


def _rows(work: Work, column: Column[Any], ids: Collection[int]) -> Sequence[Any]:
    return work.connection.execute(
        select(offering.c.id, offering.c.uuid, column.label("name"), file.c.hash)
        .join_from(offering, file, file.c.name == func.nullif(column, ""), isouter=True)
        .where(offering.c.id.in_(ids))
        .order_by(offering.c.id)
        .with_for_update(of=offering)
    ).all()
