"""Teams of remote projects made those of the projects here."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from tests.processes import kill, started, wait_until
from tests.remote.catalogue_scenes import NOW, RemoteSite
from tests.remote.remote_waldur import RemoteWaldur, failing, serving_remote, uuid_of
from tests.scene import Scene
from waldur_dagster.outcome import Outcome
from waldur_dagster.remote.project_permissions import SWITCH, sync_project_permissions
from waldur_dagster.schema import structure
from waldur_dagster.site import AlreadyRunning

PROJECT, USER, ROLE = 7, 6, 0xB
PATH = f"projects/{uuid_of(PROJECT, 1)}"


class Teams:
    """A remote with projects and their members, and a site with users of eduTEAMS."""

    def __init__(self, site: RemoteSite, remote: RemoteWaldur):
        self.site, self.scene, self.remote = site, site.scene, remote
        self.offering = site.offering(remote)
        self.identities: dict[str, str] = {}
        self._seats = 0
        remote.change = self._changed

    def project(self, name: str = "Alpha", **values: Any) -> int:
        project = self.scene.project(self.scene.customer("Org"), name, description="", **values)
        self.scene.resource(project, self.offering, None)
        return project

    def at_remote(self, project: int, number: int = 1, *members: tuple[str, str]) -> str:
        """Its remote project, with members (name, role); returns the path of it."""
        row = self.scene.one(structure.project, id=project)
        owner = self.scene.one(structure.customer, id=row.customer_id)
        facts = {"uuid": uuid_of(PROJECT, number), "backend_id": f"{owner.uuid.hex}_{row.uuid.hex}"}
        self.remote.objects["projects"].append(facts)
        path = f"projects/{facts['uuid']}"
        self.remote.objects[f"{path}/list_users"] = [self._seat(name, role, None) for name, role in members]
        return path

    def _seat(self, name: str, role: str, end: str | None) -> dict[str, Any]:
        """A role of a user as it is listed; ``user`` and ``role`` are what lists can be filtered by."""
        self._seats += 1
        return {
            "uuid": uuid_of(ROLE, self._seats),
            "user": self.uuid(name),
            "role": role,
            "user_username": name,
            "user_uuid": self.uuid(name),
            "role_name": role,
            "expiration_time": end,
        }

    def uuid(self, username: str) -> str:
        return self.identities.setdefault(username, uuid_of(USER, len(self.identities) + 1))

    def user(self, name: str, **values: Any) -> int:
        return self.scene.user(
            f"{name}@x.org", **{"username": name, "registration_method": "eduteams", "identity_source": ""} | values
        )

    def member(self, project: int, name: str, role: str = "PROJECT.ADMIN", **values: Any) -> int:
        user = self.user(name)
        self.scene.role(user, role, "project", project, **values)
        return user

    def sync(self, *, dry_run: bool = False, **document: Any) -> Outcome:
        with self.scene.site(dry_run=dry_run, waldur={SWITCH: True}, **document) as site:
            sync_project_permissions(site.transactions("entry", NOW))
            return site.outcome

    @property
    def sent(self) -> list[tuple[str, str, Any]]:
        """The changes, without questions for identities."""
        roles = [(path.rpartition("/")[2], body) for _, path, body in self.remote.sent if "role" in body]
        return [(kind, body["user"], body["role"]) for kind, body in roles]

    def _changed(self, method: str, path: str, body: Any) -> tuple[Any, ...]:
        if path == "remote-eduteams":
            return 200, {"uuid": self.uuid(body["cuid"])}
        if method == "PATCH":
            next(one for one in self.remote.objects["projects"] if path.endswith(one["uuid"])).update(body)
            return 200, {}
        if path == "projects":
            made = body | {"uuid": uuid_of(PROJECT, len(self.remote.objects["projects"]) + 1)}
            self.remote.objects["projects"].append(made)
            self.remote.objects[f"projects/{made['uuid']}/list_users"] = []
            return 201, made
        project, _, kind = path.rpartition("/")
        members = self.remote.objects[f"{project}/list_users"]
        same = [one for one in members if (one["user_uuid"], one["role_name"]) == (body["user"], body["role"])]
        if kind == "add_user":
            names = {uuid: name for name, uuid in self.identities.items()}
            members.append(self._seat(names[body["user"]], body["role"], body["expiration_time"]))
            return 201, {}
        for one in same:
            if kind == "delete_user":
                members.remove(one)
            else:
                one["expiration_time"] = body["expiration_time"]
        return 200, b""


@pytest.fixture
def teams(scene: Scene) -> Iterator[Teams]:
    with serving_remote(RemoteWaldur({"projects": []})) as remote:
        yield Teams(RemoteSite(scene), remote)


def test_a_second_run_changes_nothing(teams: Teams) -> None:
    project = teams.project()
    teams.member(project, "anna", expiration_time=NOW + timedelta(days=9))
    teams.member(project, "bert", "PROJECT.MANAGER")
    teams.at_remote(project, 1, ("bert", "PROJECT.ADMIN"), ("carl", "PROJECT.MEMBER"))
    teams.sync()
    bert, carl = teams.uuid("bert"), teams.uuid("carl")
    assert teams.sent == [
        ("add_user", teams.uuid("anna"), "PROJECT.ADMIN"),
        ("delete_user", bert, "PROJECT.ADMIN"),
        ("add_user", bert, "PROJECT.MANAGER"),
        ("delete_user", carl, "PROJECT.MEMBER"),
    ]
    before = len(teams.remote.sent)
    assert teams.sync().failures == []
    assert len(teams.remote.sent) == before


def test_the_best_role_that_has_not_ended_is_sent(teams: Teams) -> None:
    project = teams.project()
    anna = teams.member(project, "anna", "PROJECT.MANAGER", expiration_time=NOW)
    for role in ("PROJECT.MEMBER", "PROJECT.ADMIN"):
        teams.scene.role(anna, role, "project", project)
    ended = teams.member(project, "bert", expiration_time=NOW - timedelta(seconds=1))
    custom = teams.member(project, "carl", "PROJECT.GUEST", expiration_time=None)
    teams.scene.role(custom, "OWN.ROLE", "project", project, system=False)
    teams.at_remote(project)
    teams.sync()
    assert ended and ("add_user", teams.uuid("anna"), "PROJECT.ADMIN") in teams.sent
    assert "bert" not in teams.identities


def test_owners_are_managers_unless_they_sell_what_is_bought(teams: Teams) -> None:
    project = teams.project()
    owner = teams.user("anna")
    row = teams.scene.one(structure.project, id=project)
    teams.scene.role(owner, "CUSTOMER.OWNER", "customer", row.customer_id)
    own = teams.scene.project(teams.site.provider, "Own")
    teams.scene.resource(own, teams.offering, None)
    seller = teams.user("bert")
    teams.scene.role(seller, "CUSTOMER.OWNER", "customer", teams.site.provider)
    teams.at_remote(project)
    teams.at_remote(own, 2)
    teams.sync()
    assert teams.sent == [("add_user", teams.uuid("anna"), "PROJECT.MANAGER")]


@pytest.mark.generation("8")
def test_on_newer_sites_owners_are_no_members(teams: Teams) -> None:
    project = teams.project()
    row = teams.scene.one(structure.project, id=project)
    teams.scene.role(teams.user("anna"), "CUSTOMER.OWNER", "customer", row.customer_id)
    teams.member(project, "bert")
    teams.at_remote(project, 1, ("anna", "PROJECT.MANAGER"))
    teams.sync()
    assert teams.sent == [
        ("add_user", teams.uuid("bert"), "PROJECT.ADMIN"),
        ("delete_user", teams.uuid("anna"), "PROJECT.MANAGER"),
    ]


def test_a_name_that_differs_only_in_case_is_the_same_user(teams: Teams) -> None:
    project = teams.project()
    teams.member(project, "Anna@Idp.org")
    teams.at_remote(project, 1, ("anna@idp.org", "PROJECT.ADMIN"))
    assert teams.sync().warnings == []
    assert teams.remote.sent == []


def test_two_users_whose_names_differ_only_in_case_are_told_and_nobody_is_removed(teams: Teams) -> None:
    project = teams.project()
    for name in ("Anna", "ANNA"):
        teams.member(project, name)
    teams.at_remote(project, 1, ("anna", "PROJECT.MEMBER"), ("helper", "PROJECT.ADMIN"))
    assert "differ only in case" in teams.sync().warnings[0].problem
    assert teams.sent == []


def test_nobody_is_removed_when_nobody_is_wanted(teams: Teams) -> None:
    teams.at_remote(teams.project(), 1, ("helper", "PROJECT.ADMIN"))
    outcome = teams.sync()
    assert "1 members" in outcome.warnings[0].problem
    assert teams.sent == []


@pytest.mark.parametrize(("share", "removed"), [(0.5, 0), (0.9, 8)])
def test_most_members_of_a_remote_do_not_go_in_one_run(teams: Teams, share: float, removed: int) -> None:
    """Counted over all projects of the remote: none of these has ten members."""
    for number in (1, 2):
        project = teams.project(f"Project {number}")
        teams.member(project, f"wanted{number}")
        stay = [(f"wanted{number}", "PROJECT.MEMBER")]
        teams.at_remote(project, number, *stay, *((f"gone{number}{n}", "PROJECT.ADMIN") for n in range(4)))
    outcome = teams.sync(remote_waldurs={"may_lose": share})
    gone = {teams.uuid(f"gone{number}{n}") for number in (1, 2) for n in range(4)}
    assert len([one for one in teams.sent if one[1] in gone]) == removed
    # What concerns those who stay is done all the same.
    assert len([one for one in teams.sent if one[1] == teams.uuid("wanted1")]) == 2
    assert bool(outcome.failures) == (removed == 0)


def test_a_project_that_is_made_is_looked_for_right_before(teams: Teams) -> None:
    """Somebody else made it, and its first member, after the plan was made."""
    project = teams.project()
    teams.member(project, "anna")
    looked = []

    def appears(method: str, path: str, query: dict[str, str]) -> None:
        if method == "GET" and path == "projects":
            looked.append(query)
            if len(looked) == 2:
                teams.at_remote(project, 1, ("anna", "PROJECT.ADMIN"))

    teams.remote.fault = appears
    assert teams.sync().failures == []
    assert teams.sent == []
    assert [path for _, path, _ in teams.remote.sent] == ["remote-eduteams"]


def test_after_a_project_was_made_and_the_answer_lost_it_is_not_made_again(teams: Teams) -> None:
    project = teams.project(end_date=NOW.date())
    teams.member(project, "anna")
    answer = teams.remote.change

    def lost(method: str, path: str, body: Any) -> tuple[Any, ...]:
        made = answer(method, path, body)
        if path == "projects":
            raise ConnectionError
        return made

    teams.remote.change = lost
    assert len(teams.sync().failures) == 1
    teams.remote.change = answer
    assert teams.sync().failures == []
    assert len(teams.remote.objects["projects"]) == 1
    body = next(body for _, path, body in teams.remote.sent if path == "projects")
    assert body["end_date"] == "2025-03-10" and "type" not in body
    assert teams.sent == [("add_user", teams.uuid("anna"), "PROJECT.ADMIN")]


def test_an_identity_is_asked_for_once_in_a_run_also_when_it_is_unknown(teams: Teams) -> None:
    projects = [teams.project(f"Project {number}") for number in range(3)]
    anna = teams.member(projects[0], "anna")
    for project in projects[1:]:
        teams.scene.role(anna, "PROJECT.ADMIN", "project", project)
    for number, project in enumerate(projects, 1):
        teams.at_remote(project, number)
    teams.remote.fault = failing("remote-eduteams", 404)
    outcome = teams.sync()
    assert len(outcome.failures) == 3
    assert teams.remote.calls["POST remote-eduteams"] == 1
    assert teams.sent == []


def test_a_dry_run_posts_nothing_and_lists_what_it_would(teams: Teams) -> None:
    for name in ("Alpha", "Beta"):
        teams.member(teams.project(name), f"anna of {name}")
    outcome = teams.sync(dry_run=True)
    assert teams.remote.sent == []
    assert outcome.figures["outside changes that would be made"] == 4


@pytest.mark.parametrize("status", [401, 403, 429, 500])
def test_members_that_cannot_be_listed_stay(teams: Teams, status: int) -> None:
    project = teams.project()
    teams.member(project, "anna")
    teams.at_remote(project, 1, ("gone", "PROJECT.ADMIN"))
    teams.remote.fault = failing("list_users", status)
    assert len(teams.sync().failures) == 1
    assert teams.remote.sent == []


def test_a_token_that_is_refused_in_the_middle_ends_the_work_there(teams: Teams) -> None:
    project = teams.project()
    for name in ("anna", "bert", "carl"):
        teams.member(project, name)
    teams.at_remote(project)
    teams.remote.fault = failing("add_user", 401)
    outcome = teams.sync()
    assert teams.remote.calls[f"POST {PATH}/add_user"] == 1
    assert any("HTTP 401" in one.problem for one in outcome.failures)
    assert not any(teams.remote.token in f"{one.item} {one.problem}" for one in outcome.failures)


def test_ends_are_compared_as_instants(teams: Teams) -> None:
    project = teams.project()
    end = datetime(2025, 6, 30, 12, tzinfo=UTC)
    teams.member(project, "anna", expiration_time=end)
    path = teams.at_remote(project, 1, ("anna", "PROJECT.ADMIN"))
    teams.remote.objects[f"{path}/list_users"][0]["expiration_time"] = "2025-06-30T15:00:00+03:00"
    teams.sync()
    assert teams.remote.sent == []


def test_after_a_kill_between_a_post_and_its_answer_nothing_is_posted_again(teams: Teams) -> None:
    project = teams.project()
    for name in ("anna", "bert"):
        teams.member(project, name)
    go_on, change = threading.Event(), teams.remote.change

    def made_and_not_told(method: str, path: str, body: Any) -> tuple[Any, ...]:
        answer = change(method, path, body)
        if path == waits_at:
            go_on.wait(60)
        return answer

    teams.remote.change = made_and_not_told
    for waits_at in ("projects", f"{PATH}/add_user"):
        go_on.clear()
        run = started(RUN, teams.scene.engine.url.render_as_string(hide_password=False))
        wait_until(partial(_was_sent, teams.remote, waits_at))
        with pytest.raises(AlreadyRunning):
            teams.sync()
        kill(run, teams.scene.engine)
        go_on.set()
    waits_at = ""
    assert teams.sync().failures == []
    assert teams.remote.calls["POST projects"] == 1
    assert sorted(teams.sent) == sorted(("add_user", teams.uuid(name), "PROJECT.ADMIN") for name in ("anna", "bert"))


def _was_sent(remote: RemoteWaldur, path: str) -> bool:
    return any(sent == path for _, sent, _ in remote.sent)


RUN = """
import sys
from tests.processes import kill, started, wait_until
from tests.remote.catalogue_scenes import NOW
from waldur_dagster.deployment import parse_deployment
from waldur_dagster.remote.project_permissions import SWITCH, sync_project_permissions
from waldur_dagster.site import Site
with Site(parse_deployment({"database": {"url": sys.argv[1]}, "waldur": {SWITCH: True}})) as site:
    sync_project_permissions(site.transactions("entry", NOW))
"""
