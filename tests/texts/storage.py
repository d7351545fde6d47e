"""Where a site keeps the texts of its operators: with the notifications today, in a table of its own in 2024."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from sqlalchemy import column, insert, inspect, table, text

from tests.scene import Scene
from waldur_dagster.schema import django

FORMS = ("2024", "8")
NEW = "core_notificationtemplate"


def keep(scene: Scene, form: str, texts: dict[str, str]) -> None:
    """Store texts by name, as a site of this generation does."""
    if form == "2024":
        for name, content in texts.items():
            scene.add(django.template, name=name, content=content)
        return
    now = datetime(2025, 1, 1, tzinfo=UTC)
    with scene.engine.begin() as connection:
        connection.execute(
            text(f"CREATE TABLE IF NOT EXISTS {NEW} (id serial PRIMARY KEY, path varchar(150) NOT NULL)")
        )
        connection.execute(text(f"ALTER TABLE {NEW} ADD COLUMN IF NOT EXISTS content text NOT NULL DEFAULT ''"))
        known = {found["name"] for found in inspect(connection).get_columns(NEW)}
        target = table(NEW, *map(column, sorted(known)))
        for name, content in texts.items():
            row = {
                "path": name,
                "content": content,
                "name": name,
                "uuid": uuid.uuid4(),
                "created": now,
                "modified": now,
            }
            connection.execute(insert(target).values({key: value for key, value in row.items() if key in known}))
