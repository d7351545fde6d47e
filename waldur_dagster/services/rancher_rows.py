"""Making the site's rows what Rancher says (spec openstack, pull-service-properties).

Names are those of the site; ids at Rancher are unique in a cluster only, but for clusters, projects and catalogs.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sqlalchemy import ColumnElement, Table, select, update

from waldur_dagster.platform.cascade import delete_with_dependants
from waldur_dagster.platform.links import sync_links
from waldur_dagster.platform.merge import Merge
from waldur_dagster.platform.plugin_resources import ERRED, OK
from waldur_dagster.platform.plugin_rows import count_rows, remove_rows
from waldur_dagster.schema import rancher
from waldur_dagster.services.providers import Service
from waldur_dagster.services.rancher import Document, Pulled
from waldur_dagster.services.rancher_icons import drop_icons, icon_address, keep_icons
from waldur_dagster.work import Work

cluster, project, namespace, catalog = rancher.cluster, rancher.project, rancher.namespace, rancher.catalog
template, workload, hpa = rancher.template, rancher.workload, rancher.hpa
application, ingress, service_table = rancher.application, rancher.ingress, rancher.service
GONE = "Resource is gone."
# What counts for quotas, and has events of its own.
RESOURCES = (application, ingress, service_table)
LENGTHS = {"name": 150, "description": 2000, "branch": 255, "commit": 40, "default_version": 255, "version": 100}

Row = dict[str, Any]
Ids = dict[Any, int]


def merge_contents(work: Work, service: Service, pulled: Pulled) -> None:
    """Clusters that are gone become erred; the rest is mirrored, each kind after what it hangs on."""
    _Mirror(work, service, pulled).make()


class _Mirror:
    def __init__(self, work: Work, service: Service, pulled: Pulled):
        self._work, self._service, self._pulled = work, service, pulled
        self.clusters: Ids = {}
        self.places: dict[int, Row] = {}  # project and settings of clusters in Waldur
        self.projects: Ids = {}
        self.namespaces: Ids = {}  # by cluster and id at Rancher
        self.workloads: Ids = {}  # by project and id at Rancher

    def make(self) -> None:
        self._clusters()
        self._projects()
        self._namespaces()
        self._catalogs()
        self._templates()
        self._workloads()
        self._autoscalers()
        self._applications()
        self._ingresses()
        self._services()

    def _clusters(self) -> None:
        listed = [document["id"] for document in self._pulled.clusters]
        own = cluster.c.settings_id == self._service.id
        gone = own & (cluster.c.backend_id != "") & cluster.c.backend_id.not_in(listed)
        differs = (cluster.c.state != ERRED) | (cluster.c.error_message != GONE)
        self._work.execute(update(cluster).where(gone, differs).values(state=ERRED, error_message=GONE))
        known = select(cluster.c.id, cluster.c.backend_id, cluster.c.project_id, cluster.c.service_settings_id)
        for row in self._work.connection.execute(known.where(own, cluster.c.backend_id != "")):
            self.clusters[row.backend_id] = row.id
            self.places[row.id] = {"project_id": row.project_id, "service_settings_id": row.service_settings_id}

    def _projects(self) -> None:
        rows = [
            _named(document) | _told(document, "description") | {"cluster_id": self.clusters.get(document["clusterId"])}
            for document in self._pulled.projects
        ]
        columns = ("name", "description", "runtime_state", "cluster_id")
        self.projects = self._keep(project, project.c.settings_id == self._service.id, rows, columns)

    def _namespaces(self) -> None:
        """Of clusters that were read. One in no project that the site knows is left out: it would lack a cluster."""
        rows = [
            _named(document) | {"project_id": self.projects[document["projectId"]], "cluster": self.clusters[place]}
            for place, documents in self._pulled.namespaces.items()
            for document in documents
            if document.get("projectId") in self.projects
        ]
        read = [self.clusters[place] for place in self._pulled.namespaces]
        scope = namespace.c.project_id.in_(select(project.c.id).where(project.c.cluster_id.in_(read)))
        of_project = select(project.c.cluster_id).where(project.c.id == namespace.c.project_id).scalar_subquery()
        columns = ("name", "runtime_state", "project_id")
        self.namespaces = self._keep(namespace, scope, rows, columns, {"cluster": of_project})

    def _catalogs(self) -> None:
        """Each catalog belongs to the server, or to the cluster or project that it names."""
        settings = self._work.content_types("structure", "servicesettings")
        of_cluster, of_project = (self._work.content_types("waldur_rancher", kind) for kind in ("cluster", "project"))
        scopes: dict[str, tuple[int, Callable[[Document], int | None]]] = {
            "catalogs": (settings, lambda _: self._service.id),
            "clustercatalogs": (of_cluster, lambda document: self.clusters.get(document.get("clusterId"))),
            "projectcatalogs": (of_project, lambda document: self.projects.get(document.get("projectId"))),
        }
        columns = ("name", "description", "catalog_url", "branch", "commit", "username", "password", "runtime_state")
        for kind, (content_type, scope_of) in scopes.items():
            if kind in self._pulled.of_server:
                rows = [
                    _named(document)
                    | _told(document, "description", "branch", "commit", "username", "password")
                    | {"catalog_url": document["url"], "content_type_id": content_type, "object_id": scope}
                    for document in self._pulled.of_server[kind]
                    if (scope := scope_of(document)) is not None
                ]
                own = (catalog.c.settings_id == self._service.id) & (catalog.c.content_type_id == content_type)
                self._keep(catalog, own, rows, columns, {"object_id": catalog.c.object_id}, needed_by=(template,))

    def _templates(self) -> None:
        if "templates" not in self._pulled.of_server:
            return
        catalogs = self._known(catalog, catalog.c.settings_id == self._service.id)
        rows = [
            _named(document)
            | _told(document, "description")
            | {
                "icon_url": icon_address(document),
                "project_url": document.get("projectURL") or "",
                "default_version": document.get("defaultVersion") or "",
                "versions": list(document.get("versionLinks") or {}),
                "catalog_id": catalogs.get(document.get("catalogId") or document.get("clusterCatalogId")),
                "cluster_id": self.clusters.get(document.get("clusterId")),
                "project_id": self.projects.get(document.get("projectId")),
            }
            for document in self._pulled.of_server["templates"]
        ]
        texts = ("name", "description", "runtime_state", "icon_url", "project_url", "default_version")
        columns = (*texts, "versions", "catalog_id", "cluster_id", "project_id")
        own = template.c.settings_id == self._service.id
        ids = self._keep(template, own, rows, columns, needed_by=(application,))
        keep_icons(self._work, {ids[id]: picture for id, picture in self._pulled.icons.items()})

    def _workloads(self) -> None:
        rows = [
            row | {"scale": document.get("scale") or 0, "namespace_id": self._namespace(row, document)}
            for row, document in self._of_projects("workloads")
        ]
        scope = self._read(workload.c.project_id, "workloads")
        columns = ("name", "runtime_state", "scale")
        self.workloads = self._keep(workload, scope, rows, columns, {"project_id": workload.c.project_id})

    def _autoscalers(self) -> None:
        rows = [
            row
            | {
                "state": OK,
                "current_replicas": document.get("currentReplicas") or 0,
                "desired_replicas": document.get("desiredReplicas") or 0,
                "min_replicas": document.get("minReplicas") or 0,
                "max_replicas": document.get("maxReplicas") or 0,
                "metrics": document.get("metrics") or [],
                "workload_id": self.workloads.get((row["project_id"], document.get("workloadId"))),
                "namespace_id": self._namespace(row, document),
            }
            for row, document in self._of_projects("horizontalpodautoscalers")
        ]
        replicas = ("current_replicas", "desired_replicas", "min_replicas", "max_replicas")
        columns = ("name", "runtime_state", *replicas, "metrics")
        scope = self._read(hpa.c.project_id, "horizontalpodautoscalers")
        self._keep(hpa, scope, rows, columns, {"project_id": hpa.c.project_id})

    def _applications(self) -> None:
        """What was installed from a template that the site knows, into a namespace that it knows."""
        named = select(template.c.id, template.c.name, catalog.c.name.label("catalog")).join_from(
            template, catalog, template.c.catalog_id == catalog.c.id
        )
        known = self._work.connection.execute(named.where(template.c.settings_id == self._service.id))
        templates = {(row.catalog, row.name): row.id for row in known}
        rows = []
        for row, document in self._of_projects("apps"):
            query = parse_qs(urlsplit(document.get("externalId") or "").query)
            of, name, version = (query.get(part, [""])[0] for part in ("catalog", "template", "version"))
            place = self._namespace(row, {"namespaceId": document.get("targetNamespace")})
            if place and (of, name) in templates:
                own = {"template_id": templates[of, name], "namespace_id": place, "version": version[:100]}
                rows.append(self._resource(row) | own | {"answers": document.get("answers") or {}})
        scope = self._read(application.c.rancher_project_id, "apps")
        key = {"rancher_project_id": application.c.rancher_project_id}
        self._keep(application, scope, rows, ("name", "runtime_state", "answers"), key)

    def _ingresses(self) -> None:
        rows = [
            self._resource(row) | {"namespace_id": place, "rules": document.get("rules") or []}
            for row, document in self._of_projects("ingresses")
            if (place := self._namespace(row, document))
        ]
        scope = self._read(ingress.c.rancher_project_id, "ingresses")
        key = {"rancher_project_id": ingress.c.rancher_project_id}
        self._keep(ingress, scope, rows, ("name", "runtime_state", "rules"), key)

    def _services(self) -> None:
        """Services hang on namespaces; they are linked with the workloads that they lead to."""
        rows, targets = [], {}
        for row, document in self._of_projects("services"):
            place = self._namespace(row, document)
            if place:
                address = document.get("clusterIp")
                own = {"namespace_id": place, "selector": document.get("selector")}
                own |= {"cluster_ip": address if address and address != "None" else None}
                resource = self._resource(row)
                del resource["cluster_id"], resource["rancher_project_id"]
                rows.append(resource | own)
                found = (self.workloads.get((row["project_id"], id)) for id in document.get("targetWorkloadIds") or [])
                targets[place, row["backend_id"]] = [id for id in found if id]
        of_projects = select(namespace.c.id).where(self._read(namespace.c.project_id, "services"))
        scope = service_table.c.namespace_id.in_(of_projects)
        columns = ("name", "runtime_state", "cluster_ip", "selector")
        ids = self._keep(service_table, scope, rows, columns, {"namespace_id": service_table.c.namespace_id})
        wanted = {(ids[key], target) for key, found in targets.items() for target in found}
        sync_links(self._work, rancher.service_workloads, wanted, list(ids.values()))

    def _of_projects(self, kind: str) -> list[tuple[Row, Document]]:
        """What projects have of a kind: the columns that all kinds share, and the document."""
        of_cluster = {document["id"]: self.clusters.get(document["clusterId"]) for document in self._pulled.projects}
        return [
            (_named(document) | {"project_id": self.projects[place], "cluster_id": of_cluster[place]}, document)
            for place, documents in self._pulled.contents[kind].items()
            for document in documents
        ]

    def _read(self, column: Any, kind: str) -> ColumnElement[bool]:
        """The rows of projects whose list of a kind was read."""
        return column.in_([self.projects[place] for place in self._pulled.contents[kind]])

    def _namespace(self, row: Row, document: Document) -> int | None:
        return self.namespaces.get((row["cluster_id"], document.get("namespaceId")))

    def _resource(self, row: Row) -> Row:
        """The columns of a kind that is a resource of its own: its project is that of the cluster in Waldur."""
        own = {name: value for name, value in row.items() if name != "project_id"}
        return own | self.places[row["cluster_id"]] | {"rancher_project_id": row["project_id"], "state": OK}

    def _known(self, table: Table, where: ColumnElement[bool], *key: ColumnElement[Any]) -> Ids:
        found = self._work.connection.execute(select(table.c.id, *key, table.c.backend_id).where(where))
        return {(tuple(rest) if key else rest[0]): id for id, *rest in found}

    def _keep(
        self,
        table: Table,
        scope: ColumnElement[bool],
        rows: Sequence[Row],
        columns: Sequence[str],
        key: Mapping[str, ColumnElement[Any]] | None = None,
        *,
        needed_by: Sequence[Table] = (),
    ) -> Ids:
        """Rows in the scope become ``rows``, told apart by the columns of ``key`` and their id at Rancher.

        New ones are inserted whole, known ones get ``columns``, others are deleted, but for those that a row of
        ``needed_by`` refers to. Returns the ids of all.
        """
        key = key or {}

        def name_of(row: Row) -> Hashable:
            return (*(row[name] for name in key), row["backend_id"]) if key else row["backend_id"]

        known = self._known(table, scope, *key.values())
        given = {name_of(row): row for row in rows}
        stale = [id for name, id in known.items() if name not in given]
        for other in needed_by:
            reference = other.c[f"{table.name.removeprefix('waldur_rancher_')}_id"]
            used = set(self._work.connection.scalars(select(reference).where(reference.in_(stale))))
            stale = [id for id in stale if id not in used]
        self._remove(table, stale)
        changed = [{"id": known[name], **row} for name, row in given.items() if name in known]
        made = Merge(self._work, table, changed, key=["id"], columns=columns, scope=scope)
        made.update(columns, also={"modified": self._work.as_of})
        fresh = [
            {name: value for name, value in row.items() if name in table.c} | {"settings_id": self._service.id}
            for name, row in given.items()
            if name not in known
        ]
        self._work.insert(table, fresh)
        ids = self._known(table, scope, *key.values())
        if table in RESOURCES:
            count_rows(self._work, table, [id for name, id in ids.items() if name not in known], 1)
        return ids

    def _remove(self, table: Table, ids: Sequence[int]) -> None:
        """Delete rows; resources that go with them are told and counted as those that go by themselves."""
        if table in RESOURCES:
            remove_rows(self._work, table, ids)
            return
        for resource in RESOURCES if ids and table in (project, namespace) else ():
            place = resource.c.namespace_id if table is namespace else namespace.c.project_id
            inside = select(resource.c.id).join(namespace, namespace.c.id == resource.c.namespace_id)
            remove_rows(self._work, resource, self._work.connection.scalars(inside.where(place.in_(ids))).all())
        if table is template:
            drop_icons(self._work, ids)
        delete_with_dependants(self._work, table, ids)


def _named(document: Document) -> Row:
    facts = {"backend_id": document["id"], "runtime_state": document.get("state") or "", "created": document["created"]}
    return facts | {"name": document["name"][:150]}


def _told(document: Document, *names: str) -> Row:
    """Texts under the same name at Rancher, as long as their columns can hold."""
    return {name: (document.get(name) or "")[: LENGTHS.get(name, 255)] for name in names}
