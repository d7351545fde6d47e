"""waldur-remote-push-project-data: names and terms of projects for the remotes they buy at (spec remote 10)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select

from waldur_dagster.marketplace.states import ResourceState
from waldur_dagster.remote.projects import Project, RemoteProject, at_remote, read_projects
from waldur_dagster.remote.remotes import TYPE, Remote, client, offering, offerings_by_id, resource
from waldur_dagster.site import Transactions
from waldur_dagster.visits import Stop, Visit, visit
from waldur_dagster.work import Work


@dataclass(frozen=True)
class Push:
    """A project, and one remote where it has resources; ``count`` is how many projects have some there."""

    project: Project
    remote: Remote
    organization: str
    count: int

    def __str__(self) -> str:
        return str(self.project)


def push_project_data(transaction: Transactions) -> None:
    """Change the remote projects whose name, description, end, OECD code or industry flag differ from those here.

    Projects that are removed, and those that no remote project or several stand for, are left as they are.
    """
    with transaction() as work:
        stops = [Stop(one.remote.name, str(one), one) for one in _pushes(work)]
    visit(transaction, stops, push, _tell)


def push(visit: Visit, one: Push) -> int:
    """Returns how many remote projects there are for a project."""
    api = client(visit, one.remote)
    found = at_remote(visit, api, one.project, one.organization, count=one.count)
    if len(found) == 1 and _differs(found[0], one.project):
        path = f"projects/{found[0].uuid}/"
        visit.change(f"change {one} at {one.remote.name}", lambda: api.change("PATCH", path, one.project.wanted))
    return len(found)


def _tell(work: Work, one: Push, found: int) -> None:
    if found > 1:
        work.outcome.warn(str(one), f"{found} projects at {one.remote.name} stand for it; none was changed")


def _differs(there: RemoteProject, here: Project) -> bool:
    """White space around texts is not looked at: remotes may trim what they are sent."""
    wanted = here.wanted
    texts = any(getattr(there, name).strip() != (wanted[name] or "").strip() for name in ("name", "description"))
    end = there.end_date and there.end_date.isoformat()
    code = there.oecd_fos_2007_code or None
    rest = (end, code, there.is_industry) != tuple(
        wanted[name] for name in ("end_date", "oecd_fos_2007_code", "is_industry")
    )
    return texts or rest


def _pushes(work: Work) -> Iterator[Push]:
    """Each project once for each remote, in the order of offerings, whatever the state of these."""
    pairs = work.connection.execute(
        select(resource.c.offering_id, resource.c.project_id)
        .join(offering, offering.c.id == resource.c.offering_id)
        .where(offering.c.type == TYPE, resource.c.state != ResourceState.TERMINATED)
        .distinct()
        .order_by(resource.c.offering_id, resource.c.project_id)
    ).all()
    offerings = offerings_by_id(work, {pair.offering_id for pair in pairs})
    projects = read_projects(work, {pair.project_id for pair in pairs})
    wanted = {
        (offerings[pair.offering_id].remote, pair.project_id): offerings[pair.offering_id].customer_uuid
        for pair in reversed(pairs)
        if pair.offering_id in offerings and pair.project_id in projects
    }
    counts = Counter(remote for remote, _ in wanted)
    for (remote, id), organization in wanted.items():
        yield Push(projects[id], remote, organization, counts[remote])
