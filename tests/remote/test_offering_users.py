"""Accounts of people in offerings of remotes: whose they are, and what must not be lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.processes import kill, started, wait_until
from tests.remote.catalogue_scenes import NOW, OFFERING, RemoteSite
from tests.remote.remote_waldur import RemoteWaldur, failing, serving_remote, stalling, uuid_of
from tests.scene import Scene
from tests.statements import counted
from waldur_dagster.outcome import Outcome
from waldur_dagster.remote.offering_users import pull_offering_users
from waldur_dagster.schema import logging, marketplace
from waldur_dagster.site import AlreadyRunning

ACCOUNT = 0xA
LISTED = "marketplace-offering-users"
RUN = """
import sys
from datetime import datetime, timezone
from waldur_dagster.deployment import parse_deployment
from waldur_dagster.remote.offering_users import pull_offering_users
from waldur_dagster.site import Site
with Site(parse_deployment({"database": {"url": sys.argv[1]}})) as site:
    pull_offering_users(site.transactions("entry", datetime(2025, 3, 10, tzinfo=timezone.utc)))
"""


class Accounts:
    """An offering of a remote with accounts."""

    def __init__(self, scene: Scene, remote: RemoteWaldur):
        self.site, self.scene, self.remote = RemoteSite(scene), scene, remote
        remote.objects[LISTED] = []
        self.offering = self.site.offering(remote, 1)

    def there(self, user: str, account: str | None = "account", offering: int = 1) -> None:
        listed = self.remote.objects[LISTED]
        listed.append(
            {
                "uuid": uuid_of(ACCOUNT, len(listed) + 1),
                "offering_uuid": uuid_of(OFFERING, offering),
                "user_username": user,
                "username": account,
            }
        )

    def user(self, name: str, **values: Any) -> int:
        return self.scene.user(f"{name}@x.org", username=name, **values)

    def here(
        self, name: str, account: str | None = "old", offering: int | None = None, state: int = 5, **values: Any
    ) -> int:
        """A user who has an account; ``state`` where accounts have one."""
        user = self.user(name, **values)
        row = {"user_id": user, "offering_id": offering or self.offering, "username": account}
        self.scene.add(marketplace.offeringuser, **row | ({"state": state} if self._has_states else {}))
        return user

    @property
    def _has_states(self) -> bool:
        return self.scene.schema.has(marketplace.offeringuser.name, "state")

    def pull(self, **values: Any) -> Outcome:
        return self.site.run(pull_offering_users, **values)

    @property
    def names(self) -> dict[int, str | None]:
        return {row.user_id: row.username for row in self.scene.rows(marketplace.offeringuser)}


@pytest.fixture
def accounts(scene: Scene) -> Iterator[Accounts]:
    with serving_remote() as remote:
        yield Accounts(scene, remote)


def test_accounts_are_made_renamed_and_deleted_and_a_second_run_changes_nothing(accounts: Accounts) -> None:
    new, renamed = accounts.user("anna"), accounts.here("bert")
    accounts.here("carl")
    accounts.there("anna", "anna1")
    accounts.there("bert", "bert1")
    accounts.there("bert", "bert2")
    accounts.there("stranger")
    outcome = accounts.pull()
    assert accounts.names == {new: "anna1", renamed: "bert2"}
    assert outcome.figures["accounts of unknown users"] == 1
    events = accounts.scene.rows(logging.event)
    assert sorted(row.event_type for row in events) == [
        "marketplace_offering_user_created",
        "marketplace_offering_user_deleted",
    ]
    before = accounts.scene.rows(marketplace.offeringuser)
    assert accounts.pull().failures == []
    assert accounts.scene.rows(marketplace.offeringuser) == before
    assert accounts.scene.rows(logging.event) == events


def test_a_user_is_found_by_his_exact_name_and_else_by_one_of_other_case(accounts: Accounts) -> None:
    exact, other, similar = accounts.user("Anna"), accounts.user("anna"), accounts.here("Bert")
    accounts.there("Anna", "anna1")
    accounts.there("bERT", "bert1")
    assert accounts.pull().warnings == []
    assert accounts.names == {exact: "anna1", similar: "bert1"}
    assert other not in accounts.names


def test_where_a_name_may_be_that_of_two_users_nothing_of_the_offering_is_deleted(accounts: Accounts) -> None:
    one, two, gone = accounts.here("Anna"), accounts.user("anna"), accounts.here("carl")
    elsewhere = accounts.site.offering(accounts.remote, 2)
    accounts.here("dora", offering=elsewhere)
    accounts.there("ANNA", "anna1")
    outcome = accounts.pull()
    assert accounts.names == {one: "old", gone: "old"}
    assert two not in accounts.names
    assert len(outcome.warnings) == 1 and "differ only in case" in outcome.warnings[0].problem


def test_accounts_of_deactivated_users_are_renamed_and_neither_made_nor_deleted(accounts: Accounts) -> None:
    renamed, kept = (accounts.here(name, is_active=False) for name in ("anna", "bert"))
    accounts.user("carl", is_active=False)
    accounts.there("anna", "anna1")
    accounts.there("carl", "carl1")
    assert accounts.pull().failures == []
    assert accounts.names == {renamed: "anna1", kept: "old"}


def test_a_name_that_does_not_fit_leaves_the_account_as_it_is(accounts: Accounts) -> None:
    user = accounts.here("anna")
    accounts.there("anna", "x" * 300)
    outcome = accounts.pull()
    assert accounts.names == {user: "old"}
    assert "too long" in outcome.warnings[0].problem


def test_no_remote_deletes_most_accounts_of_its_offerings(accounts: Accounts) -> None:
    """It is judged over all offerings of a remote, so that one small offering may still be emptied."""
    other = accounts.site.offering(accounts.remote, 2)
    for number in range(12):
        accounts.here(f"user-{number}", offering=other if number < 3 else None)
    for number in range(5):
        accounts.there(f"user-{number}", "new", 2 if number < 3 else 1)
    outcome = accounts.pull()
    assert len(accounts.names) == 12 and list(accounts.names.values()).count("new") == 5
    assert "7 of 12 accounts are gone" in outcome.failures[0].problem
    assert accounts.pull(remote_waldurs={"may_lose": 0.9}).failures == []
    assert len(accounts.names) == 5


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 502])
def test_an_error_changes_nothing(accounts: Accounts, status: int) -> None:
    user = accounts.here("anna")
    accounts.remote.fault = failing(LISTED, status)
    outcome = accounts.pull()
    assert accounts.names == {user: "old"}
    assert len(outcome.failures) == 1 and accounts.remote.token not in outcome.failures[0].problem


@pytest.mark.parametrize(
    "answer",
    [
        (200, b"<html>we are moving</html>"),
        (200, {"detail": "no list"}),
        (200, [], {"X-Result-Count": "3"}),
        (200, [{"uuid": uuid_of(ACCOUNT, 1)}]),
    ],
)
def test_an_answer_that_is_not_whole_changes_nothing(accounts: Accounts, answer: tuple[Any, ...]) -> None:
    user = accounts.here("anna")
    accounts.remote.fault = lambda *_: answer
    assert len(accounts.pull().failures) == 1
    assert accounts.names == {user: "old"}


def test_of_three_remotes_two_that_fail_leave_the_third_alone(accounts: Accounts) -> None:
    accounts.remote.page_size = 1
    accounts.there("anna")
    accounts.there("bert")
    accounts.remote.fault = failing(LISTED, 500, page=2)
    kept = accounts.here("carl")
    with serving_remote() as fine, serving_remote() as down:
        down.url = "http://127.0.0.1:1"
        accounts.here("dora", offering=accounts.site.offering(down, 2))
        fine.objects[LISTED] = [
            {"uuid": uuid_of(ACCOUNT, 9), "offering_uuid": uuid_of(OFFERING, 3)}
            | {"user_username": "anna", "username": "anna3"}
        ]
        accounts.site.offering(fine, 3)
        anna = accounts.user("anna")
        outcome = accounts.pull()
    assert sorted(accounts.names.values(), key=str) == ["anna3", "old", "old"]
    assert accounts.names[anna] == "anna3" and accounts.names[kept] == "old"
    assert len(outcome.failures) == 2


def test_of_two_runs_at_once_one_works_and_the_other_says_so(accounts: Accounts) -> None:
    for number in range(20):
        accounts.user(f"user-{number}")
        accounts.there(f"user-{number}", f"account-{number}")
    accounts.remote.fault, go_on = stalling(0)
    run = started(RUN, accounts.scene.engine.url.render_as_string(hide_password=False))
    wait_until(lambda: accounts.remote.calls.total() > 0)
    with pytest.raises(AlreadyRunning):
        accounts.pull()
    go_on.set()
    assert run.wait(timeout=60) == 0
    assert sorted(accounts.names.values(), key=str) == sorted(f"account-{number}" for number in range(20))
    assert len(accounts.scene.rows(logging.event)) == 20


def test_a_run_that_is_killed_leaves_whole_remotes(accounts: Accounts) -> None:
    gone, user = accounts.here("anna"), accounts.user("bert")
    accounts.there("bert", "bert1")
    accounts.remote.fault, go_on = stalling(0)
    run = started(RUN, accounts.scene.engine.url.render_as_string(hide_password=False))
    wait_until(lambda: accounts.remote.calls.total() > 0)
    kill(run, accounts.scene.engine)
    assert accounts.names == {gone: "old"}
    go_on.set()
    accounts.remote.fault = lambda *_: None
    accounts.pull()
    assert accounts.names == {user: "bert1"}


def test_statements_do_not_grow_with_accounts(accounts: Accounts) -> None:
    def statements(count: int, first: int) -> int:
        for number in range(first, first + count):
            accounts.user(f"user-{number}")
            accounts.there(f"user-{number}", f"account-{number}")
        with counted(Engine) as seen:
            accounts.pull()
        return len(seen)

    assert statements(3, 0) == statements(30, 100)


def test_a_dry_run_tells_and_writes_nothing(accounts: Accounts) -> None:
    user = accounts.here("anna")
    accounts.there("bert")
    accounts.user("bert")
    with accounts.scene.site(dry_run=True) as site:
        pull_offering_users(site.transactions("entry", NOW))
        changed = dict(site.outcome.rows)
    assert accounts.names == {user: "old"} and changed


@pytest.mark.parametrize("failures", [1, pytest.param(0, marks=pytest.mark.generation("8"))])
def test_an_offering_whose_uuid_there_is_unknown_has_nobody_s_accounts(accounts: Accounts, failures: int) -> None:
    accounts.site.offering(accounts.remote, 2, backend_id="")
    accounts.user("ann")
    accounts.there("ann", offering=3)
    accounts.remote.fault = lambda _, __, query: (
        None if query["offering_uuid"] else (200, accounts.remote.objects[LISTED])
    )
    assert len(accounts.pull().failures) == failures
    assert accounts.names == {}


@pytest.mark.generation("8")
def test_on_newer_sites_an_account_with_a_name_is_ok(accounts: Accounts) -> None:
    waiting, leaving = accounts.here("anna", None, state=2), accounts.here("bert", state=6)
    accounts.there("anna", "anna1")
    accounts.there("bert", "bert1")
    accounts.there("carl", None)
    new = accounts.user("carl")
    accounts.pull()
    states = {row.user_id: row.state for row in accounts.scene.rows(marketplace.offeringuser)}
    assert states == {waiting: 5, leaving: 6, new: 1}


@pytest.mark.generation("8")
def test_on_newer_sites_offerings_whose_provider_names_accounts_himself_are_passed_over(accounts: Accounts) -> None:
    own = {"service_provider_can_create_offering_user": True}
    kept = accounts.here("anna", offering=accounts.site.offering(accounts.remote, 2, plugin_options=own))
    assert accounts.pull().failures == []
    assert accounts.names == {kept: "old"}
