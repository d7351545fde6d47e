"""Deleting snapshots and backups: what the cloud says, what is continued, and what nobody may repeat."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.openstack.cloud import UNAUTHORIZED, LoopbackCloud, serving_cloud
from tests.openstack.running import meet, running
from tests.openstack.scenes import NOW, CloudSite, project_id, snapshot
from tests.processes import halting, kill, wait_until
from tests.scene import Scene
from tests.statements import counted
from waldur_dagster.clients import patience
from waldur_dagster.openstack import snapshot_deletion
from waldur_dagster.openstack.expired_backups import delete_expired_backups
from waldur_dagster.openstack.expired_snapshots import delete_expired_snapshots
from waldur_dagster.outcome import Outcome
from waldur_dagster.schema import logging, openstack, quotas

SNAPSHOTS, BACKUPS = "openstack-delete-expired-snapshots", "openstack-delete-expired-backups"
OVER = NOW - timedelta(hours=1)
OK, ERRED, DELETING = 3, 4, 8


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "LONGEST_PAUSE", 0.01)
    monkeypatch.setattr(snapshot_deletion, "LONGEST_PAUSE", 0.05)


@contextmanager
def expired(
    scene: Scene, count: int = 3, *, kept: bool = False, **cloud: Any
) -> Iterator[tuple[CloudSite, LoopbackCloud]]:
    """A tenant with snapshots whose time is over; ``kept``: in a backup whose time is over, instead of their own."""
    site = CloudSite(scene)
    with serving_cloud(LoopbackCloud(**cloud)) as served:
        settings = site.cloud(served)
        id = project_id(1)
        tenant = site.tenant(settings, id)
        own = {} if kept else {"kept_until": OVER}
        snapshots = []
        for n in range(count):
            served.data[id]["snapshots"].append(snapshot(f"id-{n}"))
            snapshots.append(site.add(openstack.snapshot, tenant, settings, f"id-{n}", size=1024, **own))
        if kept:
            machine = site.add(openstack.instance, tenant, settings, "vm")
            backup = site.add(openstack.backup, tenant, settings, "", kept_until=OVER, instance_id=machine)
            for one in snapshots:
                scene.add(openstack.backup_snapshots, backup_id=backup, snapshot_id=one)
        yield site, served


def run(site: CloudSite, entry: str = SNAPSHOTS, **options: Any) -> Outcome:
    do = delete_expired_snapshots if entry == SNAPSHOTS else delete_expired_backups
    return site.run(do, entry=entry, **options)


def used(scene: Scene) -> dict[str, int]:
    sums: dict[str, int] = {}
    for row in scene.rows(quotas.quotausage):
        sums[row.name] = sums.get(row.name, 0) + row.delta
    return sums


def test_expired_snapshots_go_once(scene: Scene) -> None:
    with expired(scene) as (site, cloud):
        run(site)
        run(site)
    assert scene.rows(openstack.snapshot) == []
    assert sorted(cloud.deleted) == ["id-0", "id-1", "id-2"]
    assert (used(scene)["snapshots"], used(scene)["snapshots_size"]) == (-3, -3072)
    events = [row.event_type for row in scene.rows(logging.event)]
    assert (events.count("resource_deletion_scheduled"), events.count("resource_deletion_succeeded")) == (3, 3)


def test_what_takes_long_is_continued_and_not_asked_for_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second DELETE of a snapshot that is being deleted is refused by cinder."""
    monkeypatch.setattr(snapshot_deletion, "POLLED", 1.0)
    with expired(scene, 2, reads_until_gone=10**6) as (site, cloud):
        outcome = run(site)
        assert {row.state for row in scene.rows(openstack.snapshot)} == {DELETING}
        assert outcome.figures["snapshots still being deleted"] == 2
        for document in cloud.data[project_id(1)]["snapshots"]:
            document["left"] = 0
        monkeypatch.setattr(snapshot_deletion, "POLLED", 60.0)
        run(site)
    assert scene.rows(openstack.snapshot) == []
    assert len(cloud.deleted) == 2
    assert used(scene)["snapshots"] == -2


def test_a_deletion_that_fails_in_the_cloud_ends(scene: Scene) -> None:
    """``error_deleting`` stays for ever: whoever waits for 404 alone never ends."""
    with expired(scene, 1, reads_until_gone=10**6) as (site, cloud):
        (document,) = cloud.data[project_id(1)]["snapshots"]

        def fault(method: str, path: str, _: dict[str, str]) -> Any:
            if method == "GET" and "/snapshots/id-0" in path:
                return 200, {"snapshot": document | {"status": "error_deleting"}}
            return None

        cloud.fault = fault
        run(site)
    (row,) = scene.rows(openstack.snapshot)
    assert (row.state, "error_deleting" in row.error_message) == (ERRED, True)
    assert used(scene).get("snapshots", 0) == 0


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_an_outage_leaves_the_rest_to_the_next_run(scene: Scene, status: int) -> None:
    with expired(scene) as (site, cloud):
        cloud.fault = lambda method, path, _: (status, {}) if method == "DELETE" and "id-1" in path else None
        outcome = run(site)
        assert len(outcome.failures) == 1
        assert {row.state for row in scene.rows(openstack.snapshot)} == {DELETING}
        cloud.fault = lambda *_: None
        run(site)
    assert scene.rows(openstack.snapshot) == []
    assert sorted(cloud.deleted) == ["id-0", "id-1", "id-2"]


