"""pull-support-users: all of a help desk's people, each linked to his own account or to none."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event

from tests.help_desks.desk_site import NOW, jira, people_of_jira, people_of_zammad, run, told, zammad
from tests.loopback import Routes, serving
from tests.scene import Scene
from waldur_dagster.help_desks.people import pull_support_users
from waldur_dagster.schema.support import supportuser


def person(scene: Scene, backend_id: str | None, backend: str | None = "atlassian", **values: Any) -> int:
    row = {"name": "Somebody", "is_active": True} | values
    return scene.add(supportuser, backend_id=backend_id, backend_name=backend, **row)


def active(scene: Scene) -> list[str]:
    return sorted(row.backend_id for row in scene.rows(supportuser, is_active=True))


@pytest.mark.parametrize("options", [{"most": 2}, {"ignores_start": True}, {}])
def test_a_jira_that_caps_or_repeats_its_pages_deactivates_nobody(scene: Scene, options: dict[str, Any]) -> None:
    names = ["ann", "bob", "cid", "dan", "eve"]
    for name in [*names, "gone"]:
        person(scene, name)
    with serving(people_of_jira(names, **options)) as url:
        jira(scene, url)
        assert run(scene, pull_support_users).failures == []
    assert active(scene) == names


def test_a_jira_that_takes_no_user_names_is_asked_in_the_place_it_has(scene: Scene) -> None:
    """Jira Cloud: its pages hold fewer than were asked for, and begin again where they were cut."""
    asked: list[dict[str, str]] = []

    def refused(**_: Any) -> tuple[int, Any]:
        return 400, {"errorMessages": ["The query parameter 'username' is not supported in GDPR strict mode."]}

    def search(query: dict[str, str], **_: Any) -> tuple[int, Any]:
        asked.append(query)
        found = [{"accountId": f"a{n}", "displayName": f"A {n}", "active": n != 2} for n in range(4)]
        return 200, found[max(0, int(query["startAt"]) - 1) :]

    routes: Routes = {
        ("GET", "/rest/api/2/user/assignable/multiProjectSearch"): refused,
        ("GET", "/rest/api/2/user/assignable/search"): search,
    }
    with serving(routes) as url:
        jira(scene, url)
        assert run(scene, pull_support_users).failures == []
    assert active(scene) == ["a0", "a1", "a3"]
    assert all(query["project"] == "SUP" and "username" not in query for query in asked)


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, "Basic "),
        ({"ATLASSIAN_TOKEN": "token", "ATLASSIAN_EMAIL": "a@example.org"}, "Basic YUBleGFtcGxlLm9yZzp0b2tlbg=="),
        ({"ATLASSIAN_PERSONAL_ACCESS_TOKEN": "personal", "ATLASSIAN_TOKEN": "token"}, "Bearer personal"),
        (
            {"ATLASSIAN_OAUTH2_CLIENT_ID": "client", "ATLASSIAN_OAUTH2_ACCESS_TOKEN": "opened"},
            "Bearer opened",
        ),
    ],
)
def test_every_way_to_log_in(scene: Scene, settings: dict[str, str], wanted: str) -> None:
    seen: list[str] = []

    def page(headers: Any, **_: Any) -> tuple[int, Any]:
        seen.append(headers["Authorization"])
        return 200, []

    with serving({("GET", "/rest/api/2/user/assignable/multiProjectSearch"): page}) as url:
        jira(scene, url, **settings)
        run(scene, pull_support_users)
    assert seen and seen[0].startswith(wanted)


def test_an_account_is_linked_by_its_login_whatever_the_case_else_by_its_address(scene: Scene) -> None:
    ann, ben = scene.user("other@example.org", username="Ann"), scene.user("Ben@example.org", username="b")
    scene.user("dan@example.org", username="dan", is_active=False)
    users = [
        {"id": 1, "login": "ann", "firstname": "Ann", "lastname": "A", "email": "ben@example.org"},
        {"id": 2, "login": "ben_", "firstname": "", "lastname": "B", "email": "ben@example.org"},
        {"id": 3, "login": "dan", "email": "dan@example.org"},
        {"id": 4, "login": "", "email": ""},
    ]
    with serving(people_of_zammad(users, most=1)) as url:
        zammad(scene, url)
        assert told(run(scene, pull_support_users)) == ""
    found = {row.backend_id: (row.name, row.user_id) for row in scene.rows(supportuser)}
    assert found == {"1": ("Ann A", ann), "2": ("ben_", ben), "3": ("dan", None), "4": ("", None)}


def test_where_several_fit_nobody_is_linked_and_it_is_told(scene: Scene) -> None:
    scene.user("Two@example.org", username="t1")
    scene.user("TWO@example.org", username="t2")
    exact = scene.user("three@example.org", username="t3")
    scene.user("Three@example.org", username="t4")
    scene.user("one@example.org", username="o")
    scene.user("x@example.org", username="Same")
    scene.user("y@example.org", username="SAME")
    letter = scene.user("z@example.org", username="same")
    users = [
        {"id": 1, "login": "a", "email": "two@example.org"},
        {"id": 2, "login": "b", "email": "one@example.org"},
        {"id": 3, "login": "c", "email": "One@example.org"},
        {"id": 4, "login": "same", "email": ""},
        {"id": 5, "login": "d", "email": "three@example.org"},
    ]
    with serving(people_of_zammad(users)) as url:
        zammad(scene, url)
        outcome = run(scene, pull_support_users)
    assert {row.backend_id: row.user_id for row in scene.rows(supportuser)} == {
        "1": None,
        "2": None,
        "3": None,
        "4": letter,
        "5": exact,
    }
    assert "2 accounts have this address" in told(outcome) and "b, c: are not linked" in told(outcome)
    assert outcome.failures == []


def test_no_account_gets_a_second_person_and_a_link_never_changes(scene: Scene) -> None:
    ann, other = scene.user("ann@example.org", username="ann"), scene.user("o@example.org", username="o")
    person(scene, "1", "zammad", user_id=other)
    person(scene, "9", "zammad", user_id=ann)
    users = [{"id": 1, "login": "ann"}, {"id": 2, "login": "ann"}, {"id": 9, "login": "nine"}]
    with serving(people_of_zammad(users)) as url:
        zammad(scene, url)
        outcome = run(scene, pull_support_users)
    assert {row.backend_id: row.user_id for row in scene.rows(supportuser)} == {"1": other, "2": None, "9": ann}
    assert told(outcome) == "support user ann: is not linked: the account of this login is another one's"


@pytest.mark.parametrize("generation", ["2024-10", "8"])
def test_rows_that_waldur_made_and_those_of_people_who_left_take_no_account(
    request: pytest.FixtureRequest, generation: str
) -> None:
    request.node.add_marker(pytest.mark.generation(generation))
    scene: Scene = request.getfixturevalue("scene")
    ann, bob = (scene.user(f"{name}@example.org", username=name) for name in ("ann", "bob"))
    person(scene, None, "zammad", user_id=ann)
    person(scene, "9", "zammad", user_id=bob, is_active=False)
    with serving(people_of_zammad([{"id": 1, "login": "ann"}, {"id": 10, "login": "bob"}])) as url:
        zammad(scene, url)
        assert told(run(scene, pull_support_users)) == ""
    linked = {row.backend_id: row.user_id for row in scene.rows(supportuser)}
    assert linked == {None: ann, "9": bob, "1": ann, "10": bob}


def test_an_odd_user_of_jira_stops_nobody_and_keeps_his_row(scene: Scene) -> None:
    """One has no name; two have no id of the kind that counts, and are told by another one, or by their names."""
    for name in ("bob", "JIRAUSER1", "gone"):
        person(scene, name, name="Cid" if name == "JIRAUSER1" else "Somebody")
    users = [{"key": "ann"}, {"name": "bob"}, {"name": "cid", "displayName": "Cid"}]

    def page(query: dict[str, str], **_: Any) -> tuple[int, Any]:
        return 200, users if query["startAt"] == "0" else []

    with serving({("GET", "/rest/api/2/user/assignable/multiProjectSearch"): page}) as url:
        jira(scene, url)
        outcome = run(scene, pull_support_users)
    assert active(scene) == ["JIRAUSER1", "ann", "bob"]
    assert scene.one(supportuser, backend_id="ann").name == ""
    assert outcome.failures == []
    assert "support user bob: is left out" in told(outcome) and "support user Cid: is left out" in told(outcome)


def test_twins_stay_and_the_others_are_deactivated(scene: Scene) -> None:
    twin = person(scene, "u1", is_active=False)
    kept = person(scene, "u1", name="Twin of a gone one")
    person(scene, "u2")
    person(scene, "u3", is_active=False)
    person(scene, "u3", name="Three")
    with serving(people_of_jira(["u3"])) as url:
        jira(scene, url)
        outcome = run(scene, pull_support_users)
    assert active(scene) == ["u1", "u3"]
    assert {scene.one(supportuser, id=id).is_active for id in (twin, kept)} == {True, False}
    assert scene.one(supportuser, backend_id="u3", is_active=True).name == "U3"
    assert "Twin of a gone one" in told(outcome) and outcome.failures == []


def test_a_twin_that_the_help_desk_switches_off_stays_active_and_is_told(scene: Scene) -> None:
    person(scene, "u1", is_active=False)
    person(scene, "u1")
    with serving(people_of_jira(["u1"], active=False)) as url:
        jira(scene, url)
        outcome = run(scene, pull_support_users)
    assert active(scene) == ["u1"] and "inactive row" in told(outcome)


def test_an_empty_answer_changes_nothing(scene: Scene) -> None:
    person(scene, "u1")
    with serving(people_of_jira([])) as url:
        jira(scene, url)
        outcome = run(scene, pull_support_users)
    assert active(scene) == ["u1"]
    assert outcome.failures == [] and "lists nobody" in told(outcome)


def test_a_dry_run_writes_nothing_and_a_second_run_finds_nothing_to_do(scene: Scene) -> None:
    with serving(people_of_jira(["u1"])) as url:
        jira(scene, url)
        assert run(scene, pull_support_users, dry_run=True).rows["support_supportuser"]["inserted"] == 1
        assert scene.rows(supportuser) == []
        run(scene, pull_support_users)
        assert not run(scene, pull_support_users).rows
    assert active(scene) == ["u1"]


def test_statements_do_not_grow_with_people(scene: Scene, twin_scene: Scene) -> None:
    counts = []
    for place, many in ((scene, 3), (twin_scene, 300)):
        users = [{"id": n, "login": f"u{n}", "email": f"u{n}@example.org"} for n in range(many)]
        for n in range(many):
            place.user(f"u{n}@example.org", username=f"u{n}")
        with serving(people_of_zammad(users)) as url:
            zammad(place, url)
            seen: list[str] = []
            with place.site() as site:
                event.listen(site.engine, "before_cursor_execute", lambda *a, seen=seen: seen.append(a[2]))
                pull_support_users(site.transactions("pull-support-users", NOW))
        counts.append(len(seen))
        assert len([row for row in place.rows(supportuser) if row.user_id]) == many
    assert counts[0] == counts[1]
