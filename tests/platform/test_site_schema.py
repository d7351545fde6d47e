"""Sites run older and newer schemas: what rows need there, and what is missing (design decision 7)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import literal, select, text

from tests.scene import Scene
from waldur_dagster.database.site_schema import SiteSchema, UnknownDemandedColumn
from waldur_dagster.schema import logging

NOW = datetime(2025, 4, 1, 10, tzinfo=UTC)
EVENT = {
    "uuid": "5a1ae4a2-0c36-4f53-9ab5-31ef5c7e6a01",
    "created": NOW,
    "event_type": "t",
    "message": "m",
    "context": {},
}


def _alter(scene: Scene, change: str) -> None:
    with scene.engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE logging_event {change}"))


def _novelty(scene: Scene) -> Any:
    with scene.engine.connect() as connection:
        return connection.execute(text("SELECT novelty FROM logging_event")).scalar_one()


@pytest.mark.parametrize("from_select", [True, False], ids=["selected rows", "given rows"])
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("boolean", False),
        ("varchar(10)", ""),
        ("text", ""),
        ("smallint", 0),
        ("bigint", 0),
        ("numeric(8,2)", 0),
        ("double precision", 0.0),
        ("jsonb", {}),
        ("text[]", []),
        ("date", date(2025, 4, 1)),
        ("timestamptz", NOW),
        ("bytea", b""),
    ],
)
def test_an_unknown_column_that_must_be_given_gets_the_neutral_value(
    scene: Scene, kind: str, value: Any, from_select: bool
) -> None:
    _alter(scene, f"ADD COLUMN novelty {kind} NOT NULL")
    with scene.site() as site, site.work("e", NOW) as work:
        if from_select:
            row = select(*(literal(fact, logging.event.c[name].type).label(name) for name, fact in EVENT.items()))
            work.execute(work.insert_from(logging.event, row))
        else:
            work.insert(logging.event, [EVENT])
    assert _novelty(scene) == value


def test_an_unknown_uuid_is_a_new_one_in_every_row(scene: Scene) -> None:
    _alter(scene, "ADD COLUMN novelty uuid NOT NULL UNIQUE")
    with scene.site() as site, site.work("e", NOW) as work:
        work.insert(logging.event, [EVENT, EVENT | {"uuid": "5a1ae4a2-0c36-4f53-9ab5-31ef5c7e6a02"}])
    assert len(scene.rows(logging.event)) == 2


@pytest.mark.parametrize("demand", ["text", "text NOT NULL DEFAULT 'theirs'", "bigint GENERATED ALWAYS AS IDENTITY"])
def test_a_column_that_need_not_be_given_is_left_to_the_database(scene: Scene, demand: str) -> None:
    _alter(scene, f"ADD COLUMN novelty {demand}")
    with scene.site() as site, site.work("e", NOW) as work:
        work.insert(logging.event, [EVENT])
    assert _novelty(scene) in (None, "theirs", 1)


def test_a_column_of_an_unknown_type_is_named_and_nothing_is_written(scene: Scene) -> None:
    with scene.engine.begin() as connection:
        connection.execute(text("CREATE TYPE mood AS ENUM ('good', 'bad')"))
    _alter(scene, "ADD COLUMN novelty mood NOT NULL")
    assert SiteSchema(scene.engine).unfillable(logging.event) == ["logging_event.novelty (mood)"]
    with pytest.raises(UnknownDemandedColumn) as problem, scene.site() as site, site.work("e", NOW) as work:
        work.insert(logging.event, [EVENT])
    assert "logging_event.novelty (mood)" in str(problem.value)
    assert scene.rows(logging.event) == []


def test_an_older_schema_lacks_tables_and_columns_by_name(scene: Scene) -> None:
    with scene.engine.begin() as connection:
        connection.execute(text("DROP TABLE logging_feed"))
    _alter(scene, "DROP COLUMN context, DROP COLUMN message")
    schema = SiteSchema(scene.engine)
    assert schema.missing(logging.feed) == ["logging_feed"]
    assert sorted(schema.missing(logging.event)) == ["logging_event.context", "logging_event.message"]
    assert schema.missing(logging.webhook) == []


def test_tables_of_other_schemas_are_none_of_waldurs(scene: Scene) -> None:
    with scene.engine.begin() as connection:
        connection.execute(text("ALTER TABLE logging_feed RENAME TO elsewhere"))
        connection.execute(text("CREATE SCHEMA other CREATE TABLE logging_feed (id int)"))
    assert SiteSchema(scene.engine).missing(logging.feed) == ["logging_feed"]
