"""Rancher servers: clusters that are gone, and what runs in the others."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import event

from tests.openstack.scenes import NOW, CloudSite
from tests.rancher.rancher_server import KEY, SECRET, LoopbackRancher, serving_rancher
from tests.scene import Scene
from tests.services.accounts import ERRED, OK, account, pull
from waldur_dagster.clients import patience
from waldur_dagster.schema import django, logging, media, quotas, rancher, structure
from waldur_dagster.services.pull import pull_service_properties

BORN = "2024-01-01T00:00:00Z"
GONE = "Resource is gone."
MIRRORED = (
    *(rancher.project, rancher.namespace, rancher.catalog, rancher.template, rancher.workload),
    *(rancher.hpa, rancher.application, rancher.ingress, rancher.service, rancher.service_workloads),
)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "LONGEST_PAUSE", 0.01)


def picture() -> bytes:
    drawn = BytesIO()
    Image.new("RGB", (1, 1)).save(drawn, "PNG")
    return drawn.getvalue()


class Site:
    """A server with a cluster c-1, in which project c-1:p-1 has one of everything."""

    def __init__(self, scene: Scene, server: LoopbackRancher):
        self.scene, self.server, self.site = scene, server, CloudSite(scene)
        for model in ("project",):
            scene.add(django.content_type, app_label="waldur_rancher", model=model)
        row = {"backend_url": server.url, "username": KEY, "password": SECRET, "state": ERRED, "error_message": "old"}
        self.settings = account(self.site, "Rancher", **row)
        self.cluster = self.add_cluster("c-1")

    def add_cluster(self, id: str, **values: Any) -> int:
        row = {"name": id, "state": OK, "uuid": uuid.uuid4(), "project_id": self.site.project, "backend_id": id}
        row |= {"settings_id": self.settings, "service_settings_id": self.settings}
        if self.scene.schema.has(rancher.cluster.name, "vm_project_id"):
            row["vm_project_id"] = self.site.project
        return self.scene.add(rancher.cluster, **(row | values))

    def fill(self, cluster: str = "c-1", count: int = 1) -> None:
        place = f"{cluster}:p-1"
        self.put("clusters", cluster)
        self.put("projects", place, clusterId=cluster, description="d")
        for n in range(count):
            space = f"ns-{n}"
            self.put(f"cluster/{cluster}/namespaces", space, projectId=place)
            self.put(f"project/{place}/workloads", f"deployment:{space}:web", namespaceId=space, scale=2)
            hpa = {
                "currentReplicas": 1,
                "desiredReplicas": 2,
                "minReplicas": 1,
                "maxReplicas": 3,
                "metrics": [{"a": 1}],
            }
            workload = f"deployment:{space}:web"
            self.put(f"project/{place}/horizontalpodautoscalers", f"{space}:hpa", workloadId=workload, **hpa)
            external = "catalog://?catalog=library&template=mysql&version=1.3"
            self.put(
                f"project/{place}/apps", f"p-1:app{n}", externalId=external, targetNamespace=space, answers={"a": "b"}
            )
            self.put(f"project/{place}/ingresses", f"{space}:in", namespaceId=space, rules=[{"host": "a.example.com"}])
            targets = {"targetWorkloadIds": [workload], "selector": {"app": "web"}, "clusterIp": "10.0.0.1"}
            self.put(f"project/{place}/services", f"{space}:svc", namespaceId=space, **targets)
        if cluster == "c-1":
            self.put("catalogs", "library", url="https://charts.example.com", branch="master")
            self.put("clustercatalogs", "c-1:own", url="https://own.example.com", clusterId="c-1")
            self.put("projectcatalogs", "p-1:own", url="https://own.example.com", projectId=place)
            icon = f"{self.server.url}/v3/templates/library-mysql/icon"
            links = {"links": {"icon": icon}, "versionLinks": {"1.3": "x"}, "catalogId": "library"}
            self.put("templates", "library-mysql", name="mysql", defaultVersion="1.3", **links)

    def put(self, path: str, id: str, **values: Any) -> None:
        row = {"id": id, "name": id, "state": "active", "created": BORN} | values
        self.server.collections.setdefault(path, []).append(row)

    def run(self, **options: Any) -> Any:
        return pull(self.site, **options)

    def rows(self) -> dict[str, list[Any]]:
        return {table.name: [tuple(row) for row in self.scene.rows(table)] for table in MIRRORED}


@contextmanager
def a_site(scene: Scene, **options: Any) -> Iterator[Site]:
    with serving_rancher(LoopbackRancher(**options)) as server:
        yield Site(scene, server)


def test_all_kinds_are_mirrored_once(scene: Scene) -> None:
    with a_site(scene, page=1) as site:
        site.fill(count=2)
        site.run()
        assert dict(site.run().rows) == {}
    (project,) = scene.rows(rancher.project)
    assert (project.backend_id, project.cluster_id) == ("c-1:p-1", site.cluster)
    assert {row.object_id for row in scene.rows(rancher.catalog)} == {site.settings, site.cluster, project.id}
    (template,) = scene.rows(rancher.template)
    assert (template.versions, template.default_version) == (["1.3"], "1.3")
    spaces = {row.backend_id: row.id for row in scene.rows(rancher.namespace)}
    workload = scene.one(rancher.workload, backend_id="deployment:ns-1:web")
    assert (workload.namespace_id, workload.scale, workload.cluster_id) == (spaces["ns-1"], 2, site.cluster)
    hpa = scene.one(rancher.hpa, backend_id="ns-1:hpa")
    assert (hpa.workload_id, hpa.max_replicas, hpa.metrics, hpa.state) == (workload.id, 3, [{"a": 1}], OK)
    app = scene.one(rancher.application, backend_id="p-1:app1")
    assert (app.template_id, app.namespace_id, app.version) == (template.id, spaces["ns-1"], "1.3")
    assert (app.project_id, app.rancher_project_id, app.answers) == (site.site.project, project.id, {"a": "b"})
    assert scene.one(rancher.ingress, backend_id="ns-0:in").rules == [{"host": "a.example.com"}]
    service = scene.one(rancher.service, backend_id="ns-1:svc")
    assert (str(service.cluster_ip), service.selector) == ("10.0.0.1", {"app": "web"})
    assert {(row.service_id, row.workload_id) for row in scene.rows(rancher.service_workloads)} >= {
        (service.id, workload.id)
    }
    assert scene.one(structure.servicesettings).state == OK


@pytest.mark.generation("8")
def test_newer_waldur_has_the_same(scene: Scene) -> None:
    from tests.openstack.test_providers import sold

    with a_site(scene) as site:
        sold(site.site, site.settings)
        site.fill()
        site.run()
        assert dict(site.run().rows) == {}
    assert all(site.rows().values())


def test_what_changes_is_renewed_and_what_is_gone_is_deleted(scene: Scene) -> None:
    with a_site(scene) as site:
        site.fill(count=2)
        site.run()
        site.server.collections["project/c-1:p-1/workloads"][0] |= {"scale": 5, "state": "paused"}
        for path in ("workloads", "horizontalpodautoscalers", "services", "apps", "ingresses"):
            del site.server.collections[f"project/c-1:p-1/{path}"][1:]
        del site.server.collections["cluster/c-1/namespaces"][1:]
        site.run()
    (workload,) = scene.rows(rancher.workload)
    assert (workload.scale, workload.runtime_state, workload.modified) == (5, "paused", NOW)
    kinds = (rancher.namespace, rancher.hpa, rancher.application, rancher.ingress, rancher.service)
    assert [len(scene.rows(table)) for table in kinds] == [1] * 5


def test_resources_count_for_quotas_and_are_told_when_they_go(scene: Scene) -> None:
    """Also those that go with their namespace or project."""

    def counted() -> Counter[tuple[int, int]]:
        sums: Counter[tuple[int, int]] = Counter()
        for row in scene.rows(quotas.quotausage, name="nc_resource_count"):
            sums[row.content_type_id, row.object_id] += row.delta
        return sums

    with a_site(scene) as site:
        site.fill(count=2)
        site.run()
        assert set(counted().values()) == {6}
        assert len(counted()) == 2  # project and customer
        del site.server.collections["project/c-1:p-1/apps"][1:]
        site.run()
        assert set(counted().values()) == {5}
        del site.server.collections["cluster/c-1/namespaces"][1:]
        for path in ("workloads", "horizontalpodautoscalers", "services", "ingresses"):
            del site.server.collections[f"project/c-1:p-1/{path}"][1:]
        site.run()
        assert set(counted().values()) == {3}
        site.server.collections["projects"] = []
        site.run()
        assert set(counted().values()) == {0}
        assert dict(site.run().rows) == {}
    told = Counter(row.message for row in scene.rows(logging.event, event_type="resource_deletion_succeeded"))
    assert told == Counter(
        f"Rancher {name} has been deleted."
        for n in (0, 1)
        for name in (f"Application p-1:app{n}", f"Ingress ns-{n}:in", f"Service ns-{n}:svc")
    )


def test_icons_of_templates_are_files_of_the_site(scene: Scene) -> None:
    def answer(_: str, path: str, __: Any) -> Any:
        return (200, drawn) if path == "templates/library-mysql/icon" else None

    def icons() -> list[str]:
        return [call for call in site.server.calls if call.endswith("/icon")]

    with a_site(scene) as site:
        site.fill()
        drawn = b"<html>no picture</html>"
        site.server.fault = answer
        site.run()
        assert scene.one(rancher.template).icon in (None, "")
        assert scene.one(structure.servicesettings).state == OK
        drawn = picture()
        site.run()
        row = scene.one(rancher.template)
        stored = scene.one(media.file)
        assert (row.icon, stored.name) == (f"rancher_icons/{row.uuid.hex}",) * 2
        assert (stored.content, stored.mime_type) == (drawn, "image/png")
        asked = len(icons())
        assert dict(site.run().rows) == {}
        assert len(icons()) == asked  # the site has it
        document = site.server.collections["templates"][0]
        document["links"] = {"icon": document["links"]["icon"] + "?new"}
        site.run()
        assert len(scene.rows(media.file)) == 1
        assert len(icons()) == asked + 1
        site.server.collections["templates"] = []
        site.server.collections["project/c-1:p-1/apps"] = []
        site.run()  # the application goes, and then its template
        site.run()
    assert (scene.rows(rancher.template), scene.rows(media.file)) == ([], [])


def test_the_same_names_in_two_clusters_are_two_things(scene: Scene) -> None:
    with a_site(scene) as site:
        site.fill()
        second = site.add_cluster("c-2")
        site.fill("c-2")
        site.run()
        assert dict(site.run().rows) == {}
    assert {row.cluster_id for row in scene.rows(rancher.workload)} == {site.cluster, second}
    assert len({row.namespace_id for row in scene.rows(rancher.ingress)}) == 2


def test_a_cluster_that_is_gone_is_erred_and_the_unborn_stay(scene: Scene) -> None:
    with a_site(scene) as site:
        site.fill()
        gone, unborn = site.add_cluster("c-gone"), site.add_cluster("", name="unborn")
        site.run()
        assert dict(site.run().rows) == {}
    row = scene.one(rancher.cluster, id=gone)
    assert (row.state, row.error_message) == (ERRED, GONE)
    assert scene.one(rancher.cluster, id=unborn).state == OK
    assert scene.one(rancher.cluster, id=site.cluster).state == OK


def test_a_cluster_that_does_not_answer_does_not_fail_the_others(scene: Scene) -> None:
    with a_site(scene) as site:
        site.fill()
        site.add_cluster("c-2")
        site.fill("c-2")
        site.run()
        before = {row.id for row in scene.rows(rancher.namespace)}
        site.put("cluster/c-1/namespaces", "new", projectId="c-1:p-1")
        site.server.fault = lambda _, path, __: (
            (503, {"message": "cluster not ready"}) if "cluster/c-2/" in path else None
        )
        site.run()
    assert before < {row.id for row in scene.rows(rancher.namespace)}
    row = scene.one(structure.servicesettings)
    assert (row.state, "cluster not ready" in row.error_message) == (ERRED, True)


def test_a_server_without_catalogs_keeps_what_the_site_has(scene: Scene) -> None:
    """Newer Rancher has no catalogs, templates and apps of this kind any more: that they are not there says nothing."""
    with a_site(scene) as site:
        site.fill()
        site.run()
        before = site.rows()
        for path in ("catalogs", "clustercatalogs", "projectcatalogs", "templates", "project/c-1:p-1/apps"):
            del site.server.collections[path]
        site.run()
        assert site.rows() == before
    assert scene.one(structure.servicesettings).state == OK


def test_what_an_application_was_installed_from_stays(scene: Scene) -> None:
    with a_site(scene) as site:
        site.fill()
        site.run()
        site.server.collections["templates"] = []
        site.server.collections["catalogs"] = []
        site.run()
    assert len(scene.rows(rancher.application)) == 1


@pytest.mark.parametrize(
    "answer",
    [(401, {}), (403, {"message": "no"}), (429, {}), (500, {}), (200, b"<html>"), (200, {"things": []})],
)
@pytest.mark.parametrize("path", ["clusters", "projects", "templates", "cluster/c-1/namespaces", "services"])
def test_a_fault_deletes_nothing(scene: Scene, path: str, answer: Any) -> None:
    with a_site(scene) as site:
        site.fill()
        site.run()
        before = site.rows()
        site.server.fault = lambda _, asked, __: answer if asked.endswith(path) else None
        outcome = site.run()
        assert site.rows() == before
    row = scene.one(structure.servicesettings)
    assert row.state == ERRED
    assert scene.one(rancher.cluster).state == OK
    assert SECRET not in row.error_message + str(outcome.failures) + str(outcome.warnings)


def test_a_list_that_is_cut_deletes_nothing(scene: Scene) -> None:
    with a_site(scene) as site:
        site.fill(count=3)
        site.run()
        before = site.rows()
        cut = {"data": [], "pagination": {"partial": True, "total": 3}}
        site.server.fault = lambda _, asked, __: (200, cut) if asked.endswith("workloads") else None
        site.run()
        assert site.rows() == before


def test_statements_do_not_grow_with_what_runs(scene: Scene, twin_scene: Scene) -> None:
    def statements(place: Scene, many: int) -> int:
        seen: list[str] = []
        with a_site(place) as site:
            site.fill(count=many)
            with place.site() as run:
                event.listen(run.engine, "before_cursor_execute", lambda *a: seen.append(a[2]))
                pull_service_properties(run.transactions("pull-service-properties", NOW))
        return len(seen)

    assert statements(scene, 2) == statements(twin_scene, 40)
