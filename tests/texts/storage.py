"""Where a site keeps the texts of its operators: with the notifications today, in a table of its own in 2024."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest
from sqlalchemy import column, insert, table

from tests.scene import Scene
from waldur_dagster.schema import django

FORMS = ("2024", pytest.param("8", marks=pytest.mark.generation("8")))
NOW = datetime(2025, 1, 1, tzinfo=UTC)


def keep(scene: Scene, form: str, texts: dict[str, str]) -> None:
    """Store texts by name, as a site of this generation does."""
    if form == "2024":
        for name, content in texts.items():
            scene.add(django.template, name=name, content=content)
        return
    names = ("path", "name", "content", "uuid", "created", "modified")
    target = table("core_notificationtemplate", *map(column, names))
    rows = [(name, name, content, uuid.uuid4(), NOW, NOW) for name, content in texts.items()]
    with scene.engine.begin() as connection:
        connection.execute(insert(target), [dict(zip(names, row, strict=True)) for row in rows])
