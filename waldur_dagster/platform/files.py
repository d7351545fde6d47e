"""Files that Waldur keeps in its database: pictures of offerings, icons of templates (spec remote 3, write 2)."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import delete

from waldur_dagster.clients.pictures import Picture
from waldur_dagster.schema.media import file
from waldur_dagster.work import Work


def drop_files(work: Work, names: Collection[str | None]) -> None:
    if names := [name for name in names if name]:
        work.execute(delete(file).where(file.c.name.in_(names)))


def store_files(work: Work, pictures: Mapping[str, Picture]) -> None:
    """Keep pictures under their names, of which none may be in use."""
    work.insert(
        file,
        [
            {
                "name": name,
                "content": picture.content,
                "size": len(picture.content),
                "mime_type": picture.mime_type,
                "hash": picture.hash,
            }
            for name, picture in pictures.items()
        ],
    )
