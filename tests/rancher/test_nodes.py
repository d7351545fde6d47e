"""waldur-rancher-update-clusters-nodes: what becomes of nodes, and of those that cannot be read."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import event, select

from tests.lateness import LATE
from tests.mail_server import free_port
from tests.rancher.rancher_server import SECRET, LoopbackRancher, node, serving_rancher
from tests.rancher.rancher_site import NOW, RancherSite, told
from tests.raw_server import raw_server, silent
from tests.scene import Scene
from waldur_dagster.rancher.nodes import update_nodes
from waldur_dagster.schema import marketplace, rancher

ENTRY = "waldur-rancher-update-clusters-nodes"
OK, ERRED, CREATING, DELETING = 3, 4, 6, 8


def nodes_of(server: LoopbackRancher, cluster: str, *nodes: dict[str, Any]) -> None:
    server.collections[f"clusters/{cluster}/nodes"] = list(nodes)


def test_one_list_for_a_cluster_page_by_page(scene: Scene) -> None:
    """The server links to itself by a name that leads nowhere; its pages are asked for where it is configured."""
    site = RancherSite(scene)
    with serving_rancher(LoopbackRancher(page=2, known_as="https://rancher.invalid")) as server:
        settings = site.server(server)
        cluster = site.cluster(settings)
        site.cluster(settings, "c-empty")
        site.cluster(settings, "", name="not made yet")
        for n in range(5):
            site.node(cluster, f"n{n}", CREATING)
        nodes_of(server, "c-1", *(node(f"n{n}") for n in range(5)))
        assert told(site.run(update_nodes, ENTRY)) == ""
    assert server.calls == ["GET clusters/c-1/nodes"] * 3
    rows = scene.rows(rancher.node)
    assert {(row.state, row.cpu_allocated, row.ram_total, row.k8s_version) for row in rows} == {
        (OK, 0.38, 15784, "v1.20.6")
    }


def test_ids_are_told_by_host_names_and_two_hosts_of_one_name_are_no_choice(scene: Scene) -> None:
    site = RancherSite(scene)
    with serving_rancher(LoopbackRancher()) as server:
        cluster = site.cluster(site.server(server))
        site.node(cluster, "a", CREATING, backend_id="")
        site.node(cluster, "b", CREATING, backend_id="wrong")
        site.node(cluster, "twice", CREATING, backend_id="")
        site.node(cluster, "known", CREATING, backend_id="m-2")
        same = (node("x", id=f"m-{n}", requestedHostname=name) for n, name in enumerate(("twice", "twice", "known")))
        nodes_of(server, "c-1", node("a"), node("b"), *same, {"id": "m-9", "state": "active"})
        outcome = site.run(update_nodes, ENTRY)
    assert {row.name: row.backend_id for row in scene.rows(rancher.node)} == {
        "a": "m-a",
        "b": "m-b",
        "twice": "",
        "known": "m-2",
    }
    assert outcome.failures == [] and "could be m-0 or m-1" in told(outcome)


def test_a_node_that_rancher_does_not_have_keeps_its_row_and_fails_the_run(scene: Scene) -> None:
    site = RancherSite(scene)
    with serving_rancher(LoopbackRancher()) as server:
        cluster = site.cluster(site.server(server))
        site.node(cluster, "gone", CREATING, runtime_state="registering")
        site.node(cluster, "here", CREATING)
        site.node(cluster, "ending", DELETING)
        nodes_of(server, "c-1", node("here"), node("ending"))
        outcome = site.run(update_nodes, ENTRY)
    assert {row.name: row.state for row in scene.rows(rancher.node)} == {
        "gone": CREATING,
        "here": OK,
        "ending": DELETING,
    }
    assert [found.item.partition(" of ")[0] for found in outcome.failures] == ["node gone"]


def test_junk_of_a_node_keeps_its_old_values(scene: Scene) -> None:
    site = RancherSite(scene)
    with serving_rancher(LoopbackRancher()) as server:
        cluster = site.cluster(site.server(server))
        site.node(cluster, "n", cpu_total=2, ram_total=20, labels={"old": "1"}, error_message="still")
        junk = {"cpu": "many", "memory": "9E", "pods": -1}
        nodes_of(server, "c-1", node("n", labels=["x"], allocatable=junk, requested=None, info="new"))
        outcome = site.run(update_nodes, ENTRY)
        assert "unknown form" in told(outcome)
        nodes_of(server, "c-1", node("n", "x" * 300, labels=["x"], allocatable=junk, requested=None, info=None))
        assert told(site.run(update_nodes, ENTRY)) == ""
    row = scene.one(rancher.node)
    assert (row.cpu_total, row.ram_total, row.labels, row.runtime_state) == (2, 20, {"old": "1"}, "x" * 255)
    assert (row.state, row.error_message) == (ERRED, "still")


def test_a_node_that_cannot_be_read_stops_no_other_and_goes_on_counting(scene: Scene) -> None:
    site = RancherSite(scene)
    with serving_rancher(LoopbackRancher()) as server:
        cluster = site.cluster(site.server(server))
        resource = site.sold(cluster)
        site.node(cluster, "bad", OK)
        site.node(cluster, "good", CREATING)
        nodes_of(server, "c-1", node("bad", "error", info="junk"), node("good"), node("x", requestedHostname=["y"]))
        outcome = site.run(update_nodes, ENTRY)
    assert {row.name: row.state for row in scene.rows(rancher.node)} == {"bad": OK, "good": OK}
    assert scene.one(marketplace.resource, id=resource).current_usages == {"node": 2}
    assert [found.item.partition(" of ")[0] for found in outcome.failures] == ["node bad"]
    assert "unknown form" in told(outcome)


def test_a_cluster_that_somebody_is_writing_is_waited_for_when_its_deletion_fails(scene: Scene) -> None:
    site = RancherSite(scene)
    with serving_rancher(LoopbackRancher()) as server, scene.engine.connect() as holder:
        release = threading.Timer(1, holder.rollback)
        server.fault = lambda *_: release.start()
        cluster = site.cluster(site.server(server), state=DELETING)
        site.node(cluster, "n", OK)
        nodes_of(server, "c-1", node("n", "error"))
        holder.execute(select(rancher.cluster.c.id).where(rancher.cluster.c.id == cluster).with_for_update())
        assert told(site.run(update_nodes, ENTRY)) == ""
        release.join()
    assert (scene.one(rancher.cluster).state, scene.one(rancher.node).state) == (ERRED, ERRED)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((401, {"message": SECRET}), "HTTP 401"),
        ((403, {}), "HTTP 403"),
        ((404, {}), "HTTP 404"),
        ((429, {}), "HTTP 429"),
        ((500, {}), "HTTP 500"),
        ((200, b"<html>"), "no JSON"),
        ((200, {"data": None}), "no list"),
        ((200, {"data": [{"id": "m-n0"}], "pagination": {"total": 5}}), " items"),
        ((200, {"data": [{"id": "m-n0"}], "pagination": {"partial": True}}), "has cut it"),
        ((200, {"data": [{"state": "active"}], "pagination": {"total": 2}}), "no id"),
    ],
)
@pytest.mark.parametrize("page", [1, 2])
def test_a_cluster_that_cannot_be_read_stays_and_the_others_are_done(
    scene: Scene, answer: tuple[int, Any], words: str, page: int
) -> None:
    def fault(_: str, path: str, query: dict[str, str]) -> Any:
        return answer if "c-1" in path and ("marker" in query) == (page == 2) else None

    site = RancherSite(scene)
    with serving_rancher(LoopbackRancher(page=1, fault=fault)) as server, serving_rancher(LoopbackRancher()) as other:
        broken, sound = site.cluster(site.server(server)), site.cluster(site.server(other, "other"), "c-2")
        for name in ("n0", "n1"):
            site.node(broken, name, CREATING, runtime_state="registering")
        site.node(sound, "s", CREATING)
        nodes_of(server, "c-1", node("n0"), node("n1"))
        nodes_of(other, "c-2", node("s"))
        outcome = site.run(update_nodes, ENTRY)
    assert [row.state for row in scene.rows(rancher.node)] == [CREATING, CREATING, OK]
    assert len(outcome.failures) == 1 and words in told(outcome) and SECRET not in told(outcome)


@LATE
def test_a_server_that_is_not_there_or_never_answers_changes_nothing(scene: Scene) -> None:
    site = RancherSite(scene)
    with raw_server(silent) as mute:
        for port in (free_port(), mute.port):
            server = LoopbackRancher(url=f"http://127.0.0.1:{port}")
            site.node(site.cluster(site.server(server)), "n", CREATING)
        outcome = site.run(update_nodes, ENTRY)
    assert {row.state for row in scene.rows(rancher.node)} == {CREATING}
    assert len(outcome.failures) == 2


def test_a_dry_run_writes_nothing(scene: Scene) -> None:
    site = RancherSite(scene)
    with serving_rancher(LoopbackRancher()) as server:
        cluster = site.cluster(site.server(server))
        site.sold(cluster)
        site.node(cluster, "n", CREATING)
        nodes_of(server, "c-1", node("n"))
        outcome = site.run(update_nodes, ENTRY, dry_run=True)
    assert outcome.rows["waldur_rancher_node"]["updated"] == 1
    assert scene.one(rancher.node).state == CREATING


def test_statements_for_a_cluster_do_not_grow_with_its_nodes(scene: Scene, twin_scene: Scene) -> None:
    counts = []
    for place, many in ((scene, 3), (twin_scene, 100)):
        site = RancherSite(place)
        seen: list[str] = []
        with serving_rancher(LoopbackRancher()) as server:
            cluster = site.cluster(site.server(server))
            site.sold(cluster)
            for n in range(many):
                site.node(cluster, f"n{n}", CREATING)
            nodes_of(server, "c-1", *(node(f"n{n}") for n in range(many)))
            with place.site() as run:
                event.listen(run.engine, "before_cursor_execute", lambda *a, seen=seen: seen.append(a[2]))
                update_nodes(run.transactions(ENTRY, NOW))
        counts.append(len(seen))
    assert counts[0] == counts[1]
