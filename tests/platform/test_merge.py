"""Making rows what an outside system says."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func

from tests.scene import Scene
from tests.statements import counted
from waldur_dagster.platform.merge import Merge
from waldur_dagster.schema import openstack, structure
from waldur_dagster.site import Site
from waldur_dagster.work import Work

NOW = datetime(2025, 3, 10, 9, 30, tzinfo=UTC)
kind = openstack.volumetype
PULLED = ("name", "description", "disabled")


def pulled(*names: str, **values: Any) -> list[dict[str, Any]]:
    return [{"backend_id": f"id-{n}", "name": n, "description": "", "disabled": False} | values for n in names]


def merge(work: Work, rows: list[dict[str, Any]], settings: int) -> tuple[int, int, int]:
    made = Merge(work, kind, rows, key=["backend_id"], columns=PULLED, scope=kind.c.settings_id == settings)
    stale = made.delete(made.stale())
    work_rows = work.outcome.rows["openstack_volumetype"]
    made.update(PULLED)
    values = {name: made.pulled.c[name] for name in ("backend_id", *PULLED)}
    made.insert(values | {"settings_id": settings, "uuid": func.gen_random_uuid()})
    return work_rows["inserted"], work_rows["updated"], stale


def merged(site: Site, rows: list[dict[str, Any]], settings: int) -> tuple[int, int, int]:
    with site.work("pull-service-properties", NOW) as work:
        return merge(work, rows, settings)


def test_rows_become_what_was_pulled(scene: Scene) -> None:
    cloud, other = (scene.add(structure.servicesettings, name=name) for name in ("cloud", "other"))
    with scene.site() as site:
        assert merged(site, pulled("a", "b"), cloud) == (2, 0, 0)
        assert merged(site, pulled("a"), other) == (1, 0, 0)
        before = {row.backend_id: row.id for row in scene.rows(kind, settings_id=cloud)}
        assert merged(site, [*pulled("a", disabled=True), *pulled("b", "c")], cloud) == (1, 1, 0)
        assert merged(site, [*pulled("a", disabled=True), *pulled("b", "c")], cloud) == (0, 0, 0)
        assert merged(site, pulled("c", "c"), cloud) == (0, 0, 2)
    assert [(row.name, row.settings_id) for row in scene.rows(kind)] == [("a", other), ("c", cloud)]
    assert before["id-a"] not in {row.id for row in scene.rows(kind)}


def test_an_empty_answer_deletes_all(scene: Scene) -> None:
    cloud = scene.add(structure.servicesettings, name="cloud")
    with scene.site() as site:
        merged(site, pulled("a", "b"), cloud)
        assert merged(site, [], cloud) == (0, 0, 2)


def test_statements_do_not_grow(scene: Scene) -> None:
    counts = []
    with scene.site() as site:
        for many in (5, 500):
            settings = scene.add(structure.servicesettings, name=f"cloud {many}")
            names = [f"f{n}" for n in range(many)]
            with site.work("pull-service-properties", NOW) as work, counted(work.connection) as seen:
                merge(work, pulled(*names), settings)
            counts.append(len(seen))
    assert counts[0] == counts[1]
