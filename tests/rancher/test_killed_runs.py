"""Runs that are killed in the middle, and two at once: the next run ends as if nothing had happened."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.processes import halting, kill, started, wait_until
from tests.rancher.keycloak_site import realm
from tests.rancher.rancher_server import LoopbackRancher, node, serving_rancher
from tests.rancher.rancher_site import NOW, RancherSite, told
from tests.rancher.test_nodes import CREATING, OK, nodes_of
from tests.scene import Scene
from waldur_dagster.rancher.bindings import PRINCIPAL, sync_bindings
from waldur_dagster.rancher.keycloak_groups import delete_leftover_groups
from waldur_dagster.rancher.keycloak_users import sync_users
from waldur_dagster.rancher.nodes import update_nodes
from waldur_dagster.schema import invoices, marketplace, rancher
from waldur_dagster.site import AlreadyRunning

RUN = """
import sys
from waldur_dagster.functions import Function
from waldur_dagster.deployment import parse_deployment
from waldur_dagster.site import Site
from datetime import datetime
url, entry, place, at = sys.argv[1:]
with Site(parse_deployment({"database": {"url": url}, "first_month": "2024-01"})) as site:
    Function(place)(site.transactions(entry, datetime.fromisoformat(at)))
"""
MANY = 24


def begun(scene: Scene, entry: str, do: Any, at: Any = NOW) -> Any:
    url = scene.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    return started(RUN, url, entry, f"{do.__module__}:{do.__name__}", at.isoformat())


@pytest.mark.generation("8")
def test_bindings_are_made_once(scene: Scene) -> None:
    entry, site = "waldur-rancher-sync-rancher-group-bindings", RancherSite(scene)
    server = LoopbackRancher()
    server.fault, go_on = halting(lambda: len(server.bindings()) >= 3)
    server.collections = {"clusterroletemplatebindings": [], "projectroletemplatebindings": []}
    with serving_rancher(server):
        settings = site.server(server)
        role = site.role(settings)
        groups = {f"c-{n}": site.group(rancher.cluster, site.cluster(settings, f"c-{n}"), role) for n in range(MANY)}
        running = begun(scene, entry, sync_bindings)
        wait_until(lambda: len(server.bindings()) >= 3)
        kill(running, scene.engine)
        go_on.set()
        time.sleep(0.2)  # what it has sent is still being done
        assert 3 <= len(server.bindings()) < MANY
        assert told(site.run(sync_bindings, entry)) == ""
    assert server.bindings() == {(place, "cluster-member", PRINCIPAL + name) for place, name in groups.items()}
    assert len(server.collections["clusterroletemplatebindings"]) == MANY


@pytest.mark.generation("8")
def test_people_are_added_by_the_next_run_and_two_runs_do_not_meet(scene: Scene) -> None:
    entry = "waldur-rancher-sync-keycloak-users"
    with realm(scene) as place:
        place.keycloak.fault, go_on = halting(lambda: place.keycloak.counted["PUT"] >= 3)
        group = place.group()
        for n in range(MANY):
            place.keycloak.user(f"user{n}")
            place.site.member(group, f"user{n}")
        running = begun(scene, entry, sync_users)
        wait_until(lambda: place.keycloak.counted["PUT"] >= 3)
        with pytest.raises(AlreadyRunning):
            place.site.run(sync_users, entry)
        kill(running, scene.engine)
        go_on.set()
        assert told(place.site.run(sync_users, entry)) == ""
        assert sorted(place.members(group)) == sorted(f"user{n}" for n in range(MANY))
    assert {row.state for row in scene.rows(rancher.membership)} == {"active"}


@pytest.mark.generation("8")
def test_leftovers_that_one_process_saw_are_known_to_the_next_and_deleted_by_a_third(scene: Scene) -> None:
    entry = "waldur-rancher-delete-leftover-keycloak-groups"
    with realm(scene) as place:
        names = [place.site.group_name(rancher.cluster, place.cluster, f"old{n}") for n in range(MANY)]
        for name in names:
            place.keycloak.group(name)
        assert begun(scene, entry, delete_leftover_groups, NOW.replace(hour=5)).wait() == 0
        assert place.keycloak.changes == []
        place.keycloak.fault, go_on = halting(lambda: place.keycloak.counted["DELETE"] >= 3)
        running = begun(scene, entry, delete_leftover_groups, NOW.replace(hour=6))
        wait_until(lambda: place.keycloak.counted["DELETE"] >= 3)
        kill(running, scene.engine)
        go_on.set()
        assert set(names) & set(place.keycloak.names())
        assert told(place.site.run(delete_leftover_groups, entry)) == ""
        assert not set(names) & set(place.keycloak.names())
        deleted = [call for call in place.keycloak.changes if call.startswith("DELETE")]
        assert MANY <= len(deleted) <= MANY + 4  # what was on its way when the process died may be asked for again


def test_nodes_are_counted_and_billed_once(scene: Scene) -> None:
    entry, site = "waldur-rancher-update-clusters-nodes", RancherSite(scene)
    with serving_rancher(LoopbackRancher()) as server:
        server.fault, go_on = halting(lambda: len(scene.rows(marketplace.componentusage)) >= 3)
        settings = site.server(server)
        for n in range(MANY):
            cluster = site.cluster(settings, f"c-{n}")
            site.sold(cluster)
            site.node(cluster, f"n{n}", CREATING)
            nodes_of(server, f"c-{n}", node(f"n{n}"))
        running = begun(scene, entry, update_nodes)
        wait_until(lambda: len(scene.rows(marketplace.componentusage)) >= 3)
        kill(running, scene.engine)
        go_on.set()
        assert 3 <= len(scene.rows(marketplace.componentusage)) < MANY
        assert told(site.run(update_nodes, entry)) == ""
    assert {row.state for row in scene.rows(rancher.node)} == {OK}
    assert [float(row.usage) for row in scene.rows(marketplace.componentusage)] == [1.0] * MANY
    assert [float(row.quantity) for row in scene.rows(invoices.invoiceitem)] == [1.0] * MANY
    assert float(scene.one(invoices.invoice).total_cost) == 10.0 * MANY
