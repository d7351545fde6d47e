"""Generic references: pairs of content type and object id (spec core 1.3)."""

from __future__ import annotations

from sqlalchemy import Connection, select

from waldur_dagster.schema import django


class UnknownContentType(Exception):
    """The site has no content type of that name: the app is not installed, or the database is no Waldur's."""


class ContentTypes:
    """Ids of content types by app and model; they differ between sites, so they are read once for each run."""

    def __init__(self, connection: Connection):
        rows = connection.execute(select(django.content_type))
        self._ids = {(row.app_label, row.model): row.id for row in rows}

    def __call__(self, app_label: str, model: str) -> int:
        """The id, e.g. ``content_types("structure", "customer")``. Raises UnknownContentType."""
        try:
            return self._ids[app_label, model]
        except KeyError:
            raise UnknownContentType(f"django_content_type has no row {app_label}.{model}") from None

    def get(self, app_label: str, model: str) -> int | None:
        return self._ids.get((app_label, model))
