"""A run's hold on the database: what happens when connections drop, locks are held, or statements take too long."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

from tests.scene import Scene
from tests.sessions import OURS, ending, is_unlocked
from waldur_dagster.schema import structure
from waldur_dagster.site import AlreadyRunning, Site, SiteUnreachable

NOW = datetime(2025, 4, 1, tzinfo=UTC)


def _drop_connections(scene: Scene) -> None:
    """As a restart of the server does to everybody but this test."""
    with scene.engine.connect() as connection:
        connection.execute(text(ending(OURS)))


def _rename(site: Site, name: str) -> None:
    with site.work("entry", NOW) as work:
        work.execute(structure.customer.update().values(name=name))


def test_a_connection_that_was_dropped_between_two_steps_is_made_anew_with_its_lock(scene: Scene) -> None:
    scene.customer("before")
    with scene.site() as site, scene.site() as other:
        _rename(site, "first")
        _drop_connections(scene)
        _rename(site, "second")
        with pytest.raises(AlreadyRunning):
            _rename(other, "other")
    assert scene.one(structure.customer).name == "second"


@pytest.mark.parametrize("dry_run", [False, True])
def test_the_next_run_may_begin_before_the_server_has_ended_the_session(scene: Scene, dry_run: bool) -> None:
    scene.customer("before")
    free: list[bool] = []
    with scene.site(dry_run=dry_run) as site:
        _rename(site, "after")
        assert not is_unlocked(scene.engine)
        event.listen(site.engine, "close", lambda *_: free.append(is_unlocked(scene.engine)))
    assert free == [True]
    assert scene.one(structure.customer).name == ("before" if dry_run else "after")


def test_a_run_whose_connection_was_dropped_ends_quietly(scene: Scene) -> None:
    scene.customer("before")
    with scene.site() as site:
        _rename(site, "after")
        _drop_connections(scene)
    assert is_unlocked(scene.engine)


def test_a_lock_that_another_run_took_meanwhile_is_not_taken_back(scene: Scene) -> None:
    scene.customer("before")
    with scene.site() as site, scene.site() as other:
        _rename(site, "first")
        _drop_connections(scene)
        _rename(other, "other")
        with pytest.raises(AlreadyRunning):
            _rename(site, "second")
    assert scene.one(structure.customer).name == "other"


def test_a_connection_that_drops_inside_a_step_takes_the_step_back(scene: Scene) -> None:
    scene.customer("before")
    with scene.site() as site:
        with pytest.raises(OperationalError), site.work("entry", NOW) as work:
            work.execute(structure.customer.update().values(name="half"))
            _drop_connections(scene)
            work.execute(structure.customer.update().values(name="whole"))
        assert scene.one(structure.customer).name == "before"
        _rename(site, "again")
    assert scene.one(structure.customer).name == "again"


def test_a_dry_run_that_lost_its_connection_is_to_be_started_again(scene: Scene) -> None:
    with scene.site(dry_run=True) as site:
        _rename(site, "first")
        _drop_connections(scene)
        with pytest.raises(SiteUnreachable, match="start it again"):
            _rename(site, "second")


def test_the_lock_is_free_again_when_a_run_is_over_also_a_dry_one(scene: Scene) -> None:
    for dry_run in (True, False):
        with scene.site(dry_run=dry_run) as site:
            _rename(site, "name")


def test_different_entries_do_not_wait_for_each_other(scene: Scene) -> None:
    with scene.site() as site, scene.site() as other, site.work("one", NOW), other.work("two", NOW):
        pass


@pytest.mark.parametrize("limit", ["statement_timeout", "lock_timeout"])
def test_a_statement_or_a_lock_that_takes_longer_than_the_deployment_allows_is_given_up(
    scene: Scene, limit: str
) -> None:
    customer = scene.customer("before")
    url = scene.engine.url.render_as_string(hide_password=False)
    held = text("SELECT FROM structure_customer WHERE id = :id FOR UPDATE")
    with scene.engine.begin() as holder:
        holder.execute(held, {"id": customer})
        with scene.site(database={"url": url, limit: 1}) as site, pytest.raises(OperationalError) as problem:
            _rename(site, "after")
    assert limit.partition("_")[0] in str(problem.value)
    assert scene.one(structure.customer).name == "before"


def test_an_instant_without_a_zone_is_refused(scene: Scene) -> None:
    naive = NOW.replace(tzinfo=None)
    with scene.site() as site, pytest.raises(ValueError, match="write it with an offset"), site.work("entry", naive):
        pass
