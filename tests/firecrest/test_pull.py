"""Jobs of people on clusters: each person fails alone, nothing vanishes, and reading has an end."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.lateness import TOO_LONG, named, shorten
from tests.loopback import serving
from tests.processes import kill, started, wait_until
from tests.scene import Scene
from tests.statements import counted
from waldur_dagster.clients import firecrest as client
from waldur_dagster.clients import patience
from waldur_dagster.firecrest.pull_jobs import pull_jobs
from waldur_dagster.outcome import Outcome
from waldur_dagster.schema import django, firecrest, marketplace, quotas, social, structure

NOW = datetime(2025, 3, 10, 9, 30, tzinfo=UTC)
ENTRY = "waldur-firecrest-pull-jobs"
CHILD = """
import sys
from datetime import UTC, datetime
from waldur_dagster.deployment import parse_deployment
from waldur_dagster.firecrest.pull_jobs import pull_jobs
from waldur_dagster.site import Site
with Site(parse_deployment({"database": {"url": sys.argv[1]}})) as site:
    pull_jobs(site.transactions("waldur-firecrest-pull-jobs", datetime.now(UTC)))
"""


@pytest.fixture(autouse=True)
def quick(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "LONGEST_PAUSE", 0.01)
    shorten(request, monkeypatch, (patience, "TIMEOUT"))
    monkeypatch.setattr(client, "PAUSE", 0.0)


class Cluster:
    """What a FirecREST answers to each person, by his token: jobs, or a fault at a path."""

    def __init__(self) -> None:
        self.jobs: dict[str, list[dict[str, str]]] = {}
        self.faults: dict[tuple[str, str], Any] = {}
        self.status = "200"
        self.paged = True
        self.numbered = False
        self.calls: list[str] = []
        self.blocked: threading.Event | None = None

    def list(self, query: dict[str, str], headers: Any, **_: Any) -> tuple[int, Any]:
        page = query["pageNumber"]
        return self._fault(headers, f"jobs {page}") or (200, {"task_id": f"t{page}"})

    def task(self, number: str, headers: Any, **_: Any) -> tuple[int, Any]:
        if self.blocked is not None:
            self.blocked.wait(20)
        if fault := self._fault(headers, f"task {number}"):
            return fault
        first = 25 * int(number) if self.paged else 0
        jobs = self.jobs[_token(headers)][first : first + 25]
        data = {str(n): job for n, job in enumerate(jobs)} if self.numbered else jobs
        return 200, {"task": {"status": self.status, "data": data}}

    def _fault(self, headers: Any, place: str) -> tuple[int, Any] | None:
        self.calls.append(f"{_token(headers)} {place}")
        fault = self.faults.get((_token(headers), place))
        if isinstance(fault, ConnectionError):
            time.sleep(TOO_LONG * ("slow" in str(fault)))
            raise fault
        return fault

    @contextmanager
    def serve(self) -> Iterator[str]:
        with serving({("GET", "/compute/jobs"): self.list, ("GET", r"/tasks/t(\d+)"): self.task}) as url:
            yield f"{url}/"


def _token(headers: Any) -> str:
    return str(headers["Authorization"].removeprefix("Bearer "))


def jobs(*numbers: int, state: str = "RUNNING") -> list[dict[str, str]]:
    return [{"jobid": str(number), "name": f"job {number}", "state": state} for number in numbers]


@contextmanager
def place(scene: Scene, *people: str) -> Iterator[tuple[Scene, Cluster]]:
    """A cluster that these people have an account at, each with a job there."""
    cluster = Cluster()
    with cluster.serve() as url:
        accounts(scene, url, *people)
        cluster.jobs = {name: jobs(1) for name in people}
        yield scene, cluster


def accounts(scene: Scene, url: str, *people: str) -> None:
    """People with an account at a cluster, each with a token of his name and a project."""
    facts = {"app_label": "structure", "model": "servicesettings"}
    known = scene.rows(django.content_type, **facts)
    at = known[0].id if known else scene.add(django.content_type, **facts)
    provider = scene.customer("Provider")
    options = json.dumps({"firecrest_api_url": url})
    settings = scene.add(structure.servicesettings, type="SLURM", state=3, is_active=True, options=options)
    offering = scene.offering(provider, type="SlurmInvoices.SlurmPackage", content_type_id=at, object_id=settings)
    for name in people:
        user = scene.user(f"{name}@x.org")
        scene.role(user, "PROJECT.ADMIN", "project", scene.project(provider, name))
        scene.add(marketplace.offeringuser, username=name, offering_id=offering, user_id=user, backend_metadata={})
        scene.add(social.oauthtoken, user_id=user, provider="keycloak", access_token=name)


def pull(scene: Scene) -> Outcome:
    with scene.site() as site:
        pull_jobs(site.transactions(ENTRY, NOW))
        return site.outcome


def owners(scene: Scene) -> list[int]:
    """The projects that have jobs, one for each; people are asked side by side."""
    return sorted(row.project_id for row in scene.rows(firecrest.job))


FAULTS = {
    "refused": ("jobs 0", ConnectionError()),
    "slow": ("jobs 0", ConnectionError("slow")),
    "404": ("jobs 0", (404, {})),
    "429": ("jobs 0", (429, {})),
    "500": ("jobs 0", (500, {})),
    "junk": ("jobs 0", (200, b"<html>")),
    "a list": ("jobs 0", (200, [])),
    "no task_id": ("jobs 0", (200, {"error": "maintenance"})),
    "task 404": ("task 0", (404, {})),
    "no task": ("task 0", (200, {"task": None})),
    "no data": ("task 0", (200, {"task": {"status": "200"}})),
    "job without id": ("task 0", (200, {"task": {"status": "200", "data": [{"name": "x"}]}})),
    "task 500": ("task 0", (200, {"task": {"status": "500", "data": "x"}})),
    "never done": ("task 0", (200, {"task": {"status": "100", "data": "x"}})),
}


@pytest.mark.parametrize("fault", named(FAULTS))
def test_a_person_who_fails_stops_nobody_and_loses_nothing(scene: Scene, fault: str) -> None:
    with place(scene, "alice", "bob", "carol") as (site, cluster):
        pull(site)
        path, answer = FAULTS[fault]
        cluster.faults["bob", path] = answer
        for name in cluster.jobs:
            cluster.jobs[name] = jobs(2)
        outcome = pull(site)
    assert [finding.item.startswith("jobs of bob") for finding in outcome.failures] == [True]
    assert owners(site) == [1, 1, 2, 3, 3]


@pytest.mark.parametrize("status", [401, 403])
def test_an_expired_token_is_no_failure(scene: Scene, status: int) -> None:
    with place(scene, "alice", "bob") as (site, cluster):
        cluster.faults["alice", "jobs 0"] = (status, {"description": "token alice has expired"})
        outcome = pull(site)
    assert (len(outcome.failures), len(outcome.warnings)) == (0, 1)
    assert "token ***" in outcome.warnings[0].problem and owners(site) == [2]


def test_a_task_that_failed_is_no_failure(scene: Scene) -> None:
    with place(scene, "alice") as (site, cluster):
        cluster.status = "400"
        outcome = pull(site)
    assert (len(outcome.failures), len(outcome.warnings)) == (0, 1)


@pytest.mark.parametrize("numbered", [False, True])
def test_all_pages_are_read_and_a_second_run_writes_nothing(scene: Scene, numbered: bool) -> None:
    with place(scene, "alice") as (site, cluster):
        cluster.numbered = numbered
        cluster.jobs["alice"] = jobs(*range(60))
        assert pull(site).rows["waldur_firecrest_job"] == {"inserted": 60}
        assert pull(site).rows == {}
    deltas = {row.content_type_id: row.delta for row in site.rows(quotas.quotausage)}
    assert deltas == {1: 60, 2: 60}


def test_a_cluster_that_has_no_pages_is_read_once(scene: Scene) -> None:
    with place(scene, "alice") as (site, cluster):
        cluster.paged = False
        cluster.jobs["alice"] = jobs(*range(40))
        assert not pull(site).failures
    assert len(cluster.calls) == 4 and len(owners(site)) == 25


def test_what_came_before_a_page_failed_is_kept(scene: Scene) -> None:
    with place(scene, "alice") as (site, cluster):
        cluster.jobs["alice"] = jobs(*range(40))
        cluster.faults["alice", "jobs 1"] = (500, {})
        assert len(pull(site).failures) == 1
    assert len(owners(site)) == 25


def test_a_known_job_gets_its_state_and_keeps_its_error(scene: Scene) -> None:
    with place(scene, "alice") as (site, cluster):
        own = {"service_settings_id": 1, "project_id": 1, "error_message": "lost", "state": 4}
        scene.add(firecrest.job, backend_id="1", name="x", **own)
        cluster.jobs["alice"] = jobs(1, state="COMPLETED")
        pull(site)
    row = site.one(firecrest.job)
    assert (row.name, row.runtime_state, row.state, row.error_message) == ("job 1", "COMPLETED", 3, "lost")


def test_of_a_job_that_is_listed_twice_the_last_state_counts(scene: Scene) -> None:
    with place(scene, "alice") as (site, cluster):
        cluster.jobs["alice"] = jobs(*range(25)) + jobs(7, state="COMPLETED")
        assert pull(site).rows["waldur_firecrest_job"] == {"inserted": 25}
        assert pull(site).rows == {}
    assert site.one(firecrest.job, backend_id="7").runtime_state == "COMPLETED"


def test_options_that_cannot_be_read_are_told_once(scene: Scene) -> None:
    with place(scene, "alice", "bob") as (site, _):
        with site.engine.begin() as connection:
            connection.execute(structure.servicesettings.update().values(options="junk"))
        assert len(pull(site).failures) == 1


def test_a_run_that_is_killed_leaves_nothing_doubled(scene: Scene) -> None:
    with place(scene, "alice", "bob") as (site, cluster):
        cluster.blocked = threading.Event()
        url = site.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        child = started(CHILD, url)
        wait_until(lambda: bool(cluster.calls))
        kill(child, scene.engine)
        cluster.blocked.set()
        assert [pull(site).failures, pull(site).failures] == [[], []]
    assert owners(site) == [1, 2]


def test_statements_of_a_person_do_not_grow_with_jobs(scene: Scene, twin_scene: Scene) -> None:
    def statements(own: Scene, many: int) -> int:
        with place(own, "alice") as (site, cluster), site.site() as run:
            cluster.jobs["alice"] = jobs(*range(many))
            with counted(run.engine) as seen:
                pull_jobs(run.transactions(ENTRY, NOW))
        return len(seen)

    assert statements(scene, 2) == statements(twin_scene, 50)