def tenants(site: CloudSite, cloud: LoopbackCloud, wrong: int, right: int) -> None:
    """Tenants with a snapshot each whose time is over; keystone refuses the ``wrong`` ones, which come first."""
    settings = site.cloud(cloud)
    for n in range(1, wrong + right + 1):
        id = project_id(n)
        tenant = site.tenant(settings, id, user_password="wrong" if n <= wrong else cloud.password)
        cloud.data[id]["snapshots"].append(snapshot(f"id-{n}"))
        site.add(openstack.snapshot, tenant, settings, f"id-{n}", size=1024, kept_until=OVER)


def test_tenants_that_may_not_log_in_end_and_keep_nobody_waiting(scene: Scene) -> None:
    site = CloudSite(scene)
    with serving_cloud(LoopbackCloud()) as cloud:
        tenants(site, cloud, wrong=8, right=4)
        outcome = run(site)
    assert [(row.backend_id, row.state) for row in scene.rows(openstack.snapshot)] == [
        (f"id-{n}", ERRED) for n in range(1, 9)
    ]
    assert all("keystone refuses the login of user-" in row.error_message for row in scene.rows(openstack.snapshot))
    assert outcome.failures == []
    assert sorted(cloud.deleted) == ["id-10", "id-11", "id-12", "id-9"]


def test_a_keystone_that_refuses_everybody_errs_nothing(scene: Scene) -> None:
    site = CloudSite(scene)
    with serving_cloud(LoopbackCloud()) as cloud:
        tenants(site, cloud, wrong=0, right=4)
        cloud.fault = lambda _, path, __: (401, UNAUTHORIZED) if path.endswith("/auth/tokens") else None
        outcome = run(site)
        assert len(outcome.failures) == 4
        assert {row.state for row in scene.rows(openstack.snapshot)} == {DELETING}
        cloud.fault = lambda *_: None
        run(site)
    assert scene.rows(openstack.snapshot) == []


def test_an_administrator_who_may_not_log_in_keeps_nobody_waiting(scene: Scene) -> None:
    site = CloudSite(scene)
    with serving_cloud(LoopbackCloud()) as cloud:
        tenants(site, cloud, wrong=4, right=4)
        own = cloud._login
        cloud._login = lambda body: (  # type: ignore[method-assign]
            own(body) if "id" in body["auth"]["scope"]["project"] else (401, UNAUTHORIZED, {})
        )
        run(site)
    assert [(row.backend_id, row.state) for row in scene.rows(openstack.snapshot)] == [
        (f"id-{n}", DELETING) for n in range(1, 5)
    ]


def test_a_keystone_at_another_address_errs_and_removes_nothing(scene: Scene) -> None:
    """It answers 404 to the login, which is no word about the snapshots."""
    site = CloudSite(scene)
    with serving_cloud(LoopbackCloud()) as cloud:
        tenants(site, cloud, wrong=0, right=1)
        cloud.fault = lambda _, path, __: (404, {}) if path.startswith("/keystone") else None
        assert len(run(site).failures) == 1
    assert scene.one(openstack.snapshot).state == DELETING


def test_a_tenant_without_a_project_is_told_before_any_call(scene: Scene) -> None:
    """Its login would be one without a project."""
    site = CloudSite(scene)
    with serving_cloud(LoopbackCloud()) as cloud:
        settings = site.cloud(cloud)
        tenant = site.tenant(settings, None)
        site.add(openstack.snapshot, tenant, settings, "id-1", size=1024, kept_until=OVER)
        run(site)
    assert cloud.calls == {}
    row = scene.one(openstack.snapshot)
    assert (row.state, row.error_message) == (ERRED, "Tenant has no backend_id")


def test_an_answer_that_was_lost_is_looked_up(scene: Scene) -> None:
    """The cloud deletes, its answer is a 503, and the DELETE that follows is refused."""
    with expired(scene, 1) as (site, cloud):
        first = iter([True])

        def fault(method: str, path: str, _: dict[str, str]) -> Any:
            if method == "DELETE" and next(first, False):
                document = cloud.data[project_id(1)]["snapshots"][0]
                document |= {"status": "deleting", "left": 5}
                return 503, {}
            return None

        cloud.fault = fault
        run(site)
    assert scene.rows(openstack.snapshot) == []


