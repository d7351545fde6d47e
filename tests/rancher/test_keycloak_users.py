"""waldur-rancher-sync-keycloak-users: the right person in the right group, and failures kept in rows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.mail_server import free_port
from tests.rancher.keycloak_server import PASSWORD, LoopbackKeycloak, serving_keycloak
from tests.rancher.keycloak_site import Realm, realm
from tests.rancher.rancher_site import NOW, told
from tests.scene import Scene
from waldur_dagster.outcome import Outcome
from waldur_dagster.rancher.keycloak_users import sync_users
from waldur_dagster.schema import rancher, structure

ENTRY = "waldur-rancher-sync-keycloak-users"
pytestmark = pytest.mark.generation("8")


def run(place: Realm, **options: Any) -> Outcome:
    return place.site.run(sync_users, ENTRY, **options)


def states(scene: Scene) -> dict[str, str]:
    return {row.username: row.state for row in scene.rows(rancher.membership)}


def test_whoever_is_known_by_now_gets_into_his_groups_with_one_look_up(scene: Scene) -> None:
    with realm(scene) as place:
        place.keycloak.user("alice", firstName="Alice", lastName="L" * 120)
        place.keycloak.user("bob")
        groups = [place.group(role) for role in ("cluster-member", "cluster-owner")]
        for group in groups:
            place.site.member(group, "Alice", error_message="was down")
            place.site.member(group, "alice")
        place.site.member(groups[0], "later")
        place.site.member(groups[0], "bob", "active")
        assert told(run(place)) == ""
        assert [place.members(group) for group in groups] == [["alice"], ["alice"]]
        assert place.keycloak.counted == {"GET": 2, "PUT": 2}
        assert place.keycloak.logins == 1
    rows = {row.username: row for row in scene.rows(rancher.membership)}
    assert {row.state for name, row in rows.items() if name.lower() == "alice"} == {"active"}
    assert (rows["Alice"].first_name, rows["Alice"].last_name, rows["Alice"].error_message) == ("Alice", "L" * 100, "")
    assert (rows["later"].state, rows["later"].last_checked) == ("pending", NOW)
    assert rows["bob"].last_checked < NOW


def test_nobody_of_a_similar_name_gets_in(scene: Scene) -> None:
    with realm(scene) as place:
        for name in ("joanne", "annika", "a_n", "axn", "anna"):
            place.keycloak.user(name)
        group = place.group()
        for name in ("ann", "a%", "a_n"):
            place.site.member(group, name)
        assert told(run(place)) == ""
        assert place.members(group) == ["a_n"]
    assert states(scene) == {"ann": "pending", "a%": "pending", "a_n": "active"}


def test_what_the_database_refuses_is_kept_in_the_row(scene: Scene) -> None:
    with realm(scene) as place:
        place.keycloak.user("ann", firstName="A\x00nn")
        place.site.member(place.group(), "ann")
        assert len(run(place).failures) == 1
    row = scene.one(rancher.membership)
    assert (row.state, row.last_checked) == ("pending", NOW) and "NUL" in row.error_message


def test_two_users_of_one_name_are_no_choice(scene: Scene) -> None:
    def fault(_: str, path: str, __: dict[str, str]) -> Any:
        return (200, [{"id": "u1", "username": "ann"}, {"id": "u2", "username": "ANN"}]) if path == "users" else None

    with realm(scene, fault=fault) as place:
        group = place.group()
        place.site.member(group, "ann")
        outcome = run(place)
        assert place.members(group) == [] and "2 users of the realm have this name" in told(outcome)
    assert "2 users" in scene.one(rancher.membership).error_message


def test_what_cannot_be_placed_is_told_in_its_row_and_the_others_are_done(scene: Scene) -> None:
    with realm(scene) as place, serving_keycloak(LoopbackKeycloak()) as nowhere:
        place.keycloak.user("alice")
        site = place.site
        good = place.group()
        homeless = site.group(rancher.cluster, site.cluster(place.settings, "gone"), site.role(place.settings, "r1"))
        lost = site.rancher_project(place.settings, None)
        lost_group = site.group(rancher.project, lost, site.role(place.settings, "r2", "project"))
        nameless = site.group(rancher.cluster, place.cluster, site.role(place.settings, "r3"), "")
        with scene.engine.begin() as connection:
            connection.exec_driver_sql(f"DELETE FROM {rancher.cluster.name} WHERE name = 'gone'")
        nowhere.url = ""
        bare = Realm(site, nowhere, "bare")
        of_bare = [
            site.group(rancher.cluster, bare.cluster, site.role(bare.settings, role), "g") for role in ("a", "b")
        ]
        site.change(rancher.roletemplate, 1, name="cluster-member")
        with scene.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE structure_servicesettings SET options = '{}' WHERE name = 'bare'")
        for number, group in enumerate((homeless, lost_group, nameless, *of_bare, good)):
            site.member(group, "alice", created=NOW - timedelta(minutes=number))
        outcome = run(place)
        assert place.members(good) == ["alice"]
    problems = [row.error_message for row in scene.rows(rancher.membership)]
    assert "is gone" in problems[0] and "is gone" in problems[1] and "no id of Keycloak" in problems[2]
    assert all("keycloak_url" in problem for problem in problems[3:5]) and problems[5] == ""
    assert outcome.failures == []
    assert len(outcome.warnings) == 4  # one names the settings that lack a realm, whatever the rows


@pytest.mark.parametrize(
    ("age", "checked", "is_due"),
    [
        (timedelta(days=7), timedelta(minutes=1), True),
        (timedelta(days=7, seconds=1), timedelta(hours=6), True),
        (timedelta(days=7, seconds=1), timedelta(hours=5, minutes=59), False),
    ],
)
def test_old_ones_are_looked_up_every_six_hours(scene: Scene, age: timedelta, checked: timedelta, is_due: bool) -> None:
    with realm(scene) as place:
        place.site.member(place.group(), "ann", created=NOW - age, last_checked=NOW - checked)
        run(place)
        assert bool(place.keycloak.calls) == is_due


@pytest.mark.parametrize(("status", "fails"), [(404, False), (403, True), (409, True), (500, True), (429, True)])
def test_a_group_that_refuses_stops_no_other(scene: Scene, status: int, fails: bool) -> None:
    with realm(scene) as place:
        user = place.keycloak.user("alice", firstName="A")
        bad, good = place.group("bad"), place.group("good")
        (bad_id,) = (id for id, group in place.keycloak.groups.items() if group["name"] == bad)
        place.keycloak.fault = lambda _, path, __: (status, {}) if path == f"users/{user}/groups/{bad_id}" else None
        for group in (bad, good):
            place.site.member(group, "alice")
        outcome = run(place)
        assert (place.members(bad), place.members(good)) == ([], ["alice"])
    first, second = scene.rows(rancher.membership)
    assert (first.state, second.state) == ("pending", "active")
    assert f"HTTP {status}" in first.error_message and second.error_message == ""
    assert bool(outcome.failures) == fails and bool(outcome.warnings) != fails


@pytest.mark.parametrize(
    "answer", [(401, {}), (403, {}), (404, {}), (429, {}), (500, {}), (200, b"junk"), (200, {}), (200, ["x"])]
)
def test_a_look_up_that_fails_is_kept_in_the_rows(scene: Scene, answer: tuple[int, Any]) -> None:
    with realm(scene) as place:
        place.keycloak.fault = lambda _, path, __: answer if path == "users" else None
        group = place.group()
        for n in range(9):
            place.site.member(group, f"user{n}")
        outcome = run(place)
        assert place.keycloak.changes == []
    assert outcome.failures
    assert all(row.error_message and row.last_checked == NOW for row in scene.rows(rancher.membership))
    assert PASSWORD not in told(outcome)


def test_a_refused_login_is_tried_once_and_told_in_all_rows_and_other_realms_are_done(scene: Scene) -> None:
    with realm(scene) as place, serving_keycloak(LoopbackKeycloak()) as other:
        second = Realm(place.site, other, "second")
        other.user("alice")
        for one in (place, second):
            group = one.group()
            for n in range(9):
                one.site.member(group, f"user{n}" if one is place else "alice")
        options = str({**place.keycloak.options, "keycloak_password": "wrong-word"}).replace("'", '"')
        place.site.change(structure.servicesettings, place.settings, options=options)
        outcome = run(place)
        assert place.keycloak.logins == 1 and place.keycloak.calls == []
        assert second.members(group) == ["alice"]
    problems = [row.error_message for row in scene.rows(rancher.membership)]
    assert all("refuses the login" in problem for problem in problems[:9]) and not any(problems[9:])
    assert "wrong-word" not in told(outcome)


def test_a_token_that_ends_in_the_middle_is_renewed(scene: Scene) -> None:
    with realm(scene, calls_of_token=4) as place:
        group = place.group()
        for n in range(6):
            place.keycloak.user(f"user{n}")
            place.site.member(group, f"user{n}")
        assert told(run(place)) == ""
        assert len(place.members(group)) == 6 and place.keycloak.logins >= 3  # more when one token ends twice


def test_a_realm_that_is_not_there_changes_nothing(scene: Scene) -> None:
    with realm(scene) as place:
        place.site.member(place.group(), "ann")
        options = str({**place.keycloak.options, "keycloak_url": f"http://127.0.0.1:{free_port()}"}).replace("'", '"')
        place.site.change(structure.servicesettings, place.settings, options=options)
        outcome = run(place)
    assert len(outcome.failures) == 1 and "was not answered" in scene.one(rancher.membership).error_message


def test_a_dry_run_adds_nobody(scene: Scene) -> None:
    with realm(scene) as place:
        place.keycloak.user("alice")
        group = place.group()
        place.site.member(group, "alice")
        outcome = run(place, dry_run=True)
        assert place.members(group) == [] and outcome.figures["outside changes that would be made"] == 1
    assert states(scene) == {"alice": "pending"}
