"""Projects here and what stands for them at remotes, which is looked up each time (spec remote 1.1 and 10)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import select

from waldur_dagster.clients.waldur import Document, Uuid, Waldur, Words
from waldur_dagster.remote.pulls import FEW
from waldur_dagster.schema import structure
from waldur_dagster.visits import Visit
from waldur_dagster.work import Work

project, customer = structure.project, structure.customer


@dataclass(frozen=True)
class Project:
    """A project here that is not removed; the remote one has its ``backend_id``: the customer's uuid and its own."""

    id: int
    customer_id: int
    name: str
    backend_id: str
    facts: tuple[tuple[str, Any], ...]

    @property
    def wanted(self) -> dict[str, Any]:
        """What the remote project is to be like, as the API has it."""
        return dict(self.facts)

    def __str__(self) -> str:
        return f"project {self.name} ({self.backend_id.partition('_')[2]})"


class RemoteProject(Document):
    uuid: Uuid
    name: Words = ""
    description: Words = ""
    end_date: date | None = None
    oecd_fos_2007_code: Words | None = None
    is_industry: bool = False
    backend_id: Words = ""


def read_projects(work: Work, ids: Collection[int]) -> dict[int, Project]:
    """Those of these projects that are not removed, by id."""
    columns = (project.c.id, project.c.customer_id, project.c.name, project.c.uuid, project.c.description)
    more = (project.c.end_date, project.c.oecd_fos_2007_code, project.c.is_industry)
    owner = (customer.c.name.label("customer_name"), customer.c.uuid.label("customer_uuid"))
    rows = work.connection.execute(
        select(*columns, *more, *owner)
        .join(customer, customer.c.id == project.c.customer_id)
        .where(project.c.id.in_(ids), ~project.c.is_removed)
        .order_by(project.c.id)
    )
    return {
        row.id: Project(
            row.id,
            row.customer_id,
            row.name,
            f"{row.customer_uuid.hex}_{row.uuid.hex}",
            (
                ("name", f"{row.customer_name} / {row.name}"),
                ("description", row.description),
                ("end_date", row.end_date and row.end_date.isoformat()),
                ("oecd_fos_2007_code", row.oecd_fos_2007_code or None),
                ("is_industry", bool(row.is_industry)),
            ),
        )
        for row in rows
    }


def at_remote(visit: Visit, api: Waldur, place: Project, organization: str, *, count: int) -> list[RemoteProject]:
    """The projects that stand for one at a remote: one, none, or several by mistake.

    Where ``count`` projects are looked up there, and those are many, all of our organization's are listed once; what
    that list has not is asked for by itself.
    """
    if count > FEW and organization:
        listed: Mapping[str, list[RemoteProject]] = visit.client(
            ("projects", organization), lambda: _by_backend_id(api.listed("projects/", customer=organization))
        )
        if place.backend_id in listed:
            return listed[place.backend_id]
    return look(api, place)


def look(api: Waldur, place: Project) -> list[RemoteProject]:
    """As ``at_remote``, asked for now."""
    return [RemoteProject.read(found) for found in api.listed("projects/", backend_id=place.backend_id)]


def _by_backend_id(found: list[dict[str, Any]]) -> dict[str, list[RemoteProject]]:
    projects: dict[str, list[RemoteProject]] = defaultdict(list)
    for one in found:
        read = RemoteProject.read(one)
        projects[read.backend_id].append(read)
    return dict(projects)
