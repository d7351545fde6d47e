"""Whether a transaction was committed is told by its mark, also to who asks before that is decided."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from sqlalchemy import Connection, text

from tests.scene import Scene
from waldur_dagster.commits import is_committed, mark
from waldur_dagster.deployment_sections import Outbox
from waldur_dagster.outbox.operating import forget

WRITE = text("CREATE TABLE written AS SELECT 1 AS one")


def ask(scene: Scene, found: object) -> bool:
    with scene.engine.begin() as connection:
        return is_committed(connection, "entry", found)  # type: ignore[arg-type]


def wait_for_one_who_waits(connection: Connection) -> None:
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = :name")
    with connection.engine.connect() as other:
        while not other.scalar(waiting, {"name": connection.engine.url.database}):
            other.rollback()


@pytest.mark.parametrize("has_earlier", [False, True])
@pytest.mark.parametrize("committed", [False, True])
def test_a_commit_that_is_under_way_is_waited_for(scene: Scene, has_earlier: bool, committed: bool) -> None:
    if has_earlier:
        with scene.engine.begin() as connection:
            connection.execute(text("CREATE TABLE earlier AS SELECT 1 AS one"))
            earlier = mark(connection, "entry")
        assert ask(scene, earlier)
    with scene.engine.connect() as connection, ThreadPoolExecutor(1) as other:
        connection.execute(WRITE)
        answer = other.submit(ask, scene, mark(connection, "entry"))
        wait_for_one_who_waits(connection)
        (connection.commit if committed else connection.rollback)()
        assert answer.result(timeout=30) is committed


def test_what_has_written_nothing_has_no_mark_and_leaves_none(scene: Scene) -> None:
    with scene.engine.begin() as connection:
        connection.execute(text("SELECT count(*) FROM structure_customer"))
        assert mark(connection, "entry") is None
        assert connection.scalar(text("SELECT txid_current_if_assigned()")) is None
    assert not ask(scene, uuid4())


def test_old_marks_are_forgotten_with_old_messages(scene: Scene) -> None:
    for entry in ("old", "entry"):
        with scene.engine.begin() as connection:
            connection.execute(text(f"CREATE TABLE written_by_{entry} AS SELECT 1 AS one"))
            found = mark(connection, entry)
    with scene.engine.begin() as connection:
        connection.execute(
            text("UPDATE waldur_dagster.last_commit SET made = now() - interval '25 h' WHERE entry = 'old'")
        )
    forget(scene.engine, Outbox())
    with scene.engine.connect() as connection:
        assert connection.scalars(text("SELECT entry FROM waldur_dagster.last_commit")).all() == ["entry"]
    assert ask(scene, found)
