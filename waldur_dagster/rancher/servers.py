"""The Rancher servers of a site (spec rancher_support 0.4, 0.5)."""

from __future__ import annotations

from sqlalchemy import ColumnElement, select

from waldur_dagster.schema import rancher
from waldur_dagster.services.providers import SERVICE, Service, opened_services, settings
from waldur_dagster.work import Work

cluster = rancher.cluster


def servers_of(work: Work, *where: ColumnElement[bool]) -> dict[int, Service]:
    """The servers of the clusters that ``where`` chooses, by id, whatever their own state."""
    of_clusters = select(cluster.c.settings_id).where(*where)
    return {
        server.id: server for server in opened_services(work, select(*SERVICE).where(settings.c.id.in_(of_clusters)))
    }
