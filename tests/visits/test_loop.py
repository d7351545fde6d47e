"""Visiting items of several systems: who is told of what fails, and that nothing else suffers from it."""

import logging
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text, update

from tests.scene import Scene
from waldur_dagster.clients.failures import ItemFailed, LoginRefused, SystemFailed, VisitFailed
from waldur_dagster.outcome import Outcome
from waldur_dagster.schema import structure
from waldur_dagster.site import Site
from waldur_dagster.visits import Partly, Stop, Visit, visit
from waldur_dagster.work import Work

ENTRY = "a visit"
NOW = datetime(2025, 3, 10, 9, 30, tzinfo=UTC)
customer = structure.customer


def stops(**systems: int) -> list[Stop[int]]:
    return [Stop(system, f"{system} {n}", n) for system, count in systems.items() for n in range(count)]


def journey(site: Site, chosen: list[Stop[Any]], fetch: Any, merge: Any = lambda *_: None, **options: Any) -> Outcome:
    visit(site.transactions(ENTRY, NOW), chosen, fetch, merge, **options)
    return site.outcome


def test_a_failed_item_stops_nobody(scene: Scene) -> None:
    def fetch(_: Visit, n: int) -> int:
        if n == 3:
            raise ItemFailed("is locked")
        if n == 4:
            raise KeyError("id")
        return n

    merged: list[int] = []
    with scene.site() as site:
        outcome = journey(site, stops(cloud=10), fetch, lambda _, __, fetched: merged.append(fetched))
    assert sorted(merged) == [0, 1, 2, 5, 6, 7, 8, 9]
    assert {(f.item, f.problem) for f in outcome.failures} == {("cloud 3", "is locked"), ("cloud 4", "KeyError: 'id'")}


def test_a_merge_that_fails_takes_back_its_own_rows(scene: Scene) -> None:
    one, two = (scene.add(customer, name=name) for name in ("one", "two"))

    def merge(work: Work, id: int, _: None) -> None:
        work.execute(update(customer).where(customer.c.id == id).values(name="merged"))
        if id == one:
            work.connection.execute(text("INSERT INTO structure_project (customer_id) VALUES (-1)"))

    told: list[str] = []
    with scene.site() as site:
        chosen = [Stop("cloud", f"customer {id}", id) for id in (one, two)]
        outcome = journey(site, chosen, lambda *_: None, merge, failed=lambda *a: told.append(str(a[2])))
    assert [row.name for row in scene.rows(customer)] == ["one", "merged"]
    assert [f.item for f in outcome.failures] == [f"customer {one}"]
    assert len(told) == 1


def test_a_broken_reference_is_the_item_s_own_failure(scene: Scene) -> None:
    """Waldur's foreign keys are checked at the end of the transaction, when it would be too late to tell whose."""
    project = structure.project
    ids = [scene.project(scene.customer(), name=f"p{n}") for n in range(3)]

    def merge(work: Work, id: int, _: None) -> None:
        values = {"name": "merged"} | ({"customer_id": -1} if id == ids[1] else {})
        work.execute(update(project).where(project.c.id == id).values(values))

    with scene.site() as site:
        outcome = journey(site, [Stop("cloud", str(id), id) for id in ids], lambda *_: None, merge)
    assert [row.name for row in scene.rows(project)] == ["merged", "p1", "merged"]
    assert [f.item for f in outcome.failures] == [str(ids[1])]


def test_a_system_that_is_down_is_told_once_and_the_others_are_visited(scene: Scene) -> None:
    asked: Counter[str] = Counter()

    def fetch(_: Visit, facts: tuple[str, int]) -> None:
        asked[facts[0]] += 1
        if facts[0] == "down":
            raise SystemFailed("GET /v3 was not answered: ConnectError")

    chosen = [Stop(name, f"{name} {n}", (name, n)) for name in ("down", "up") for n in range(50)]
    with scene.site() as site:
        outcome = journey(site, chosen, fetch, parallel=2)
    assert asked["up"] == 50
    assert 3 <= asked["down"] <= 5
    (told,) = [f for f in outcome.failures if f.item == "down"]
    assert told.problem == f"{50 - asked['down']} of its items were not visited: GET /v3 was not answered: ConnectError"


def test_a_system_that_answers_now_and_then_is_not_down(scene: Scene) -> None:
    def fetch(_: Visit, n: int) -> None:
        if n % 3:
            raise SystemFailed("HTTP 503")

    with scene.site() as site:
        outcome = journey(site, stops(cloud=30), fetch, parallel=1)
    assert outcome.figures["visited"] == 30


