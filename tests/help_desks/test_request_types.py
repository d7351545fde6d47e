"""sync_request_types: the whole list, its fields before any row, and no other back end's types."""

from __future__ import annotations

from typing import Any

import pytest

from tests.help_desks.desk_site import jira, run, told
from tests.loopback import Routes, serving
from tests.scene import Scene
from waldur_dagster.help_desks.request_types import sync_request_types
from waldur_dagster.schema.support import requesttype

DESK = "/rest/servicedeskapi/servicedesk/4"


def service_desk(count: int, *, page: int = 2, asked: list[str] | None = None) -> Routes:
    """Desk 4 of the project SUP; all its types are of one issue type."""
    types = [{"id": str(n), "name": f"Type {n}", "issueTypeId": "10001"} for n in range(1, count + 1)]

    def listed(query: dict[str, str], **_: Any) -> tuple[int, Any]:
        start = int(query.get("start", 0))
        return 200, {"values": types[start : start + page], "isLastPage": start + page >= count}

    def issue_type(**_: Any) -> tuple[int, Any]:
        (asked if asked is not None else []).append("issuetype")
        return 200, {"name": "Service Request"}

    return {
        ("GET", "/rest/servicedeskapi/servicedesk/SUP"): lambda **_: (200, {"id": "4"}),
        ("GET", f"{DESK}/requesttype"): listed,
        ("GET", f"{DESK}/requesttype/(.+)/field"): lambda id, **_: (200, {"requestTypeFields": [{"fieldId": id}]}),
        ("GET", "/rest/api/2/issuetype/10001"): issue_type,
    }


def known(scene: Scene) -> dict[int, tuple[str, str, str | None]]:
    return {row.backend_id: (row.name, row.issue_type_name, row.backend_name) for row in scene.rows(requesttype)}


@pytest.mark.generation("8")
def test_types_go_by_their_names_in_newer_waldur_and_are_shown(scene: Scene) -> None:
    asked: list[str] = []
    scene.add(requesttype, backend_id=2, name="Old", issue_type_name="Service Request", fields=[{"fieldId": "2"}])
    with serving(service_desk(2, asked=asked)) as url:
        jira(scene, url)
        assert told(run(scene, sync_request_types)) == ""
    assert known(scene) == {n: (f"Type {n}", f"Type {n}", "atlassian") for n in (1, 2)} and asked == []
    row = scene.one(requesttype, backend_id=1)
    assert (row.is_active, row.order, row.fields) == (True, 0, [])
    assert scene.one(requesttype, backend_id=2).fields == []


@pytest.mark.generation("8")
def test_a_type_of_jira_takes_the_place_of_one_with_its_name_and_another_id_or_none(scene: Scene) -> None:
    scene.add(requesttype, backend_id=None, name="Type 1", backend_name="atlassian", fields=[])
    scene.add(requesttype, backend_id=77, name="Type 2", fields=[])
    scene.add(requesttype, backend_id=3, name="Type 1", fields=[])
    scene.add(requesttype, backend_id=None, name="By hand", fields=[])
    scene.add(requesttype, backend_id=None, name="Type 1", backend_name="smax", fields=[])
    with serving(service_desk(3)) as url:
        jira(scene, url)
        assert told(run(scene, sync_request_types)) == ""
        assert not run(scene, sync_request_types).rows
    names = sorted((row.name, row.backend_id, row.backend_name) for row in scene.rows(requesttype) if row.backend_id)
    assert names == [(f"Type {n}", n, "atlassian") for n in (1, 2, 3)]
    assert {(row.name, row.backend_name) for row in scene.rows(requesttype, backend_id=None)} == {
        ("By hand", None),
        ("Type 1", "smax"),
    }


@pytest.mark.generation("8")
def test_half_a_list_of_newer_waldur_deletes_nothing(scene: Scene) -> None:
    scene.add(requesttype, backend_id=None, name="Type 1", fields=[])

    def listed(query: dict[str, str], **_: Any) -> tuple[int, Any]:
        return (
            (403, {}) if "start" in query else (200, {"values": [{"id": "1", "name": "Type 1"}], "isLastPage": False})
        )

    with serving(service_desk(1) | {("GET", f"{DESK}/requesttype"): listed}) as url:
        jira(scene, url)
        assert len(run(scene, sync_request_types).failures) == 1
    assert scene.one(requesttype).backend_id is None


def test_types_of_all_pages_are_kept_and_an_issue_type_is_asked_for_once(scene: Scene) -> None:
    asked: list[str] = []
    scene.add(requesttype, backend_id=5, name="old", fields=[])
    scene.add(requesttype, backend_id=77, name="gone", fields=[])
    scene.add(requesttype, backend_id=88, name="SMAX's", backend_name="smax", fields=[])
    with serving(service_desk(5, asked=asked)) as url:
        jira(scene, url)
        assert told(run(scene, sync_request_types)) == ""
    assert sorted(known(scene)) == [1, 2, 3, 4, 5, 88]
    assert known(scene)[5] == ("Type 5", "Service Request", None)
    assert asked == ["issuetype"]


@pytest.mark.parametrize("before", [0, 1000])
def test_a_project_that_is_no_number_to_an_old_jira_is_looked_up_among_the_desks(scene: Scene, before: int) -> None:
    said = f'{"x" * before} java.lang.NumberFormatException: For input string: "SUP"'.encode()
    routes: Routes = service_desk(1) | {
        ("GET", "/rest/servicedeskapi/servicedesk/SUP"): lambda **_: (400, said),
        ("GET", "/rest/servicedeskapi/servicedesk"): lambda **_: (200, {"values": [{"id": "4", "projectKey": "SUP"}]}),
    }
    with serving(routes) as url:
        jira(scene, url)
        assert told(run(scene, sync_request_types)) == ""
    assert list(known(scene)) == [1]


def test_an_id_that_another_back_end_has_stays_its_own(scene: Scene) -> None:
    scene.add(requesttype, backend_id=1, name="SMAX's", backend_name="smax", fields=[])
    with serving(service_desk(2)) as url:
        jira(scene, url)
        outcome = run(scene, sync_request_types)
    assert known(scene) == {1: ("SMAX's", "", "smax"), 2: ("Type 2", "Service Request", None)}
    assert "smax has a request type with its id" in told(outcome)


@pytest.mark.parametrize(
    "broken", [f"{DESK}/requesttype/2/field", "/rest/api/2/issuetype/10001", f"{DESK}/requesttype"]
)
@pytest.mark.parametrize("answer", [(403, {}), (200, b"<html>"), (200, {}), (200, [])])
def test_nothing_changes_when_something_cannot_be_read(scene: Scene, broken: str, answer: tuple[int, Any]) -> None:
    scene.add(requesttype, backend_id=77, name="kept", issue_type_name="Task", fields=[])
    routes = {("GET", broken): lambda **_: answer}
    with serving(routes | {place: way for place, way in service_desk(3).items() if place not in routes}) as url:
        jira(scene, url)
        outcome = run(scene, sync_request_types)
    assert known(scene) == {77: ("kept", "Task", None)}
    assert len(outcome.failures) == 1


def test_an_empty_list_changes_nothing(scene: Scene) -> None:
    scene.add(requesttype, backend_id=77, name="kept", fields=[])
    with serving(service_desk(0)) as url:
        jira(scene, url)
        outcome = run(scene, sync_request_types)
    assert list(known(scene)) == [77]
    assert outcome.failures == [] and "lists none" in told(outcome)
