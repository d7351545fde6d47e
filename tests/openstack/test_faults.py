"""A cloud that breaks: nothing is marked missing or deleted for it, and the others are pulled."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from tests.lateness import LATE, TOO_LONG, shorten
from tests.mail_server import free_port
from tests.openstack.cloud import PASSWORD, HangUp, LoopbackCloud, serving_cloud
from tests.openstack.scenes import CloudSite, port, project_id, server, snapshot, volume
from tests.scene import Scene
from waldur_dagster.clients import patience
from waldur_dagster.openstack.pull_resources import pull_tenant_resources
from waldur_dagster.openstack.pull_subresources import pull_tenant_subresources
from waldur_dagster.openstack.quotas import pull_quotas
from waldur_dagster.outcome import Outcome
from waldur_dagster.schema import openstack, quotas, structure
from waldur_dagster.services.pull import pull_service_resources

OK, ERRED = 3, 4


@pytest.fixture(autouse=True)
def quick(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "LONGEST_PAUSE", 0.01)
    shorten(request, monkeypatch, (patience, "TIMEOUT"))


@contextmanager
def two_clouds(scene: Scene, **broken: Any) -> Iterator[tuple[CloudSite, LoopbackCloud, LoopbackCloud]]:
    """One tenant each, whose volume was renamed at the cloud and whose others are unchanged; the first may break."""
    site = CloudSite(scene)
    with ExitStack() as stack:
        clouds = [stack.enter_context(serving_cloud(LoopbackCloud(page=2, **o))) for o in (broken, {})]
        for number, cloud in enumerate(clouds, 1):
            settings = site.cloud(cloud, f"cloud-{number}")
            id = project_id(number)
            tenant = site.tenant(settings, id)
            held = cloud.data[id]
            for n in range(5):
                name = f"{number}-{n}"
                held["servers"].append(server(f"s{name}"))
                held["volumes"].append(volume(f"v{name}", name="renamed"))
                held["snapshots"].append(snapshot(f"n{name}"))
                held["ports"].append(port(f"p{name}"))
                rows: tuple[tuple[Any, str, dict[str, Any]], ...] = (
                    (openstack.instance, "s", {}),
                    (openstack.volume, "v", {"size": 10240}),
                    (openstack.snapshot, "n", {"size": 10240}),
                    (openstack.port, "p", {"fixed_ips": "[]", "allowed_address_pairs": "[]"}),
                )
                for table, prefix, values in rows:
                    site.add(table, tenant, settings, f"{prefix}{name}", **values)
        yield site, clouds[0], clouds[1]


def nothing_is_lost(site: CloudSite) -> None:
    for table in (openstack.instance, openstack.volume, openstack.snapshot, openstack.port):
        rows = site.scene.rows(table)
        assert len(rows) == 10
        assert {row.state for row in rows} == {OK}
        assert {row.error_message for row in rows} == {""}


def states(site: CloudSite) -> list[int]:
    return [row.state for row in site.scene.rows(openstack.tenant)]


def words(site: CloudSite) -> str:
    return site.scene.rows(openstack.tenant)[0].error_message


def failing(path: str, status: int, body: Any = None, *, after: int = 0) -> Any:
    """A fault at a path, from the call after so many on."""
    seen = iter(range(10**9))

    def fault(_: str, asked: str, __: dict[str, str]) -> Any:
        if path in asked and next(seen) >= after:
            return status, body if body is not None else {"error": {"message": f"broken with {status}"}}
        return None

    return fault


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (failing("/volumes/detail", 403), "HTTP 403"),
        (failing("/volumes/detail", 429), "HTTP 429"),
        (failing("/volumes/detail", 503), "HTTP 503"),
        (failing("/volumes/detail", 500, after=1), "HTTP 500"),  # page 2, and whenever it is asked again
        (failing("/volumes/detail", 200, b"<html>busy</html>"), "no JSON"),
        (failing("/volumes/detail", 200, {"volumes": None}), "no list volumes"),
        (failing("/volumes/detail", 200, {}), "no list volumes"),
        (failing("/volumes/detail", 200, {"volumes": [{"id": "v1-0"}] * 2, "volumes_links": []}), "twice"),
        (failing("/volumes/detail", 200, {"volumes": [{"id": "v1-0"}]}), "unknown form"),
        (failing("/volumes/detail", 401), "HTTP 401"),
    ],
)
def test_a_list_that_cannot_be_read_marks_nothing(scene: Scene, fault: Any, told: str) -> None:
    with two_clouds(scene, fault=fault) as (site, *_):
        outcome = site.run(pull_tenant_resources)
    nothing_is_lost(site)
    assert states(site) == [ERRED, OK]
    assert told in words(site)
    assert outcome.failures == []
    names = [row.name for row in scene.rows(openstack.volume)]
    assert names[:5] == [f"v1-{n}" for n in range(5)]
    assert names[5:] == ["renamed"] * 5


def test_a_repeated_page_marks_nothing(scene: Scene) -> None:
    def fault(_: str, path: str, query: dict[str, str]) -> Any:
        if "/volumes/detail" in path:
            links = [{"rel": "next", "href": "x"}]
            return 200, {"volumes": [volume("v1-0"), volume("v1-1")], "volumes_links": links}
        return None

    with two_clouds(scene, fault=fault) as (site, *_):
        site.run(pull_tenant_resources)
    nothing_is_lost(site)
    assert "not complete" in words(site)


def test_a_truncated_answer_marks_nothing(scene: Scene) -> None:
    with two_clouds(scene) as (site, cloud, _):
        whole = json.dumps({"volumes": cloud.data[project_id(1)]["volumes"]}).encode()
        cloud.fault = failing("/volumes/detail", 200, whole[: len(whole) // 2])
        site.run(pull_tenant_resources)
    nothing_is_lost(site)
    assert "no JSON" in words(site)


@LATE
def test_a_time_out_marks_nothing(scene: Scene) -> None:
    def fault(_: str, path: str, __: dict[str, str]) -> Any:
        if "/volumes/detail" in path:
            time.sleep(TOO_LONG)

    begun = time.monotonic()
    with two_clouds(scene, fault=fault) as (site, *_):
        site.run(pull_tenant_resources)
    nothing_is_lost(site)
    assert states(site) == [ERRED, OK]
    assert time.monotonic() - begun < 30


def test_a_connection_that_is_cut_marks_nothing(scene: Scene) -> None:
    def fault(_: str, path: str, __: dict[str, str]) -> Any:
        if "/volumes/detail" in path:
            raise HangUp

    with two_clouds(scene, fault=fault) as (site, *_):
        site.run(pull_tenant_resources)
    nothing_is_lost(site)
    assert states(site) == [ERRED, OK]


def test_a_refused_connection_ends_the_visits_of_that_cloud(scene: Scene) -> None:
    with two_clouds(scene) as (site, *_):
        gone = site.cloud(LoopbackCloud(url=f"http://127.0.0.1:{free_port()}"), "gone")
        for n in range(20):
            site.tenant(gone, project_id(100 + n))
        outcome = site.run(pull_tenant_resources)
    nothing_is_lost(site)
    (told,) = outcome.failures
    assert told.item.startswith("cloud gone")
    assert "of its items were not visited" in told.problem
    untried = [row for row in scene.rows(openstack.tenant, service_settings_id=gone) if row.state == OK]
    assert f"{len(untried)} of its items" in told.problem
    assert 10 < len(untried) < 20


def test_a_token_that_expires_in_the_middle_is_renewed(scene: Scene) -> None:
    with two_clouds(scene) as (site, cloud, _):
        expired = iter([True])

        def fault(_: str, path: str, __: dict[str, str]) -> Any:
            if "/volumes/detail" in path and next(expired, False):
                cloud.tokens.clear()
                return 401, {"error": {"message": "expired"}}
            return None

        cloud.fault = fault
        site.run(pull_tenant_resources)
    assert states(site) == [OK, OK]
    assert {row.name for row in scene.rows(openstack.volume)} == {"renamed"}


def test_an_object_that_is_gone_in_the_middle_is_no_failure(scene: Scene) -> None:
    with two_clouds(scene, fault=failing("/servers/s1-0/os-security-groups", 404)) as (site, *_):
        site.run(pull_tenant_resources)
    assert states(site) == [OK, OK]


def test_a_server_that_the_site_does_not_know_keeps_nobody_from_being_pulled(scene: Scene) -> None:
    with two_clouds(scene) as (site, cloud, _):
        cloud.data[project_id(1)]["servers"].append(server("unknown"))
        outcome = site.run(pull_tenant_resources)
    assert outcome.failures == []
    assert states(site) == [OK, OK]
    assert {row.name for row in scene.rows(openstack.volume)} == {"renamed"}


@pytest.mark.parametrize("path", ["/ports", "/networks", "/security-groups", "/floatingips"])
def test_networks_that_cannot_be_read_delete_nothing(scene: Scene, path: str) -> None:
    with two_clouds(scene, fault=failing(path, 500)) as (site, *_):
        site.run(pull_tenant_subresources)
    assert len(scene.rows(openstack.port)) == 10
    assert states(site) == [ERRED, OK]


@pytest.mark.parametrize("path", ["/os-quota-sets", "/quotas/"])
def test_quotas_that_cannot_be_read_change_nothing(scene: Scene, path: str) -> None:
    with two_clouds(scene, fault=failing(path, 200, {"quota_set": {}, "quota": {}})) as (site, *_):
        site.run(pull_quotas)
    assert {row.object_id for row in scene.rows(quotas.quotalimit)} == {scene.rows(openstack.tenant)[1].id}
    assert states(site) == [ERRED, OK]


def test_volumes_that_cannot_be_read_leave_the_disk_of_their_servers(scene: Scene) -> None:
    """A disk of which a part is unknown is not written; one whose volumes the site knows is."""
    site, id = CloudSite(scene), project_id(1)
    with serving_cloud(LoopbackCloud(fault=failing("/volumes/", 503))) as cloud:
        settings = site.cloud(cloud)
        tenant = site.tenant(settings, id)
        scene.add(openstack.flavor, settings_id=settings, backend_id="f1", name="small", cores=1, ram=1, disk=1)
        site.add(openstack.volume, tenant, settings, "known", size=10240)
        for name, volumes in (("half", ("known", "unknown")), ("whole", ("known",))):
            attached = [{"id": one} for one in volumes]
            cloud.data[id]["servers"].append(server(name, **{"os-extended-volumes:volumes_attached": attached}))
            site.add(openstack.instance, tenant, settings, name, disk=30720)
        site.run(pull_tenant_resources)
        assert [row.disk for row in scene.rows(openstack.instance)] == [30720, 10240]

        cloud.fault = lambda *_: None  # cinder says now that it has no such volume
        site.run(pull_tenant_resources)
        assert [row.disk for row in scene.rows(openstack.instance)] == [10240, 10240]


def test_a_wrong_password_is_tried_once_and_told_without_it(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), two_clouds(scene) as (site, cloud, _):
        cloud.password = "another"
        settings = scene.rows(structure.servicesettings)[0].id
        for n in range(10):
            site.tenant(settings, project_id(100 + n))
        outcome = site.run(pull_tenant_resources)
    assert cloud.calls["POST /keystone/v3/auth/tokens"] == 1  # the administrator's login is shared
    nothing_is_lost(site)
    told = " ".join([str(outcome.failures), str(outcome.warnings), words(site), caplog.text])
    assert "HTTP 401" in told
    assert PASSWORD not in told


def test_a_project_list_is_read_to_its_end(scene: Scene) -> None:
    """keystone cuts its list without a sign; who believes it ends paid resources."""
    site = CloudSite(scene)
    with serving_cloud(LoopbackCloud(page=2)) as cloud:
        settings = site.cloud(cloud)
        for n in range(7):
            site.tenant(settings, project_id(n), name=f"name-{project_id(n)}")
            cloud.data[project_id(n)]["servers"] = []
        outcome = site.run(pull_service_resources, entry="pull-service-resources")
    assert set(states(site)) == {OK}
    assert (outcome.warnings, outcome.failures) == ([], [])


def test_a_project_list_that_says_it_was_cut_ends_nothing(scene: Scene) -> None:
    site = CloudSite(scene)
    cut = {"projects": [{"id": project_id(1), "name": "a", "description": ""}], "truncated": True}
    with serving_cloud(LoopbackCloud(fault=failing("/projects", 200, cut))) as cloud:
        settings = site.cloud(cloud)
        for n in (1, 2):
            site.tenant(settings, project_id(n))
        site.run(pull_service_resources, entry="pull-service-resources")
    assert states(site) == [OK, OK]
    row = scene.one(structure.servicesettings)
    assert (row.state, "not complete" in row.error_message) == (ERRED, True)


def test_a_second_pull_writes_nothing(scene: Scene) -> None:
    with two_clouds(scene) as (site, *_):
        site.run(pull_tenant_resources)
        site.run(pull_tenant_subresources)
        site.run(pull_quotas)
        for do in (pull_tenant_resources, pull_tenant_subresources, pull_quotas):
            outcome: Outcome = site.run(do)
            assert dict(outcome.rows) == {}


def test_a_dry_run_reads_and_writes_nothing(scene: Scene) -> None:
    with two_clouds(scene) as (site, *_):
        outcome = site.run(pull_tenant_resources, dry_run=True)
    assert outcome.rows["openstack_volume"]["updated"] == 10
    assert "renamed" not in {row.name for row in scene.rows(openstack.volume)}