def test_credentials_are_tried_once(scene: Scene) -> None:
    made: list[str] = []

    def login() -> None:
        made.append("login")
        time.sleep(0.05)
        raise LoginRefused("HTTP 401")

    with scene.site() as site:
        outcome = journey(site, stops(cloud=20), lambda v, _: v.client("admin", login))
    assert made == ["login"]
    assert "of its items were not visited: HTTP 401" in outcome.failures[-1].problem


def test_one_client_for_each_credentials_is_closed_at_the_end(scene: Scene) -> None:
    class Client:
        closed = False

        def close(self) -> None:
            self.closed = True

    clients: list[Client] = []

    def make() -> Client:
        clients.append(Client())
        return clients[-1]

    with scene.site() as site:
        journey(site, stops(a=10, b=10), lambda v, n: v.client(n % 2, make))
    assert len(clients) == 4
    assert all(client.closed for client in clients)


def test_what_came_of_an_item_is_kept_though_the_rest_did_not_come(scene: Scene) -> None:
    def fetch(_: Visit, n: int) -> str:
        raise Partly("networks", SystemFailed("HTTP 500"))

    merged: list[str] = []
    stored: list[VisitFailed] = []

    def failed(_: Work, __: int, problem: VisitFailed) -> bool:
        stored.append(problem)
        return True

    with scene.site() as site:
        outcome = journey(site, stops(a=1), fetch, lambda _, __, fetched: merged.append(fetched), failed=failed)
    assert (merged, [str(p) for p in stored]) == (["networks"], ["HTTP 500"])
    assert (outcome.failures, [w.problem for w in outcome.warnings]) == ([], ["HTTP 500"])


def test_no_transaction_is_open_while_fetching_and_one_connection_is_used(scene: Scene) -> None:
    seen: list[Any] = []
    ours = "WHERE application_name = 'waldur-dagster'"
    sessions = text(f"SELECT count(*), count(xact_start) FROM pg_stat_activity {ours}")

    def fetch(_: Visit, n: int) -> None:
        time.sleep(0.05)
        with scene.engine.connect() as connection:
            seen.append(connection.execute(sessions).one())

    for dry_run in (False, True):
        with scene.site(dry_run=dry_run) as site:
            assert site.schema.tables
            with site.transactions(ENTRY, NOW)():
                pass
            journey(site, stops(a=3), fetch, parallel=1)
    assert set(map(tuple, seen)) == {(1, 0)}


def test_few_items_are_in_flight_and_few_of_one_system(scene: Scene) -> None:
    now: Counter[str] = Counter()
    most: Counter[str] = Counter()
    lock = threading.Lock()

    def fetch(_: Visit, name: str) -> None:
        with lock:
            now.update([name, "all"])
            most.update({n: max(0, now[n] - most[n]) for n in (name, "all")})
        time.sleep(0.005)
        with lock:
            now.subtract([name, "all"])

    chosen = [Stop(f"s{s}", f"s{s} {n}", f"s{s}") for s in range(10) for n in range(10)]
    with scene.site() as site:
        journey(site, chosen, fetch)
    assert most["all"] <= 16
    assert max(most[f"s{s}"] for s in range(10)) <= 4


def test_a_dry_run_reads_lists_changes_and_makes_none(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.add(customer, name="as it was")
    done: list[int] = []

    def fetch(v: Visit, n: int) -> None:
        v.change(f"delete account {n}", lambda: done.append(n))

    def merge(work: Work, *_: Any) -> None:
        work.execute(update(customer).values(name="changed"))

    with caplog.at_level(logging.INFO), scene.site(dry_run=True) as site:
        outcome = journey(site, stops(ipa=3), fetch, merge)
    assert done == []
    assert outcome.figures["outside changes that would be made"] == 3
    assert "Would: delete account 1" in caplog.text
    assert scene.one(customer).name == "as it was"
    with scene.site() as site:
        journey(site, stops(ipa=3), fetch, merge)
    assert (sorted(done), scene.one(customer).name) == ([0, 1, 2], "changed")


def test_the_log_tells_how_far_it_is(
    scene: Scene, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waldur_dagster.visits.loop.PROGRESS", 0.05)
    with caplog.at_level(logging.INFO), scene.site() as site:
        journey(site, stops(a=4), lambda *_: time.sleep(0.06), parallel=1)
    told = [r.getMessage() for r in caplog.records if "visited" in r.getMessage()]
    assert len(told) > 2
    assert told[-1].startswith("4 of 4 visited, 0 of them failed")
