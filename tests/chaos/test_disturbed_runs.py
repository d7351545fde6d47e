"""Real runs that are killed, that meet others, and whose database is disturbed: `make chaos` at its smallest."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from tests.chaos.kills import kill
from tests.chaos.launcher import Launcher
from tests.chaos.outages import full_disk, held_back, restarted, small_disk
from tests.chaos.places import Place, Scene, placed
from tests.chaos.scenes import all_scenes
from tests.chaos.servers import ChaosServer
from tests.chaos.steps import small_site
from tests.chaos.together import together
from tests.chaos.trials import Usual, usual
from waldur_dagster.definitions import implemented_entries
from waldur_dagster.deployment import parse_deployment
from waldur_dagster.schema.generations import Generation
from waldur_dagster.site import Site

BILLING, ENDS = "waldur-create-invoices", "terminate_expired_resources"
SMALL = Scene(
    "small",
    datetime(2025, 6, 1, 4, tzinfo=UTC),
    lambda engine, _: (small_site(engine), None)[1],
    lambda: [BILLING],
    {"first_month": "2025-01"},
    generation=Generation.OCTOBER_2024,
)


@pytest.fixture(scope="module")
def launcher() -> Iterator[Launcher]:
    with Launcher() as made:
        yield made


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("chaos")
    server = ChaosServer(folder / "postgresql")
    with placed(SMALL, server.url, folder, server.restart) as made:
        yield made


@pytest.fixture(scope="module")
def undisturbed(launcher: Launcher, place: Place) -> Usual:
    found = usual(launcher, place, BILLING)
    assert found.runs[0].status == 0 and any(table == "invoices_invoice" for table, _ in found.rows.counts)
    return found


def first_write(points: list[str]) -> int:
    return next(n for n, words in enumerate(points, 1) if words.startswith("INSERT INTO invoices"))


def last_commit(points: list[str]) -> int:
    return len(points) - points[::-1].index("COMMIT")


@pytest.mark.parametrize("where", [first_write, last_commit])
def test_a_billing_that_is_killed_is_done_once_by_the_next_run(
    launcher: Launcher, place: Place, undisturbed: Usual, where: object
) -> None:
    assert kill(launcher, place, BILLING, where(undisturbed.points), undisturbed) == []  # type: ignore[operator]


def test_what_a_kill_leaves_undone_is_seen(launcher: Launcher, place: Place, undisturbed: Usual) -> None:
    with place.copied() as copy:
        launcher.run(copy.order(BILLING, at=first_write(undisturbed.points)))
        copy.settle()
        assert any("invoices_invoice lacks" in one for one in undisturbed.missed(copy))


def test_two_entries_at_once_leave_what_they_leave_one_after_the_other(launcher: Launcher, place: Place) -> None:
    with Launcher() as second:
        found = together([launcher, second], place, [BILLING, ENDS], lambda *names: usual(launcher, place, *names))
    assert found == []


def test_a_server_that_crashes_in_the_middle_costs_nothing(
    launcher: Launcher, place: Place, undisturbed: Usual
) -> None:
    assert restarted(launcher, place, BILLING, first_write(undisturbed.points), undisturbed) == []


def test_a_crash_at_a_commit_is_told_from_others_that_got_its_number(place: Place) -> None:
    """After a crash PostgreSQL gives the numbers of transactions that left no trace to the next ones."""
    with place.copied() as copy, Site(parse_deployment(place.document(copy.engine.url))) as site:
        dialect: Any = site.engine.dialect
        is_first = iter([True])

        def crash_and_commit(connection: Any) -> None:
            written = connection.driver_connection.execute("SELECT txid_current_if_assigned()").fetchone()[0]
            if written and next(is_first, False):
                place.restart()
                copy.engine.dispose()
                for _ in range(20):
                    with copy.engine.begin() as other:
                        number = other.scalar(text("SELECT txid_current()"))
                assert number >= written
            type(dialect).do_commit(dialect, connection)

        dialect.do_commit = crash_and_commit
        add = text("UPDATE structure_customer SET abbreviation = abbreviation || 'x'")
        site.do("entry", SMALL.as_of, lambda work: work.execute(add))
        with copy.engine.connect() as connection:
            assert set(connection.scalars(text("SELECT abbreviation FROM structure_customer"))) == {"x"}
        assert next(is_first, None) is None


def test_a_statement_that_takes_too_long_ends_the_run_and_the_next_one_does_it(
    launcher: Launcher, place: Place, undisturbed: Usual
) -> None:
    assert held_back(launcher, place, BILLING, first_write(undisturbed.points) - 1, undisturbed) == []


def test_a_full_disk_ends_the_run_and_the_next_one_does_it(
    launcher: Launcher, place: Place, undisturbed: Usual
) -> None:
    with small_disk(place.folder / "small") as disk:
        if disk is None:
            pytest.skip("this user may not mount a small disk")
        assert full_disk(launcher, place, BILLING, undisturbed, disk) == []


def test_every_entry_that_has_a_job_is_tried_on_one_scene() -> None:
    tried = [name for scene in all_scenes() for name in scene.entries()]
    assert sorted(tried) == sorted(implemented_entries())
