"""Robot accounts of resources at remotes: what is adopted, what stays, and how few requests it takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.processes import kill, started, wait_until
from tests.remote.catalogue_scenes import NOW, ORGANIZATION, RESOURCE, RemoteSite
from tests.remote.remote_waldur import RemoteWaldur, failing, serving_remote, stalling, uuid_of
from tests.scene import Scene
from tests.statements import counted
from waldur_dagster.outcome import Outcome
from waldur_dagster.remote.robot_accounts import pull_robot_accounts
from waldur_dagster.schema import logging, marketplace
from waldur_dagster.site import AlreadyRunning

ACCOUNT = 0xA
LISTED = "marketplace-robot-accounts"
CALL = f"GET {LISTED}"
RUN = """
import sys
from datetime import datetime, timezone
from waldur_dagster.deployment import parse_deployment
from waldur_dagster.remote.robot_accounts import pull_robot_accounts
from waldur_dagster.site import Site
with Site(parse_deployment({"database": {"url": sys.argv[1]}})) as site:
    pull_robot_accounts(site.transactions("entry", datetime(2025, 3, 10, tzinfo=timezone.utc)))
"""


class Robots:
    """A project with resources at a remote; the uuid of each there is that of its number."""

    def __init__(self, scene: Scene, remote: RemoteWaldur):
        self.site, self.scene, self.remote = RemoteSite(scene), scene, remote
        remote.objects[LISTED] = []
        self.project = scene.project(scene.customer("Customer"))
        self.offering = self.site.offering(remote, 1)

    def resource(self, number: int = 1, offering: int | None = None, **values: Any) -> int:
        facts = {"backend_id": uuid_of(RESOURCE, number), "slug": f"resource-{number}"}
        return self.scene.resource(self.project, offering or self.offering, None, f"R{number}", **facts | values)

    def there(self, number: int, type: str = "cicd", username: str = "bot", resource: int = 1, **values: Any) -> None:
        facts = {"uuid": uuid_of(ACCOUNT, number), "type": type, "username": username, "keys": []}
        of_resource = {"resource_uuid": uuid_of(RESOURCE, resource), "customer_uuid": uuid_of(ORGANIZATION, 1)}
        self.remote.objects[LISTED].append(facts | of_resource | values)

    def here(self, resource: int, number: int | None, type: str = "cicd", username: str = "bot", **values: Any) -> int:
        """An account, of this number at the remote, or made here."""
        uuid = "" if number is None else uuid_of(ACCOUNT, number)
        facts = {"backend_id": uuid, "type": type, "username": username, "keys": []} | values
        return self.scene.add(marketplace.robotaccount, resource_id=resource, **facts)

    def pull(self, **values: Any) -> Outcome:
        return self.site.run(pull_robot_accounts, **values)

    @property
    def rows(self) -> dict[int, tuple[str, str]]:
        return {row.id: (row.type, row.username) for row in self.scene.rows(marketplace.robotaccount)}

    @property
    def events(self) -> list[str]:
        return [row.event_type.removeprefix("resource_robot_account_") for row in self.scene.rows(logging.event)]


@pytest.fixture
def robots(scene: Scene) -> Iterator[Robots]:
    with serving_remote() as remote:
        yield Robots(scene, remote)


def test_accounts_are_made_changed_and_deleted_and_a_second_run_changes_nothing(robots: Robots) -> None:
    resource = robots.resource()
    robots.here(resource, 1, "gone")
    changed = robots.here(resource, 2, "cicd", "old", keys=["ssh a"])
    robots.there(2, "cicd", "new", keys=["ssh a"])
    robots.there(3, "hpc")
    assert robots.pull().failures == []
    assert robots.rows == {changed: ("cicd", "new"), changed + 1: ("hpc", "bot")}
    assert sorted(robots.events) == ["created", "deleted", "updated"]
    before = robots.scene.rows(marketplace.robotaccount)
    robots.pull()
    assert robots.scene.rows(marketplace.robotaccount) == before
    assert len(robots.events) == 3


def test_an_account_that_was_made_here_stays_until_one_of_its_type_takes_it_over(robots: Robots) -> None:
    resource = robots.resource()
    adopted, own = robots.here(resource, None, "cicd", "mine"), robots.here(resource, None, "hpc", "mine too")
    robots.pull()
    assert set(robots.rows) == {adopted, own}
    robots.there(1, "cicd", "theirs")
    robots.pull()
    assert robots.rows == {adopted: ("cicd", "theirs"), own: ("hpc", "mine too")}
    assert robots.scene.one(marketplace.robotaccount, id=adopted).backend_id == uuid_of(ACCOUNT, 1)
    assert robots.events == ["updated"]


def test_two_accounts_may_change_places(robots: Robots) -> None:
    resource = robots.resource()
    one, two = robots.here(resource, 1, "a", "one"), robots.here(resource, 2, "b", "two")
    robots.there(1, "b", "one")
    robots.there(2, "a", "two")
    assert robots.pull().failures == []
    assert robots.rows == {one: ("b", "one"), two: ("a", "two")}
    assert robots.events == ["updated", "updated"]


def test_accounts_that_cannot_be_kept_here_are_told_and_the_rest_is_done(robots: Robots) -> None:
    resource = robots.resource()
    kept = robots.here(resource, 1, "a", "one")
    robots.there(1, "a" * 6, "one")
    robots.there(2, "b", "x" * 33)
    robots.there(3, "c")
    robots.there(4, "c")
    outcome = robots.pull()
    assert robots.rows == {kept: ("a", "one"), kept + 1: ("c", "bot")}
    assert len(outcome.warnings) == 3 and outcome.failures == []


def test_terminated_resources_and_those_without_uuid_are_passed_over(robots: Robots) -> None:
    robots.here(robots.resource(1, state=6), 1)
    robots.here(robots.resource(2, backend_id=""), 2)
    assert robots.pull().failures == []
    assert len(robots.rows) == 2 and robots.remote.calls.total() == 0


def test_one_account_that_cannot_be_read_keeps_nobody_else_waiting(robots: Robots) -> None:
    first, *_ = [robots.resource(number) for number in range(1, 26)]
    kept = robots.here(first, 1, "a")
    robots.there(1, type=None)  # type: ignore[arg-type]
    robots.there(2, resource=2)
    outcome = robots.pull()
    assert robots.rows == {kept: ("a", "bot"), kept + 1: ("cicd", "bot")}
    assert [one.item.partition(" (")[0] for one in outcome.failures] == ["resource R1"]


def test_one_resource_that_cannot_be_asked_again_keeps_nobody_else_waiting(robots: Robots) -> None:
    first, *_ = [robots.resource(number) for number in range(1, 26)]
    kept = robots.here(first, 1, "a")
    robots.there(2, resource=2)
    robots.remote.fault = lambda _, __, query: (403, {"detail": "No."}) if "resource_uuid" in query else None
    outcome = robots.pull()
    assert robots.rows == {kept: ("a", "bot"), kept + 1: ("cicd", "bot")}
    assert [one.item.partition(" (")[0] for one in outcome.failures] == ["resource R1"]


def test_a_list_that_does_not_say_whose_accounts_it_has_is_asked_for_singly(robots: Robots) -> None:
    for number in range(1, 26):
        robots.resource(number)
        robots.there(number, resource=number)

    def silent(_: str, __: str, query: dict[str, str]) -> Any:
        if "customer_uuid" not in query:
            return None
        return 200, [{"uuid": one["uuid"], "type": "cicd"} for one in robots.remote.objects[LISTED]]

    robots.remote.fault = silent
    assert robots.pull().failures == []
    assert len(robots.rows) == 25


def test_no_remote_deletes_most_robot_accounts(robots: Robots) -> None:
    for number in range(10):
        robots.here(robots.resource(number), number)
    for number in range(4):
        robots.there(number, resource=number)
    outcome = robots.pull()
    assert len(robots.rows) == 10
    assert "6 of 10 robot accounts are gone" in outcome.failures[0].problem
    assert robots.pull(remote_waldurs={"may_lose": 1}).failures == []
    assert len(robots.rows) == 4


def test_of_many_resources_all_accounts_are_listed_at_once(robots: Robots) -> None:
    """What the list has nothing of, but is known here, is asked for by itself: lists leave out what one may not see."""
    for number in range(25):
        resource = robots.resource(number)
        if number < 3:
            robots.here(resource, number)
        if number:
            robots.there(number, resource=number, username=f"bot-{number}")
    robots.there(30, resource=2, type="other", customer_uuid=uuid_of(ORGANIZATION, 2))
    assert robots.pull().failures == []
    assert robots.remote.calls == {CALL: 2}
    assert sorted(name for _, name in robots.rows.values()) == sorted(f"bot-{number}" for number in range(1, 25))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 502])
def test_an_error_changes_nothing(robots: Robots, status: int) -> None:
    kept = robots.here(robots.resource(), 1)
    robots.remote.fault = failing(LISTED, status)
    outcome = robots.pull()
    assert set(robots.rows) == {kept}
    assert len(outcome.failures) == 1 and robots.remote.token not in outcome.failures[0].problem


@pytest.mark.parametrize(
    "answer", [(200, b"junk"), (200, {}), (200, [], {"X-Result-Count": "1"}), (200, [{"uuid": uuid_of(ACCOUNT, 1)}])]
)
def test_an_answer_that_is_not_whole_changes_nothing(robots: Robots, answer: tuple[Any, ...]) -> None:
    kept = robots.here(robots.resource(), 1)
    robots.remote.fault = lambda *_: answer
    assert len(robots.pull().failures) == 1
    assert set(robots.rows) == {kept}


def test_of_three_remotes_two_that_fail_leave_the_third_alone(robots: Robots) -> None:
    robots.remote.page_size = 1
    for number in (1, 2):
        robots.there(number, f"t{number}")
    robots.remote.fault = failing(LISTED, 500, page=2)
    kept = robots.here(robots.resource(1), 9)
    with serving_remote() as fine, serving_remote() as down:
        down.url = "http://127.0.0.1:1"
        unreached = robots.here(robots.resource(2, robots.site.offering(down, 2)), 9)
        fine.objects[LISTED] = [
            {"uuid": uuid_of(ACCOUNT, 5), "type": "c", "username": "three", "resource_uuid": uuid_of(RESOURCE, 3)}
        ]
        robots.resource(3, robots.site.offering(fine, 3))
        outcome = robots.pull()
    assert [robots.rows[id] for id in (kept, unreached)] == [("cicd", "bot")] * 2
    assert ("c", "three") in robots.rows.values() and len(robots.rows) == 3
    assert len(outcome.failures) == 2


def test_of_two_runs_at_once_one_works_and_the_other_says_so(robots: Robots) -> None:
    robots.resource()
    for number in range(20):
        robots.there(number, f"t{number}")
    robots.remote.fault, go_on = stalling(0)
    run = started(RUN, robots.scene.engine.url.render_as_string(hide_password=False))
    wait_until(lambda: robots.remote.calls.total() > 0)
    with pytest.raises(AlreadyRunning):
        robots.pull()
    go_on.set()
    assert run.wait(timeout=60) == 0
    assert len(robots.rows) == 20
    assert robots.events == ["created"] * 20


def test_a_run_that_is_killed_leaves_whole_remotes(robots: Robots) -> None:
    gone = robots.here(robots.resource(), 1)
    robots.remote.fault, go_on = stalling(0)
    run = started(RUN, robots.scene.engine.url.render_as_string(hide_password=False))
    wait_until(lambda: robots.remote.calls.total() > 0)
    kill(run, robots.scene.engine)
    assert set(robots.rows) == {gone}
    go_on.set()
    robots.remote.fault = lambda *_: None
    robots.pull()
    assert robots.rows == {}


def test_statements_do_not_grow_with_accounts(robots: Robots) -> None:
    robots.resource()

    def statements(count: int, first: int) -> int:
        for number in range(first, first + count):
            robots.there(number, f"{number}")
        with counted(Engine) as seen:
            robots.pull()
        return len(seen)

    assert statements(3, 0) == statements(30, 100)


@pytest.mark.generation("8")
def test_on_newer_sites_new_accounts_are_ok(robots: Robots) -> None:
    robots.resource()
    robots.there(1)
    robots.pull()
    assert int(robots.scene.one(marketplace.robotaccount).state) == 3
    assert robots.scene.one(marketplace.robotaccount).created == NOW
