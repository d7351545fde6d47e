"""waldur-rancher-sync-rancher-group-bindings: a group has its role in its own cluster or project, and nowhere else."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.rancher.rancher_server import LoopbackRancher, serving_rancher
from tests.rancher.rancher_site import RancherSite, told
from tests.scene import Scene
from waldur_dagster.rancher.bindings import PRINCIPAL, sync_bindings
from waldur_dagster.schema import rancher

ENTRY = "waldur-rancher-sync-rancher-group-bindings"
CLUSTERS, PROJECTS = "clusterroletemplatebindings", "projectroletemplatebindings"
pytestmark = pytest.mark.generation("8")


def empty(**options: Any) -> LoopbackRancher:
    return LoopbackRancher(collections={CLUSTERS: [], PROJECTS: []}, **options)


def test_what_lacks_is_bound_and_a_second_run_has_nothing_to_do(scene: Scene) -> None:
    site = RancherSite(scene)
    with serving_rancher(empty()) as server:
        settings = site.server(server)
        cluster = site.cluster(settings)
        project = site.rancher_project(settings, cluster)
        site.rancher_project(settings, None, "c-1:p-lost")
        of_cluster = site.group(rancher.cluster, cluster, site.role(settings))
        of_project = site.group(rancher.project, project, site.role(settings, "read-only", "project"))
        assert told(site.run(sync_bindings, ENTRY)) == ""
        assert server.bindings() == {("c-1", "cluster-member", PRINCIPAL + of_cluster)}
        assert server.bindings("project") == {("c-1:p-1", "read-only", PRINCIPAL + of_project)}
        server.calls.clear()
        assert told(site.run(sync_bindings, ENTRY)) == ""
    assert server.calls == [f"GET {CLUSTERS}", f"GET {PROJECTS}"]


def test_bindings_in_foreign_clusters_and_projects_go(scene: Scene) -> None:
    site = RancherSite(scene)
    with serving_rancher(empty(page=2)) as server:
        settings = site.server(server)
        role, of_projects = site.role(settings), site.role(settings, "read-only", "project")
        clusters = {name: site.cluster(settings, name) for name in ("c-1", "c-2")}
        groups = {name: site.group(rancher.cluster, id, role) for name, id in clusters.items()}
        projects = {name: site.rancher_project(settings, clusters["c-1"], f"c-1:{name}") for name in ("p-1", "p-2")}
        below = {name: site.group(rancher.project, id, of_projects) for name, id in projects.items()}
        for place in clusters:
            for group in groups.values():
                server.bind("cluster", place, "cluster-member", PRINCIPAL + group)
        for place in projects:
            for group in below.values():
                server.bind("project", f"c-1:{place}", "read-only", PRINCIPAL + group)
        assert told(site.run(sync_bindings, ENTRY)) == ""
    assert server.bindings() == {(name, "cluster-member", PRINCIPAL + group) for name, group in groups.items()}
    assert server.bindings("project") == {(f"c-1:{name}", "read-only", PRINCIPAL + g) for name, g in below.items()}


def test_pairs_count_doubles_go_and_a_wrong_role_is_not_the_right_one(scene: Scene) -> None:
    site = RancherSite(scene)
    with serving_rancher(empty()) as server:
        settings = site.server(server)
        group = PRINCIPAL + site.group(rancher.cluster, site.cluster(settings), site.role(settings))
        kept = server.bind("cluster", "c-1", "cluster-member", group, "a")
        for name in ("b", "c"):
            server.bind("cluster", "c-1", "cluster-member", group, name)
        server.bind("cluster", "c-1", "cluster-owner", group)
        assert told(site.run(sync_bindings, ENTRY)) == ""
    assert [item["id"] for item in server.collections[CLUSTERS]] == [kept]


def test_nobody_elses_bindings_are_touched(scene: Scene) -> None:
    site = RancherSite(scene)
    with serving_rancher(empty()) as server:
        settings = site.server(server)
        sound, erred = site.cluster(settings), site.cluster(settings, "c-2", state=4)
        unknown = f"c_{uuid.uuid4().hex}_cluster-member"
        others = [
            "openldap_group://cn=ops",
            f"{PRINCIPAL}hpc-admins",
            f"{PRINCIPAL}c_team_admins",
            None,
            "github_team://4",
        ]
        others += [PRINCIPAL + unknown, f"openldap_group://{site.group_name(rancher.cluster, sound, 'x')}"]
        for principal in others:
            server.bind("cluster", "c-1", "cluster-owner", principal)
        server.bind("cluster", "c-2", "old", PRINCIPAL + site.group_name(rancher.cluster, erred, "old"))
        outcome = site.run(sync_bindings, ENTRY)
    assert server.changes == []
    assert outcome.failures == [] and unknown in told(outcome)


def test_a_role_of_another_server_or_kind_is_told_and_not_bound(scene: Scene) -> None:
    site = RancherSite(scene)
    with serving_rancher(empty()) as server:
        settings, other = site.server(server), site.server(server, "other")
        cluster = site.cluster(settings)
        site.group(rancher.cluster, cluster, site.role(other))
        site.group(rancher.cluster, cluster, site.role(settings, "read-only", "project"))
        outcome = site.run(sync_bindings, ENTRY)
    assert server.changes == [] and outcome.failures == []
    assert "of another Rancher server" in told(outcome) and "for a project" in told(outcome)


@pytest.mark.parametrize(
    "answer",
    [*((status, {}) for status in (401, 403, 404, 429, 500)), (200, b"junk"), (200, {"data": [{}]}), (200, {})],
)
@pytest.mark.parametrize("page", [1, 2])
def test_after_half_a_list_nothing_is_deleted_and_other_lists_and_servers_are_done(
    scene: Scene, answer: tuple[int, Any], page: int
) -> None:
    def fault(method: str, path: str, query: dict[str, str]) -> Any:
        return answer if path == CLUSTERS and method == "GET" and ("marker" in query) == (page == 2) else None

    site = RancherSite(scene)
    with serving_rancher(empty(page=1, fault=fault)) as broken, serving_rancher(empty()) as sound:
        for server in (broken, sound):
            settings = site.server(server)
            cluster = site.cluster(settings)
            project = site.rancher_project(settings, cluster)
            site.group(rancher.cluster, cluster, site.role(settings))
            for role in ("wrong", "worse"):
                server.bind("cluster", "c-1", role, PRINCIPAL + site.group_name(rancher.cluster, cluster, role))
            server.bind("project", "c-1:p-1", "wrong", PRINCIPAL + site.group_name(rancher.project, project, "wrong"))
        outcome = site.run(sync_bindings, ENTRY)
    assert len(broken.bindings()) == 2 and len(sound.bindings()) == 1
    assert broken.bindings("project") == sound.bindings("project") == set()
    assert len(outcome.failures) >= 1


def test_a_refused_change_is_told_and_the_others_are_made(scene: Scene) -> None:
    def fault(method: str, path: str, _: dict[str, str]) -> Any:
        return (422, {"message": "no such role"}) if method == "DELETE" and path.endswith(":bad") else None

    site = RancherSite(scene)
    with serving_rancher(empty(fault=fault)) as server:
        settings = site.server(server)
        cluster = site.cluster(settings)
        site.group(rancher.cluster, cluster, site.role(settings))
        for name in ("bad", "good"):
            server.bind("cluster", "c-1", name, PRINCIPAL + site.group_name(rancher.cluster, cluster, name), name)
        outcome = site.run(sync_bindings, ENTRY)
    assert {role for _, role, _ in server.bindings()} == {"bad", "cluster-member"}
    assert len(outcome.failures) == 1 and "no such role" in told(outcome)


def test_a_dry_run_lists_what_it_would_change(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    site = RancherSite(scene)
    with serving_rancher(empty()) as server, caplog.at_level("INFO"):
        settings = site.server(server)
        group = site.group(rancher.cluster, site.cluster(settings), site.role(settings))
        outcome = site.run(sync_bindings, ENTRY, dry_run=True)
    assert server.changes == []
    assert outcome.figures["outside changes that would be made"] == 1
    assert f"Would: bind {PRINCIPAL}{group} with the role cluster-member in c-1" in caplog.text
