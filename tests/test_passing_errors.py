"""Errors of the database that pass: the step is tried again as a whole, and counted once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from tests.scene import Scene
from tests.sessions import OURS, ending
from waldur_dagster import site as site_module
from waldur_dagster.platform.isolation import isolated
from waldur_dagster.schema import structure
from waldur_dagster.site import TRIES, AlreadyRunning, Interrupted, Site
from waldur_dagster.visits import Stop, visit
from waldur_dagster.work import Work

NOW = datetime(2025, 4, 1, tzinfo=UTC)
customer = structure.customer
END_ALL = ending(OURS)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site_module, "PAUSES", site_module.wait_random(0, 0.05))


def on_server(scene: Scene, statement: str, **values: Any) -> None:
    with scene.engine.begin() as connection:
        connection.execute(text(statement), values)


def rename(work: Work, name: str = "after") -> None:
    work.outcome.warn("customer", "is renamed")
    work.execute(customer.update().values(name=name, abbreviation=customer.c.abbreviation + "x"))


def failing(times: int, fail: Callable[[Work], object]) -> Callable[[Work], None]:
    """A step that renames all customers, and then meets trouble the first few times."""
    tries = iter(range(times))

    def step(work: Work) -> None:
        rename(work)
        if next(tries, None) is not None:
            fail(work)

    return step


def raised(code: str) -> Callable[[Work], object]:
    """An error of that code, from the server itself."""
    return lambda work: work.connection.execute(text(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{code}'; END $$"))


@pytest.mark.parametrize("code", ["40001", "40P01", "55P03", "57P01", "08006"])
def test_a_step_that_a_passing_error_ends_is_tried_again_and_counted_once(scene: Scene, code: str) -> None:
    scene.customer("before")
    notes: list[str] = []
    with scene.site() as site:
        _, outcome = site.do("entry", NOW, failing(2, raised(code)), notes.append)
    renamed = scene.one(customer)
    assert (renamed.name, renamed.abbreviation) == ("after", "x")
    assert outcome == site.outcome
    assert outcome.rows["structure_customer"]["updated"] == 1 and len(outcome.warnings) == 1
    assert ["tried again (try 2 of" in notes[0], "tried again (try 3 of" in notes[1]] == [True, True]


@pytest.mark.parametrize("where", ["in a statement", "between statements"])
def test_a_dropped_connection_is_made_anew_with_its_lock_before_the_next_try(scene: Scene, where: str) -> None:
    scene.customer("before")

    def drop(work: Work) -> None:
        if where == "in a statement":
            work.connection.execute(text(END_ALL))
        on_server(scene, END_ALL)
        rename(work)

    with scene.site() as site, scene.site() as other:
        site.do("entry", NOW, failing(1, drop))
        with pytest.raises(AlreadyRunning):
            other.do("entry", NOW, rename)
    assert scene.one(customer).abbreviation == "x"


def test_a_run_that_lost_its_lock_to_another_does_nothing_more(scene: Scene) -> None:
    scene.customer("before")
    with scene.site() as site, scene.site() as other:

        def lose(work: Work) -> None:
            on_server(scene, END_ALL)
            other.hold("entry")
            rename(work)

        with pytest.raises(Interrupted, match="is being done by another run"):
            site.do("entry", NOW, failing(9, lose))
    assert scene.one(customer).name == "before"


def test_after_the_last_try_nothing_of_the_step_is_done_and_the_reason_is_told(scene: Scene) -> None:
    scene.customer("before")
    with scene.site() as site, pytest.raises(Interrupted, match=f"tried {TRIES} times; nothing of this step is done"):
        site.do("entry", NOW, failing(99, raised("40P01")))
    assert scene.one(customer).name == "before" and not site.outcome.rows


def test_an_error_that_does_not_pass_is_not_tried_again(scene: Scene) -> None:
    scene.customer("before")
    with scene.site() as site, pytest.raises(ProgrammingError):
        site.do("entry", NOW, failing(1, lambda work: work.connection.execute(text("SELECT nothing"))))
    with scene.site() as site, pytest.raises(OperationalError):
        site.do("entry", NOW, failing(1, raised("57014")))  # it took too long, and would again


def test_a_dry_run_says_that_its_transaction_is_lost(scene: Scene) -> None:
    with scene.site(dry_run=True) as site, pytest.raises(Interrupted, match="one transaction over all its steps"):
        site.do("entry", NOW, failing(1, raised("40P01")))


def test_a_lock_that_is_free_a_little_later_is_waited_for(scene: Scene) -> None:
    held = scene.customer("before")
    url = scene.engine.url.render_as_string(hide_password=False)
    with scene.engine.connect() as holder, scene.site(database={"url": url, "lock_timeout": 1}) as site:
        holder.execute(text("SELECT FROM structure_customer WHERE id = :id FOR UPDATE"), {"id": held})
        release = threading.Timer(1.3, holder.rollback)
        release.start()
        site.do("entry", NOW, rename)
        release.join()
    assert scene.one(customer).name == "after"


@pytest.mark.parametrize("committed", [True, False])
def test_a_commit_whose_answer_was_lost_is_looked_up(scene: Scene, committed: bool) -> None:
    """Otherwise a step that is done would be done twice, or one that is not would be taken for done."""
    scene.customer("before")
    with scene.site() as site:
        _lose_one_commit(site, scene, committed=committed)
        _, outcome = site.do("entry", NOW, rename)
        assert outcome.rows["structure_customer"]["updated"] == 1 == site.outcome.rows["structure_customer"]["updated"]
    assert scene.one(customer).abbreviation == "x"


def _lose_one_commit(site: Site, scene: Scene, *, committed: bool) -> None:
    """The connection breaks after the server was told to commit, or just before."""
    dialect: Any = site.engine.dialect
    whole: Iterator[None] = iter([None])

    def commit(connection: Any) -> None:
        is_first = connection.driver_connection.info.transaction_status.name == "INTRANS" and _wrote(connection)
        lose = is_first and next(whole, "over") is None
        if lose and not committed:
            on_server(scene, END_ALL)
        type(dialect).do_commit(dialect, connection)
        if lose:
            on_server(scene, END_ALL)
            time.sleep(0.1)
            connection.driver_connection.execute("SELECT 1")

    dialect.do_commit = commit


def _wrote(connection: Any) -> bool:
    return bool(connection.driver_connection.execute("SELECT txid_current_if_assigned()").fetchone()[0])


def test_a_commit_that_the_database_refuses_costs_nobody_else(scene: Scene) -> None:
    """Waldur's foreign keys are looked at when everything is written."""
    scene.project(scene.customer("before"))
    with scene.site() as site:
        with pytest.raises(IntegrityError):
            site.do("entry", NOW, lambda work: work.execute(structure.project.update().values(customer_id=9999)))
        site.do("entry", NOW, rename)
    assert scene.one(customer).abbreviation == "x"


