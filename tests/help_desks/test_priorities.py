"""pull-priorities: those of the site's own help desk, and nobody else's."""

from __future__ import annotations

from typing import Any

import pytest

from tests.help_desks.desk_site import jira, keep_settings, run, told, zammad
from tests.loopback import serving
from tests.scene import Scene
from waldur_dagster.help_desks.priorities import pull_priorities
from waldur_dagster.schema.support import priority


def of_jira(*names: str, **values: Any) -> dict[Any, Any]:
    found = [{"id": str(n), "name": name, "description": "d", "iconUrl": "i", **values} for n, name in enumerate(names)]
    return {("GET", "/rest/api/2/priority"): lambda **_: (200, found)}


def known(scene: Scene) -> set[tuple[str, str, str | None]]:
    return {(row.backend_id, row.name, row.backend_name) for row in scene.rows(priority)}


@pytest.mark.parametrize("generation", ["2024-10", "8"])
def test_doubles_go_and_what_is_not_of_this_desk_stays(request: pytest.FixtureRequest, generation: str) -> None:
    request.node.add_marker(pytest.mark.generation(generation))
    scene: Scene = request.getfixturevalue("scene")
    first = scene.add(priority, backend_id="0", name="Old")
    scene.add(priority, backend_id="0", name="Double", backend_name="atlassian")
    scene.add(priority, backend_id="0", name="Low", backend_name="zammad")
    scene.add(priority, backend_id="", name="Handmade")
    scene.add(priority, backend_id="9", name="Gone", backend_name="atlassian")
    with serving(of_jira("High", "Low" * 100)) as url:
        jira(scene, url)
        assert told(run(scene, pull_priorities)) == ""
    assert known(scene) == {
        ("0", "High", None),
        ("0", "Low", "zammad"),
        ("", "Handmade", None),
        ("1", ("Low" * 100)[:150], None),
    }
    assert scene.one(priority, name="High").id == first


@pytest.mark.parametrize(("generation", "room"), [("2024-10", 2000), ("8", 4096)])
def test_texts_are_cut_to_the_room_that_the_site_has_for_them(
    request: pytest.FixtureRequest, generation: str, room: int
) -> None:
    request.node.add_marker(pytest.mark.generation(generation))
    scene: Scene = request.getfixturevalue("scene")
    with serving(of_jira("N" * 200, description="d" * 5000, iconUrl="i" * 600)) as url:
        jira(scene, url)
        assert told(run(scene, pull_priorities)) == ""
    row = scene.one(priority)
    assert (len(row.name), len(row.description), len(row.icon_url)) == (150, room, 500)


def test_all_pages_of_zammad_are_read_and_only_names_are_kept(scene: Scene) -> None:
    scene.add(priority, backend_id="1", name="old", description="by hand", backend_name="zammad")

    def page(query: dict[str, str], **_: Any) -> tuple[int, Any]:
        return 200, [[{"id": 1, "name": "1 low"}], [{"id": 2, "name": "2 normal"}], []][int(query["page"]) - 1]

    with serving({("GET", "/api/v1/ticket_priorities"): page}) as url:
        zammad(scene, url)
        assert told(run(scene, pull_priorities)) == ""
    assert known(scene) == {("1", "1 low", "zammad"), ("2", "2 normal", "zammad")}
    assert scene.one(priority, backend_id="1").description == "by hand"


def test_an_empty_list_changes_nothing(scene: Scene) -> None:
    scene.add(priority, backend_id="1", name="kept")
    with serving(of_jira()) as url:
        jira(scene, url)
        outcome = run(scene, pull_priorities)
    assert known(scene) == {("1", "kept", None)}
    assert outcome.failures == [] and "lists none" in told(outcome)


@pytest.mark.parametrize("settings", [{"WALDUR_SUPPORT_ENABLED": False}, {"ATLASSIAN_PULL_PRIORITIES": False}])
def test_nothing_is_asked_where_it_is_switched_off(scene: Scene, settings: dict[str, bool]) -> None:
    keep_settings(scene, ATLASSIAN_API_URL="http://127.0.0.1:1", **settings)
    assert told(run(scene, pull_priorities)) == ""


@pytest.mark.generation("8")
def test_a_switch_that_newer_waldur_no_longer_has_switches_nothing_off(scene: Scene) -> None:
    with serving(of_jira("High")) as url:
        jira(scene, url, ATLASSIAN_PULL_PRIORITIES=False)
        assert told(run(scene, pull_priorities)) == ""
    assert known(scene) == {("0", "High", None)}


def test_a_help_desk_that_nobody_has_configured_is_told_and_not_asked(scene: Scene) -> None:
    outcome = run(scene, pull_priorities)
    assert "set ATLASSIAN_API_URL" in told(outcome) and outcome.failures == []


def test_a_zammad_without_a_token_is_told(scene: Scene) -> None:
    zammad(scene, "http://127.0.0.1:1", ZAMMAD_TOKEN="")
    with pytest.raises(Exception, match="ZAMMAD_TOKEN is empty"):
        run(scene, pull_priorities)