def test_a_row_that_somebody_else_is_deleting_is_left_alone(scene: Scene) -> None:
    with expired(scene, 0) as (site, cloud):
        settings = scene.one(openstack.tenant).service_settings_id
        tenant = scene.one(openstack.tenant).id
        site.add(openstack.snapshot, tenant, settings, "id-9", kept_until=OVER, state=DELETING)
        run(site)
    assert cloud.deleted == []
    assert scene.one(openstack.snapshot).state == DELETING


def test_a_backup_goes_with_its_snapshots(scene: Scene) -> None:
    with expired(scene, kept=True) as (site, cloud):
        run(site)  # those of backups are not the other job's
        assert cloud.deleted == []
        run(site, BACKUPS)
    assert (scene.rows(openstack.snapshot), scene.rows(openstack.backup)) == ([], [])


def test_a_refused_snapshot_errs_its_backup_and_the_others_go(scene: Scene) -> None:
    with expired(scene, kept=True) as (site, cloud):
        cloud.data[project_id(1)]["snapshots"][1]["status"] = "backing-up"
        run(site, BACKUPS)
        run(site, BACKUPS)
    (left,) = scene.rows(openstack.snapshot)
    assert (left.backend_id, left.state) == ("id-1", ERRED)
    assert scene.one(openstack.backup).state == ERRED
    assert "Invalid snapshot" in scene.one(openstack.backup).error_message


def test_a_refused_snapshot_errs_no_backup_that_stays(scene: Scene) -> None:
    with expired(scene, 1, kept=True) as (site, cloud):
        old, shared = scene.one(openstack.backup), scene.one(openstack.snapshot).id
        own = {"name": "young", "kept_until": NOW + timedelta(days=1), "instance_id": old.instance_id}
        young = site.add(openstack.backup, old.tenant_id, old.service_settings_id, "", **own)
        scene.add(openstack.backup_snapshots, backup_id=young, snapshot_id=shared)
        cloud.data[project_id(1)]["snapshots"][0]["status"] = "backing-up"
        run(site, BACKUPS)
    assert [(row.id, row.state) for row in scene.rows(openstack.backup)] == [(old.id, ERRED), (young, OK)]


@pytest.mark.parametrize("entry", [SNAPSHOTS, BACKUPS])
def test_statements_do_not_grow_with_refused_snapshots(scene: Scene, twin_scene: Scene, entry: str) -> None:
    counts = []
    for own, count in ((scene, 2), (twin_scene, 20)):
        with expired(own, count, kept=entry == BACKUPS) as (site, cloud):
            for one in cloud.data[project_id(1)]["snapshots"]:
                one["status"] = "backing-up"
            with counted(Engine) as statements:
                run(site, entry)
        assert {row.state for row in own.rows(openstack.snapshot)} == {ERRED}
        counts.append(len(statements))
    assert counts[0] == counts[1]


def test_a_dry_run_deletes_nothing_and_lists_all(scene: Scene) -> None:
    with expired(scene) as (site, cloud):
        outcome = run(site, dry_run=True)
    assert cloud.deleted == []
    assert {row.state for row in scene.rows(openstack.snapshot)} == {OK}
    assert outcome.figures["outside changes that would be made"] == 3


def test_two_runs_at_once_delete_once(scene: Scene) -> None:
    """Two processes: the second finds the first at work, and leaves it alone."""
    with expired(scene, 8, pause=0.05) as (site, cloud):
        url = scene.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        meet(cloud, url, SNAPSHOTS, after=8)
        run(site)
    assert scene.rows(openstack.snapshot) == []
    assert sorted(cloud.deleted) == [f"id-{n}" for n in range(8)]
    assert used(scene)["snapshots"] == -8


@pytest.mark.parametrize("entry", [SNAPSHOTS, BACKUPS])
def test_a_run_that_is_killed_is_continued(scene: Scene, entry: str) -> None:
    """Killed while the cloud deletes: the next run ends as if nothing had happened."""
    with expired(scene, 8, kept=entry == BACKUPS, pause=0.05) as (site, cloud):
        url = scene.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        cloud.fault, go_on = halting(lambda: len(cloud.deleted) >= 3)
        process = running(url, entry)
        wait_until(lambda: len(cloud.deleted) >= 3)
        kill(process, scene.engine)
        go_on.set()
        assert 3 <= len(cloud.deleted) < 8
        assert {row.state for row in scene.rows(openstack.snapshot)} == {DELETING}
        run(site, entry)
    assert (scene.rows(openstack.snapshot), scene.rows(openstack.backup)) == ([], [])
    assert sorted(cloud.deleted) == [f"id-{n}" for n in range(8)]
    assert used(scene)["snapshots"] == -8
    events = [row.event_type for row in scene.rows(logging.event)]
    total = 8 + (entry == BACKUPS)
    assert (events.count("resource_deletion_scheduled"), events.count("resource_deletion_succeeded")) == (total, total)
