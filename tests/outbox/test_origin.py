"""Messages belong to the deployment and the database that wrote them; a copy of a site sends none of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import create_engine, text

from tests.mail_server import mail_server
from tests.outbox.messages import letter, mails, send
from tests.scene import BORN, Scene
from waldur_dagster.outbox import operating, put
from waldur_dagster.outbox.delivery import backlog
from waldur_dagster.outbox.tables import message


def _write(scene: Scene, *keys: str, **document: Any) -> None:
    """As a job of the deployment does."""
    with scene.site(**document) as site, site.work("e", BORN) as work:
        put(work, map(letter, keys))


@contextmanager
def _copy(scene: Scene) -> Iterator[Scene]:
    """A copy of the scene's database on the same server, as a test site is made of production."""
    name = f"{scene.engine.url.database}_copy"
    admin = create_engine(scene.engine.url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    scene.engine.dispose()
    with admin.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{scene.engine.url.database}"'))
    engine = create_engine(scene.engine.url.set(database=name))
    copied = Scene.__new__(Scene)
    copied.engine = engine
    try:
        yield copied
    finally:
        engine.dispose()
        with admin.connect() as connection:
            connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
        admin.dispose()


def test_a_copy_of_a_site_sends_nothing_that_the_site_wrote_until_it_takes_it_over(scene: Scene) -> None:
    _write(scene, "a@x.org", "b@x.org")
    with _copy(scene) as copy, mail_server() as server:
        assert send(copy, server).not_delivered == 0
        assert operating.retry(copy.engine, deployment=copy.deployment()) == 0
        assert send(copy, server).sent == {}
        found = backlog(copy.engine, copy.deployment())
        assert (found.due, found.foreign) == (0, 2)
        assert found.foreign_words.startswith(" 2 belong to another deployment or database and are not sent from here")
        _write(copy, "a@x.org", "own@x.org")
        assert send(copy, server).sent["mail"] == 1
        assert operating.adopt(copy.engine, copy.deployment()) == 2
        send(copy, server)
        assert server.addresses == ["a@x.org", "b@x.org", "own@x.org"]


def test_another_deployment_on_the_same_database_sends_only_its_own(scene: Scene) -> None:
    _write(scene, "a@x.org", name="production")
    _write(scene, "t@x.org", name="test")
    with mail_server() as server:
        send(scene, server, name="test")
        assert server.addresses == ["t@x.org"]
        send(scene, server, name="production")
        assert server.addresses == ["a@x.org", "t@x.org"]


def test_messages_from_before_owners_were_written_are_those_of_whoever_migrates(scene: Scene) -> None:
    mails(scene, "old@x.org")
    assert operating.adopt(scene.engine, scene.deployment(), unowned_only=True) == 1
    assert scene.one(message).origin.startswith("waldur on ")
    with mail_server() as server:
        send(scene, server)
        assert server.addresses == ["old@x.org"]


def test_a_job_that_asks_again_makes_a_message_its_own(scene: Scene) -> None:
    _write(scene, "a@x.org", name="production")
    with scene.site(name="test") as site, site.work("e", BORN) as work:
        assert put(work, [letter("a@x.org")], again=True) == 1
    assert scene.one(message).origin.startswith("test on ")
