"""waldur-rancher-delete-leftover-keycloak-memberships: who has no membership leaves, and nobody else."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine

from tests.rancher.keycloak_server import LoopbackKeycloak, serving_keycloak
from tests.rancher.keycloak_site import Realm, realm
from tests.rancher.rancher_site import told
from tests.scene import Scene
from tests.statements import counted
from waldur_dagster.outcome import Outcome
from waldur_dagster.rancher.keycloak_memberships import delete_leftover_memberships
from waldur_dagster.schema import rancher

ENTRY = "waldur-rancher-delete-leftover-keycloak-memberships"
pytestmark = pytest.mark.generation("8")


def run(place: Realm, **options: Any) -> Outcome:
    return place.site.run(delete_leftover_memberships, ENTRY, **options)


@pytest.mark.parametrize("most", [1, 100])
def test_who_has_no_membership_leaves_whatever_the_case(scene: Scene, most: int) -> None:
    with realm(scene, most=most) as place:
        users = [place.keycloak.user(name) for name in ("alice", "bob", "ann", "anne", "joanne")]
        group = place.group("cluster-member", *users)
        for name, state in (("Alice", "active"), ("BOB", "pending"), ("ann", "active")):
            place.site.member(group, name, state)
        assert told(run(place)) == ""
        assert place.members(group) == ["alice", "bob", "ann"]
        before = len(place.keycloak.changes)
        assert told(run(place)) == ""
        assert len(place.keycloak.changes) == before == 2


def test_a_group_without_rows_is_emptied_and_told(scene: Scene) -> None:
    with realm(scene) as place:
        user = place.keycloak.user("alice")
        place.site.member(place.group("cluster-member", user), "alice", "active")
        empty = place.group("cluster-owner", user)
        place.site.group(rancher.cluster, place.cluster, place.site.role(place.settings, "no-id"), "")
        outcome = run(place)
        assert place.members(empty) == [] and outcome.failures == []
    assert "all its 1 members are taken out" in told(outcome)


def test_what_is_asked_about_memberships_does_not_grow_with_empty_groups(scene: Scene, twin_scene: Scene) -> None:
    counts = []
    for one, size in ((scene, 2), (twin_scene, 20)):
        with realm(one) as place:
            user = place.keycloak.user("alice")
            place.site.member(place.group("cluster-member", user), "alice", "active")
            groups = [place.group(f"role-{number}", user) for number in range(size)]
            with counted(Engine) as statements:
                run(place)
            assert [place.members(group) for group in groups] == [[]] * size
        counts.append(sum(rancher.membership.name in statement for statement in statements))
    assert counts[0] == counts[1]


def test_a_database_without_a_membership_empties_nothing(scene: Scene) -> None:
    with realm(scene) as place:
        users = [place.keycloak.user(name) for name in ("alice", "bob")]
        groups = [place.group(role, *users) for role in ("cluster-member", "cluster-owner")]
        outcome = run(place)
        assert [place.members(group) for group in groups] == [["alice", "bob"]] * 2
    assert len(outcome.failures) == 1 and "nobody is taken out" in told(outcome)


def test_groups_of_unsound_clusters_and_foreign_groups_are_not_looked_at(scene: Scene) -> None:
    with realm(scene) as place:
        user = place.keycloak.user("alice")
        place.keycloak.members[place.keycloak.parent("hpc-admins")] = [user]
        place.group("cluster-member", user)
        place.site.change(rancher.cluster, place.cluster, state=4)
        assert told(run(place)) == ""
        assert place.keycloak.calls == []


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 200])
@pytest.mark.parametrize("first", [0, 2])
def test_after_half_a_list_nobody_leaves_and_other_groups_are_done(scene: Scene, status: int, first: int) -> None:
    with realm(scene) as place, serving_keycloak(LoopbackKeycloak()) as other:
        second = Realm(place.site, other, "second")
        groups = []
        for one in (place, second):
            users = [one.keycloak.user(f"user{n}") for n in range(4)]
            groups.append(one.group("cluster-member", *users))
            one.site.member(groups[-1], "user0", "active")
        place.keycloak.most = 2

        def fault(_: str, path: str, query: dict[str, str]) -> Any:
            return (status, b"junk") if path.endswith("/members") and int(query["first"]) == first else None

        place.keycloak.fault = fault
        outcome = run(place)
        assert len(place.members(groups[0])) == 4 and second.members(groups[1]) == ["user0"]
        assert place.keycloak.changes == []
    assert (len(outcome.failures), len(outcome.warnings)) == ((0, 1) if status == 404 else (1, 0))


def test_one_who_cannot_be_taken_out_keeps_nobody_in(scene: Scene) -> None:
    with realm(scene) as place:
        users = [place.keycloak.user(f"user{n}") for n in range(4)]
        group = place.group("cluster-member", *users)
        place.site.member(group, "user0", "active")
        broken = {f"users/{users[1]}/groups": 500, f"users/{users[2]}/groups": 404}

        def fault(method: str, path: str, _: dict[str, str]) -> Any:
            status = broken.get(path.rpartition("/")[0])
            return (status, {}) if method == "DELETE" and status else None

        place.keycloak.fault = fault
        outcome = run(place)
        assert place.members(group) == ["user0", "user1", "user2"]
    assert len(outcome.failures) == 1  # who is not there any more is out


def test_a_dry_run_takes_nobody_out(scene: Scene) -> None:
    with realm(scene) as place:
        users = [place.keycloak.user(f"user{n}") for n in range(3)]
        group = place.group("cluster-member", *users)
        place.site.member(group, "user0", "active")
        outcome = run(place, dry_run=True)
        assert len(place.members(group)) == 3 and outcome.figures["outside changes that would be made"] == 2
