"""waldur-firecrest-pull-jobs: the site shows people their jobs on clusters (spec people)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on

from waldur_dagster.database.encryption import SERVICE_OPTIONS, NotOpened
from waldur_dagster.platform.merge import Merge
from waldur_dagster.platform.plugin_resources import OK
from waldur_dagster.platform.plugin_rows import count_rows
from waldur_dagster.schema import firecrest, marketplace, permissions, social, structure
from waldur_dagster.site import Transactions
from waldur_dagster.visits import Partly, Stop, Visit, visit
from waldur_dagster.words import keep_secret
from waldur_dagster.work import Work

if TYPE_CHECKING:
    from waldur_dagster.clients.failures import VisitFailed
    from waldur_dagster.clients.firecrest import Job

OFFERING_TYPE = "SlurmInvoices.SlurmPackage"
PROVIDER = "keycloak"
URL = "firecrest_api_url"
NAME, STATE = 150, 100  # characters that their columns hold

job, settings, project = firecrest.job, structure.servicesettings, structure.project


@dataclass(frozen=True)
class Person:
    """Somebody with an account on a cluster, and the project that his jobs are shown in."""

    username: str
    settings_id: int
    project_id: int
    url: str
    token: str = field(repr=False)


def pull_jobs(transaction: Transactions) -> None:
    """Bring in the jobs of everybody who has a token and a project; jobs that a cluster no longer lists stay.

    Each person fails alone. A token that has expired, or jobs that the cluster could not list, are told and are no
    failure of the run.
    """
    with transaction() as work:
        people = list(_people(work))
    stops = [Stop(f"FirecREST at {one.url}", f"jobs of {one.username} at {one.url}", one) for one in people]
    visit(transaction, stops, _fetch, _merge, failed=_is_ordinary)


def _fetch(_: Visit, person: Person) -> list[Job]:
    from waldur_dagster.clients.failures import VisitFailed
    from waldur_dagster.clients.firecrest import Firecrest

    jobs: list[Job] = []
    with Firecrest(person.url, person.token) as cluster:
        try:
            for page in cluster.pages():
                jobs += page
        except VisitFailed as problem:
            raise Partly(jobs, problem) from None
    return jobs


def _is_ordinary(_: Work, __: Person, problem: VisitFailed) -> bool:
    from waldur_dagster.clients.firecrest import TaskFailed, TokenRefused

    return isinstance(problem, TokenRefused | TaskFailed)


def _merge(work: Work, person: Person, jobs: Sequence[Job]) -> None:
    """New jobs are inserted and counted, known ones get their name and state; a second run at once waits.

    A job that is listed twice has moved to a later page meanwhile: what is said last is true.
    """
    place = (job.c.service_settings_id == person.settings_id) & (job.c.project_id == person.project_id)
    lock = f"firecrest jobs {person.settings_id} {person.project_id}"
    work.connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(lock, 0))))
    rows = [
        {"backend_id": one.id, "name": one.name[:NAME], "runtime_state": one.state[:STATE], "state": OK}
        for one in {one.id: one for one in jobs}.values()
    ]
    columns = ["name", "runtime_state", "state"]
    made = Merge(work, job, rows, key=["backend_id"], columns=columns, scope=place)
    made.update(columns, also={"modified": work.as_of})
    pulled = {name: made.pulled.c[name] for name in ("backend_id", *columns)}
    own = {"service_settings_id": person.settings_id, "project_id": person.project_id, "file": ""}
    count_rows(work, job, [row.id for row in made.insert(pulled | own)], 1)


def _people(work: Work) -> Iterator[Person]:
    """Who is asked for, by user name; settings whose options cannot be read are told once."""
    opened: dict[int, str] = {}
    scope = work.content_types.get("structure", "servicesettings")
    for row in () if scope is None else work.connection.execute(_accounts(work, scope)):
        if row.settings_id not in opened:
            opened[row.settings_id] = _url(work, row)
        keep_secret(row.access_token)
        if url := opened[row.settings_id]:
            yield Person(row.username or "", row.settings_id, row.project_id, url, row.access_token)


def _url(work: Work, row: Any) -> str:
    try:
        url = work.secrets.opened(SERVICE_OPTIONS, row.options).get(URL)
    except (NotOpened, ValueError) as problem:
        work.outcome.fail(f"service settings {row.name}", f"their jobs cannot be pulled: {problem}")
        return ""
    return url if isinstance(url, str) else ""


def _accounts(work: Work, scope: int) -> Any:
    """Accounts at offerings of clusters, of people with a token; with the project of the oldest role in force.

    ``scope`` is the content type of service settings, which stand for the clusters.
    """
    account, offering, token, held = (
        marketplace.offeringuser,
        marketplace.offering,
        social.oauthtoken,
        permissions.userrole,
    )
    first = (
        select(held.c.user_id, held.c.object_id.label("project_id"))
        .where(held.c.is_active, held.c.content_type_id == work.content_types("structure", "project"))
        .ext(distinct_on(held.c.user_id))
        .order_by(held.c.user_id, held.c.id)
        .subquery("first_role")
    )
    return (
        select(
            account.c.username,
            settings.c.id.label("settings_id"),
            settings.c.name,
            settings.c.options,
            first.c.project_id,
            token.c.access_token,
        )
        .join(offering, offering.c.id == account.c.offering_id)
        .join(token, (token.c.user_id == account.c.user_id) & (token.c.provider == PROVIDER))
        .join(first, first.c.user_id == account.c.user_id)
        .join(
            settings,
            (offering.c.content_type_id == scope) & (offering.c.object_id == settings.c.id),
        )
        .join(project, project.c.id == first.c.project_id)
        .where(offering.c.type == OFFERING_TYPE, token.c.access_token != "")
        .order_by(account.c.username.asc().nulls_last(), account.c.id)
    )
