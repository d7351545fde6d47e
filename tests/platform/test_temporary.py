"""Rows that the program makes reach the database as they were made, however many."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy import Integer, Numeric, Text, func, select, text
from sqlalchemy.dialects.postgresql import JSONB

from tests.scene import Scene
from tests.statements import counted
from waldur_dagster.outbox import Handover, put
from waldur_dagster.outbox.origin import origin
from waldur_dagster.temporary import Spool

APRIL = datetime(2025, 4, 1, tzinfo=UTC)
ODD = ['"quoted"', "back\\slash\\n", "tab\tline\nreturn\r", "\x01\x02\x1f", "õ € 😀", "\\.", "", None]


def test_spooled_rows_keep_odd_texts_decimals_and_order(scene: Scene) -> None:
    with scene.site() as site, site.work("test", APRIL) as work:
        with Spool(work, "odd", words=Text, amount=Numeric, facts=JSONB) as spool:
            for words in ODD:
                spool.add(words=words, amount=Decimal("0.0000000001"), facts={"words": words})
            rows = spool.loaded()
        found = work.connection.execute(select(rows).order_by(rows.c.position)).all()
    assert [row.words for row in found] == [row.facts["words"] for row in found] == ODD
    assert {row.amount for row in found} == {Decimal("0.0000000001")}


def test_rows_may_be_spooled_from_a_query_that_is_still_streaming(scene: Scene) -> None:
    with scene.site() as site, site.work("test", APRIL) as work:
        with Spool(work, "doubled", number=Integer, words=Text) as spool:
            for number in work.connection.execute(
                text("SELECT generate_series(1, 20000)"), execution_options={"stream_results": True}
            ).scalars():
                spool.add(number=number, words="x" * 100)
            assert len(spool) == 20000
            rows = spool.loaded()
        assert work.connection.scalar(select(func.sum(rows.c.number))) == 20000 * 20001 / 2


def test_many_messages_take_as_many_statements_as_one_and_doubled_keys_are_put_once(scene: Scene) -> None:
    with scene.site() as site, site.work("test", APRIL) as work:
        origin(work.connection, work.deployment)  # is asked once for each connection
        with counted(work.connection) as for_one:
            assert put(work, [Handover(key="first", task="task")]) == 1
        with counted(work.connection) as for_many:
            assert put(work, (Handover(key=f"key {n // 2}", task="task", args=[n]) for n in range(5000))) == 2500
        assert len(for_many) == len(for_one)
        assert work.outcome.figures["handovers"] == 2501


def test_messages_that_are_put_again_may_name_a_key_twice(scene: Scene) -> None:
    doubled = [Handover(key="one", task="task"), Handover(key="one", task="task"), Handover(key="two", task="task")]
    with scene.site() as site, site.work("test", APRIL) as work:
        assert put(work, doubled, again=True) == 2
        assert put(work, doubled, again=True) == 2
