"""What was delivered is forgotten in time, and never sent again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, insert

from tests.outbox.messages import LETTER, letter
from tests.scene import BORN, Scene
from waldur_dagster.deployment_sections import Outbox
from waldur_dagster.outbox import operating, put
from waldur_dagster.outbox.tables import message

OPTIONS = Outbox(keep_days=30, keep_keys_days=400)


def _finished(scene: Scene, key: str, state: str, days: float) -> None:
    row = {"key": key, "kind": "mail", "entry": "e", "run_id": "", "payload": LETTER | {"to": ["you@x.org"]}}
    with scene.engine.begin() as connection:
        connection.execute(insert(message).values(**row, state=state, finished=func.now() - timedelta(days=days)))


@pytest.mark.parametrize(
    ("state", "days", "kept"),
    [
        ("delivered", 29, "all"),
        ("delivered", 31, "key"),
        ("delivered", 399, "key"),
        ("delivered", 401, "nothing"),
        ("dropped", 31, "key"),
        ("dropped", 401, "nothing"),
        ("given up", 401, "all"),
        ("perhaps delivered", 401, "all"),
        ("waiting", 401, "all"),
    ],
)
def test_texts_go_first_and_keys_later(scene: Scene, state: str, days: int, kept: str) -> None:
    _finished(scene, "a", state, days)
    assert operating.is_anything_to_forget(scene.engine, OPTIONS) == (kept != "all")
    operating.forget(scene.engine, OPTIONS)
    rows: list[Any] = scene.rows(message)
    found = "nothing" if not rows else "key" if rows[0].payload == {} else "all"
    assert found == kept
    assert not operating.is_anything_to_forget(scene.engine, OPTIONS)


def test_a_run_that_is_made_again_does_not_send_what_was_forgotten(scene: Scene) -> None:
    _finished(scene, "a", "delivered", 200)
    operating.forget(scene.engine, OPTIONS)
    with scene.site() as site, site.work("e", BORN) as work:
        assert put(work, [letter("a")]) == 0


def test_many_are_forgotten_in_batches(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operating, "BATCH", 3)
    for number in range(10):
        _finished(scene, str(number), "delivered", 31)
    assert operating.forget(scene.engine, OPTIONS) == 10
    assert {str(row.payload) for row in scene.rows(message)} == {"{}"}
