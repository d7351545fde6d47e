"""Rancher: which clusters it has, and what runs in them (spec openstack, pull-service-properties)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from waldur_dagster.clients.failures import NotFound, VisitFailed
from waldur_dagster.clients.pictures import Picture
from waldur_dagster.clients.rancher import Rancher
from waldur_dagster.platform.plugin_resources import OK
from waldur_dagster.schema import rancher as tables
from waldur_dagster.services.providers import Service
from waldur_dagster.services.rancher_icons import fetch_icons
from waldur_dagster.visits import Partly, Visit
from waldur_dagster.work import Work

cluster = tables.cluster
Document = dict[str, Any]
# What a whole server has; newer ones have no catalogs and templates any more.
OF_SERVERS = ("catalogs", "clustercatalogs", "projectcatalogs", "templates")
# What a project has, as Rancher calls it; newer servers have not all of it.
OF_PROJECTS = ("workloads", "horizontalpodautoscalers", "apps", "ingresses", "services")


@dataclass
class Pulled:
    """Documents of one server. A list that the server does not have, or that was not read, is not there.

    ``namespaces`` are those of clusters by their ids at Rancher, ``contents`` those of projects by kind and id, and
    ``icons`` those of templates that the site has no icon of.
    """

    clusters: list[Document]
    projects: list[Document]
    of_server: dict[str, list[Document]] = field(default_factory=dict)
    namespaces: dict[str, list[Document]] = field(default_factory=dict)
    contents: dict[str, dict[str, list[Document]]] = field(default_factory=lambda: {kind: {} for kind in OF_PROJECTS})
    icons: dict[str, Picture] = field(default_factory=dict)


def sound_clusters(work: Work, services: Sequence[Service]) -> dict[int, list[str]]:
    """Clusters that are OK, by the settings of their server: one that is not would fail the others."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    servers = [service.id for service in services if service.type == "Rancher"]
    if servers:
        sound = select(cluster.c.settings_id, cluster.c.backend_id).where(
            cluster.c.settings_id.in_(servers), cluster.c.state == OK, cluster.c.backend_id != ""
        )
        for settings, backend_id in work.connection.execute(sound.order_by(cluster.c.id)):
            found[settings].append(backend_id)
    return dict(found)


def rancher_at(visiting: Visit, service: Service) -> Rancher:
    """The client of a server, which all its items share."""

    def make() -> Rancher:
        verify = bool(service.options.get("verify_ssl", False))
        return Rancher(service.url, service.username, service.password, verify=verify)

    return visiting.client("rancher", make)


def fetch_contents(visiting: Visit, service: Service, facts: Mapping[str, Any]) -> Pulled:
    """All lists of the server, and those of the site's clusters that are OK and listed.

    A cluster or project that does not answer is left out; what was read of the others is merged.
    """

    server = rancher_at(visiting, service)
    pulled = Pulled(server.listed("clusters", "clusters"), server.listed("projects", "projects"))
    for kind in OF_SERVERS:
        try:
            pulled.of_server[kind] = server.listed(kind, kind)
        except NotFound:
            continue
    listed = {document["id"] for document in pulled.clusters}
    problems: list[VisitFailed] = []
    for place in facts["clusters"].get(service.id, []):
        if place in listed:
            try:
                pulled.namespaces[place] = server.listed(f"cluster/{place}/namespaces", "namespaces")
            except VisitFailed as problem:
                problems.append(problem)
            else:
                _fetch_projects(server, place, pulled, problems)
    known = {(id, address) for settings, id, address in facts["icons"] if settings == service.id}
    pulled.icons = fetch_icons(server, service, pulled.of_server.get("templates", []), known, facts["networks"])
    if problems:
        raise Partly(pulled, problems[0])
    return pulled


def _fetch_projects(server: Rancher, place: str, pulled: Pulled, problems: list[VisitFailed]) -> None:
    for document in pulled.projects:
        if document["clusterId"] == place:
            for kind in OF_PROJECTS:
                try:
                    found = server.listed(f"project/{document['id']}/{kind}", kind)
                except NotFound:
                    continue
                except VisitFailed as problem:
                    problems.append(problem)
                    break
                pulled.contents[kind][document["id"]] = found
