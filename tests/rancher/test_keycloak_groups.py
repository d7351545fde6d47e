"""waldur-rancher-delete-leftover-keycloak-groups: twice seen, and this platform's, or it stays."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest

from tests.rancher.keycloak_server import LoopbackKeycloak, serving_keycloak
from tests.rancher.keycloak_site import Realm, realm
from tests.rancher.rancher_site import NOW, told
from tests.scene import Scene
from waldur_dagster.outbox.tables import leftover
from waldur_dagster.outcome import Outcome
from waldur_dagster.rancher.keycloak_groups import delete_leftover_groups
from waldur_dagster.schema import rancher, structure

ENTRY = "waldur-rancher-delete-leftover-keycloak-groups"
pytestmark = pytest.mark.generation("8")


def run(place: Realm, hours: float = 0, **options: Any) -> Outcome:
    return place.site.run(delete_leftover_groups, ENTRY, at=NOW + timedelta(hours=hours), **options)


def left_over(place: Realm, role: str = "old") -> str:
    """A group of this platform's cluster that has no row."""
    name = place.site.group_name(rancher.cluster, place.cluster, role)
    place.keycloak.group(name)
    return name


@pytest.mark.parametrize("options", [{}, {"is_old": True}, {"most": 2}])
def test_what_two_runs_see_is_deleted_and_its_parent_two_runs_later(scene: Scene, options: dict[str, Any]) -> None:
    with realm(scene, **options) as place:
        kept = place.group()
        left = [left_over(place, f"old{n}") for n in range(5)]
        project = place.site.rancher_project(place.settings, place.cluster)
        empty = place.site.group_name(rancher.project, project)
        place.keycloak.group(f"{empty}_read-only")
        assert told(run(place)) == "" and place.keycloak.changes == []
        assert told(run(place, 1)) == ""
        assert place.keycloak.names() == sorted([kept, kept[:34], empty])
        run(place, 2)
        assert empty in place.keycloak.names()
        run(place, 3)
        assert place.keycloak.names() == sorted([kept, kept[:34]])
        assert not set(left) & set(place.keycloak.names())
        assert told(run(place, 4)) == ""
    assert scene.rows(leftover) == []


def test_two_looks_within_minutes_are_one_and_a_group_that_gets_its_row_is_forgotten(scene: Scene) -> None:
    with realm(scene) as place:
        name = left_over(place)
        for minutes in (0, 1, 4):
            run(place, minutes / 60)
        assert place.keycloak.changes == []
        (id,) = (id for id, group in place.keycloak.groups.items() if group["name"] == name)
        place.site.group(rancher.cluster, place.cluster, place.site.role(place.settings, "old"), id)
        run(place, 1)
        with scene.engine.begin() as connection:
            connection.exec_driver_sql(f"DELETE FROM {rancher.keycloakgroup.name}")
        run(place, 2)
        assert place.keycloak.changes == []
        run(place, 3)
        assert name not in place.keycloak.names()


def test_a_group_whose_row_has_no_id_yet_stays(scene: Scene) -> None:
    with realm(scene) as place:
        left_over(place, "new")
        place.site.group(rancher.cluster, place.cluster, place.site.role(place.settings, "new"), "")
        for hour in range(3):
            assert told(run(place, hour)) == ""
        assert place.keycloak.changes == []


def test_other_platforms_groups_and_other_groups_stay(scene: Scene) -> None:
    with realm(scene) as place:
        strange = f"c_{uuid.uuid4().hex}_cluster-member"
        place.keycloak.group(strange)
        place.keycloak.parent(f"p_{uuid.uuid4().hex}")
        for name in ("hpc-admins", "c_not-a-uuid", "doc_c_x", f"xc_{uuid.uuid4().hex}"):
            place.keycloak.parent(name)
        before = place.keycloak.names()
        for hour in range(3):
            outcome = run(place, hour)
        assert place.keycloak.names() == before
        assert "2 groups" in told(outcome) and strange in told(outcome)


def test_unknown_groups_go_where_the_deployment_says_so(scene: Scene) -> None:
    with realm(scene) as place:
        strange = f"c_{uuid.uuid4().hex}_cluster-member"
        place.keycloak.group(strange)
        place.keycloak.parent("hpc-admins")
        for hour in range(4):
            assert told(run(place, hour, rancher={"delete_unknown_groups": True})) == ""
        assert place.keycloak.names() == ["hpc-admins"]


def test_servers_that_share_a_realm_keep_each_others_groups(scene: Scene) -> None:
    with realm(scene) as place:
        place.site.change(rancher.cluster, place.cluster, state=4)
        second = Realm(place.site, place.keycloak, "second")
        kept = {place.group(), second.group("cluster-owner")}
        for hour in range(3):
            assert told(run(place, hour)) == ""
        assert kept <= set(place.keycloak.names()) and place.keycloak.logins == 3