PASSING = pytest.mark.parametrize("code", ["40001", "40P01", "55P03"])


@PASSING
def test_an_item_of_a_visit_is_tried_again_after_a_passing_error_and_counted_once(scene: Scene, code: str) -> None:
    scene.customer("before")
    step = failing(2, raised(code))
    with scene.site() as site:
        _visit(site, lambda work, name, _: step(work) if name == "bad" else None)
    assert scene.one(customer).abbreviation == "x"
    assert site.outcome.failures == [] and site.outcome.figures["visited"] == 2
    assert site.outcome.rows["structure_customer"]["updated"] == 1 and len(site.outcome.warnings) == 1


@PASSING
def test_an_item_that_meets_one_each_time_is_told_after_the_last_try_and_the_others_are_done(
    scene: Scene, code: str
) -> None:
    scene.customer("before")
    tries: list[str] = []

    def merge(work: Work, name: str, _: object) -> None:
        tries.append(name)
        rename(work, name)
        if name == "bad":
            raised(code)(work)

    with scene.site() as site:
        _visit(site, merge)
    assert tries.count("bad") == TRIES and tries.count("good") == 1
    assert scene.one(customer).name == "good"
    assert [found.item for found in site.outcome.failures] == ["item bad"] and site.outcome.figures["visited"] == 2


@PASSING
def test_an_item_inside_a_step_has_the_step_tried_again_and_is_told_after_the_last_try(scene: Scene, code: str) -> None:
    scene.customer("before")

    def step(times: int) -> Callable[[Work], None]:
        item = failing(times, raised(code))

        def isolated_step(work: Work) -> None:
            with isolated(work, "item"):
                item(work)

        return isolated_step

    with scene.site() as site:
        _, once = site.do("entry", NOW, step(2))
        assert (once.failures, scene.one(customer).abbreviation) == ([], "x")
        _, often = site.do("entry", NOW, step(99))
    assert [found.item for found in often.failures] == ["item"] and scene.one(customer).abbreviation == "x"


def test_in_a_transaction_that_nobody_tries_again_an_item_is_told_at_once(scene: Scene) -> None:
    with scene.site() as site, site.work("entry", NOW) as work:
        with isolated(work, "item"):
            raised("40P01")(work)
        assert [found.item for found in work.outcome.failures] == ["item"]


def _visit(site: Site, merge: Any) -> None:
    stops = [Stop(name, f"item {name}", name) for name in ("bad", "good")]
    visit(site.transactions("entry", NOW), stops, lambda *_: None, merge)
