"""What remotes are told of the projects that buy there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.processes import kill, started, wait_until
from tests.remote.catalogue_scenes import NOW, RemoteSite
from tests.remote.remote_waldur import RemoteWaldur, failing, serving_remote, uuid_of
from tests.scene import Scene
from waldur_dagster.outcome import Outcome
from waldur_dagster.remote.project_data import push_project_data
from waldur_dagster.schema import structure
from waldur_dagster.site import AlreadyRunning

PROJECT = 7


@pytest.fixture
def remote() -> Iterator[RemoteWaldur]:
    with serving_remote(RemoteWaldur({"projects": []})) as made:
        yield made


@pytest.fixture
def site(scene: Scene) -> RemoteSite:
    return RemoteSite(scene)


def project_at(site: RemoteSite, offering: int, name: str = "Alpha", **values: Any) -> int:
    facts = {"description": "Text", "oecd_fos_2007_code": "1.1", "is_industry": False}
    project = site.scene.project(site.scene.customer("Org"), name, **facts | values)
    site.scene.resource(project, offering, None)
    return project


def put_there(site: RemoteSite, remote: RemoteWaldur, project: int, number: int = 1, **values: Any) -> None:
    row = site.scene.one(structure.project, id=project)
    owner = site.scene.one(structure.customer, id=row.customer_id)
    facts = {
        "uuid": uuid_of(PROJECT, number),
        "backend_id": f"{owner.uuid.hex}_{row.uuid.hex}",
        "name": f"Org / {row.name}",
        "description": row.description,
        "end_date": None,
        "oecd_fos_2007_code": row.oecd_fos_2007_code,
        "is_industry": row.is_industry,
        "type": "https://remote.example.org/api/project-types/1/",
    }
    remote.objects["projects"].append(facts | values)


def _push(site: RemoteSite, *, dry_run: bool = False) -> Outcome:
    with site.scene.site(dry_run=dry_run) as made:
        push_project_data(made.transactions("entry", NOW))
        return made.outcome


def test_what_differs_is_sent_without_the_type_and_what_agrees_is_not(site: RemoteSite, remote: RemoteWaldur) -> None:
    offering = site.offering(remote)
    for number, (name, there) in enumerate((("Alpha", "Old"), ("Beta", " Org / Beta\n")), 1):
        put_there(site, remote, project_at(site, offering, name), number, name=there)
    assert _push(site).failures == []
    body = {"name": "Org / Alpha", "description": "Text", "end_date": None, "oecd_fos_2007_code": "1.1"}
    assert remote.sent == [("PATCH", f"projects/{uuid_of(PROJECT, 1)}", body | {"is_industry": False})]


def test_a_project_of_two_offerings_of_a_remote_is_sent_once(site: RemoteSite, remote: RemoteWaldur) -> None:
    first, second = site.offering(remote, 1), site.offering(remote, 2)
    project = project_at(site, first)
    site.scene.resource(project, second, None)
    put_there(site, remote, project, name="Old")
    _push(site)
    assert len(remote.sent) == 1


def test_removed_projects_and_those_of_terminated_resources_are_left_alone(
    site: RemoteSite, remote: RemoteWaldur
) -> None:
    offering = site.offering(remote)
    put_there(site, remote, project_at(site, offering, is_removed=True), name="Old")
    ended = site.scene.project(site.scene.customer("Org"), "Ended")
    site.scene.resource(ended, offering, None, state=6)
    _push(site)
    assert remote.calls.total() == 0


def test_several_remote_projects_are_told_and_none_is_changed(site: RemoteSite, remote: RemoteWaldur) -> None:
    project = project_at(site, site.offering(remote))
    for number in (1, 2):
        put_there(site, remote, project, number, name="Old")
    assert "2 projects at" in _push(site).warnings[0].problem
    assert remote.sent == []


def test_many_projects_are_listed_at_once(site: RemoteSite, remote: RemoteWaldur) -> None:
    offering = site.offering(remote)
    for number in range(30):
        project = project_at(site, offering, f"Project {number}")
        if number:  # the first is not on the list, and is asked for by itself
            put_there(site, remote, project, number, name="Old")
    _push(site)
    assert len(remote.sent) == 29
    assert remote.calls["GET projects"] == 2


def test_a_dry_run_sends_nothing_and_says_what_it_would(site: RemoteSite, remote: RemoteWaldur) -> None:
    put_there(site, remote, project_at(site, site.offering(remote)), name="Old")
    outcome = _push(site, dry_run=True)
    assert remote.sent == []
    assert outcome.figures["outside changes that would be made"] == 1


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500])
def test_an_error_stops_nobody_at_other_remotes(site: RemoteSite, remote: RemoteWaldur, status: int) -> None:
    broken = RemoteWaldur({"projects": []}, token="another-token")
    with serving_remote(broken):
        broken.fault = failing("projects", status)
        project_at(site, site.offering(broken, 1), "Broken")
        put_there(site, remote, project_at(site, site.offering(remote, 2)), name="Old")
        outcome = _push(site)
    assert len(remote.sent) == 1
    assert len(outcome.failures) == 1


RUN = """
import sys
from tests.remote.catalogue_scenes import NOW
from waldur_dagster.deployment import parse_deployment
from waldur_dagster.remote.project_data import push_project_data
from waldur_dagster.site import Site
with Site(parse_deployment({"database": {"url": sys.argv[1]}})) as site:
    push_project_data(site.transactions("entry", NOW))
"""
MANY = 12


def test_after_a_kill_the_next_run_sends_the_rest_and_nothing_twice_and_two_runs_do_not_meet(
    site: RemoteSite, remote: RemoteWaldur
) -> None:
    offering = site.offering(remote)
    for number in range(MANY):
        put_there(site, remote, project_at(site, offering, f"Project {number}"), number, name="Old")
    go_on = threading.Event()

    def kept(_: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """What was sent is there, whether anybody still waits for the answer or not."""
        next(one for one in remote.objects["projects"] if path.endswith(one["uuid"])).update(body)
        if len(remote.sent) > 3:
            go_on.wait(60)
        return 200, {}

    remote.change = kept
    child = started(RUN, site.scene.engine.url.render_as_string(hide_password=False))
    wait_until(lambda: len(remote.sent) > 4)
    with pytest.raises(AlreadyRunning):
        _push(site)
    kill(child, site.scene.engine)
    go_on.set()
    assert _push(site).failures == []
    paths = [path for _, path, _ in remote.sent]
    assert len(paths) == len(set(paths)) == MANY
    assert {one["name"] for one in remote.objects["projects"]} == {f"Org / Project {n}" for n in range(MANY)}
    assert _push(site).figures["outside changes"] == 0