@pytest.mark.parametrize("option", ["username", "password", "url"])
def test_a_server_that_cannot_be_asked_keeps_its_groups_in_a_realm_that_it_shares(scene: Scene, option: str) -> None:
    """It names no account, its password cannot be opened, or it writes the realm's address in another way."""
    with realm(scene) as place:
        second = Realm(place.site, place.keycloak, "second")
        kept = {place.group(), second.group("cluster-owner")}
        old = left_over(place)
        another_way = place.keycloak.options["keycloak_url"].replace("127.0.0.1", "localhost")
        value = {"username": "", "password": "gAAAAABunopened", "url": another_way}[option]
        options = json.dumps({**place.keycloak.options, f"keycloak_{option}": value})
        place.site.change(structure.servicesettings, second.settings, options=options)
        for hour in range(3):
            run(place, hour)
        assert kept <= set(place.keycloak.names()) and old not in place.keycloak.names()


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 200])
@pytest.mark.parametrize("where", ["groups", "children"])
def test_after_half_a_list_nothing_is_deleted_and_other_realms_are_done(scene: Scene, status: int, where: str) -> None:
    with realm(scene) as place, serving_keycloak(LoopbackKeycloak()) as other:
        second = Realm(place.site, other, "second")
        names = [left_over(one, f"old{n}") for one in (place, second) for n in range(3)]
        run(place)
        place.keycloak.most = 2  # children come on several pages, and are asked for

        def fault(_: str, path: str, query: dict[str, str]) -> Any:
            return (status, b"junk") if path.endswith(where) and int(query.get("first", 0)) > 0 else None

        place.keycloak.fault = fault
        if where == "children":
            place.keycloak.answer = _without_children(place.keycloak)  # type: ignore[method-assign]
        outcome = run(place, 1)
        assert place.keycloak.changes == []
        assert set(names[:3]) <= set(place.keycloak.names()) and not set(names[3:]) & set(other.names())
        assert len(outcome.failures) == 1
        place.keycloak.fault = None
        run(place, 2)
        assert not set(names[:3]) & set(place.keycloak.names())


def _without_children(keycloak: LoopbackKeycloak) -> Any:
    """A Keycloak whose lists of groups only count children."""
    answer = keycloak.answer

    def counting(method: str, path: str, query: dict[str, str], headers: Any) -> tuple[int, Any]:
        status, body = answer(method, path, query, headers)
        if path == "groups" and isinstance(body, list):
            body = [group | {"subGroups": []} for group in body]
        return status, body

    return counting


def test_a_deletion_that_fails_is_tried_again_by_the_next_run(scene: Scene) -> None:
    with realm(scene) as place:
        names = [left_over(place, f"old{n}") for n in range(2)]
        run(place)
        (bad,) = (id for id, group in place.keycloak.groups.items() if group["name"] == names[0])
        place.keycloak.fault = lambda method, path, _: (
            (500, {}) if (method, path) == ("DELETE", f"groups/{bad}") else None
        )
        outcome = run(place, 1)
        assert names[0] in place.keycloak.names() and names[1] not in place.keycloak.names()
        assert len(outcome.failures) == 1
        place.keycloak.fault = None
        assert told(run(place, 2)) == ""
        assert names[0] not in place.keycloak.names()


def test_a_parent_that_is_filled_in_between_stays(scene: Scene) -> None:
    with realm(scene) as place:
        parent = place.site.group_name(rancher.cluster, place.cluster)
        id = place.keycloak.parent(parent)
        run(place)

        def fault(_: str, path: str, __: dict[str, str]) -> Any:
            return (
                (200, {"id": id, "name": parent, "subGroups": [], "subGroupCount": 1})
                if path == f"groups/{id}"
                else None
            )

        place.keycloak.fault = fault
        assert told(run(place, 1)) == ""
        assert place.keycloak.changes == []


def test_a_dry_run_deletes_nothing_and_remembers_nothing(scene: Scene) -> None:
    with realm(scene) as place:
        name = left_over(place)
        run(place, dry_run=True)
        assert scene.rows(leftover) == []
        run(place)
        outcome = run(place, 1, dry_run=True)
        assert outcome.figures["outside changes that would be made"] == 1
        assert name in place.keycloak.names()


def test_settings_without_a_realm_are_left_out(scene: Scene) -> None:
    with realm(scene) as place:
        place.site.change(structure.servicesettings, place.settings, options='{"keycloak_url": ""}')
        assert told(run(place)) == ""
        assert place.keycloak.logins == 0
