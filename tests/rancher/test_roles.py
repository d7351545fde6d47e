"""waldur-rancher-sync-rancher-roles: roles come and go, those that groups hang on stay."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rancher.rancher_server import LoopbackRancher, serving_rancher
from tests.rancher.rancher_site import RancherSite, told
from tests.scene import Scene
from waldur_dagster.rancher.roles import sync_roles
from waldur_dagster.schema import rancher

ENTRY = "waldur-rancher-sync-rancher-roles"
pytestmark = pytest.mark.generation("8")


def lists(server: LoopbackRancher, *roles: tuple[str, str]) -> None:
    found = [{"id": id, "name": id.title(), "context": context} for id, context in roles]
    server.collections["roletemplates"] = found


def known(scene: Scene) -> set[tuple[int, str, str, str]]:
    return {(r.settings_id, r.scope_type, r.name, r.display_name) for r in scene.rows(rancher.roletemplate)}


def test_roles_of_all_pages_become_known_and_lost_ones_go_unless_groups_hang_on_them(scene: Scene) -> None:
    site = RancherSite(scene)
    with serving_rancher(LoopbackRancher(page=2)) as server:
        settings = site.server(server)
        cluster = site.cluster(settings)
        site.role(settings, "lost")
        site.group(rancher.cluster, cluster, site.role(settings, "used"))
        site.role(settings, "member")
        roles = [
            ("member", "cluster"),
            ("owner", "cluster"),
            ("read-only", "project"),
            ("base", ""),
            ("x" * 51, "cluster"),
        ]
        lists(server, *roles)
        outcome = site.run(sync_roles, ENTRY)
        assert known(scene) == {
            (settings, "cluster", "member", "Member"),
            (settings, "cluster", "owner", "Owner"),
            (settings, "project", "read-only", "Read-Only"),
            (settings, "cluster", "used", "used"),
        }
        assert outcome.failures == [] and len(outcome.warnings) == 2
        assert "people have it" in told(outcome) and "more than 50 characters" in told(outcome)
        assert not site.run(sync_roles, ENTRY).rows


def test_a_role_without_a_context_keeps_what_is_known_of_it(scene: Scene) -> None:
    site = RancherSite(scene)
    with serving_rancher(LoopbackRancher()) as server:
        settings = site.server(server)
        site.cluster(settings)
        site.role(settings, "lost")
        site.role(settings, "read-only", "project")
        lists(server, ("member", "cluster"))
        server.add("roletemplates", id="read-only", name="Read only")
        outcome = site.run(sync_roles, ENTRY)
    assert known(scene) == {
        (settings, "cluster", "member", "Member"),
        (settings, "project", "read-only", "read-only"),
    }
    assert outcome.failures == [] and "role read-only" in told(outcome) and "no context" in told(outcome)


def test_only_servers_of_sound_clusters_are_asked(scene: Scene) -> None:
    site = RancherSite(scene)
    with serving_rancher(LoopbackRancher()) as server:
        site.cluster(site.server(server), state=4)
        assert told(site.run(sync_roles, ENTRY)) == ""
    assert server.calls == []


@pytest.mark.parametrize(
    "answer", [(401, {}), (403, {}), (404, {}), (429, {}), (500, {}), (200, b"junk"), (200, {"data": []}), (200, {})]
)
@pytest.mark.parametrize("page", [1, 2])
def test_half_a_list_or_none_deletes_nothing_and_other_servers_are_done(
    scene: Scene, answer: tuple[int, Any], page: int
) -> None:
    def fault(_: str, __: str, query: dict[str, str]) -> Any:
        return answer if ("marker" in query) == (page == 2) else None

    site = RancherSite(scene)
    with serving_rancher(LoopbackRancher(page=1, fault=fault)) as broken, serving_rancher(LoopbackRancher()) as sound:
        first, second = site.server(broken), site.server(sound, "second")
        for settings in (first, second):
            site.cluster(settings)
            site.role(settings, "old")
        for server in (broken, sound):
            lists(server, ("a", "cluster"), ("b", "cluster"))
        outcome = site.run(sync_roles, ENTRY)
    assert known(scene) == {
        (first, "cluster", "old", "old"),
        (second, "cluster", "a", "A"),
        (second, "cluster", "b", "B"),
    }
    assert len(outcome.failures) == 1
