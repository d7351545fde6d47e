"""Offerings of remotes taken over as configurations say: what is new, what is gone, and what stands after a failure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Engine

from tests.loopback import serving
from tests.processes import kill, started, wait_until
from tests.remote.catalogue_scenes import (
    NOW,
    OFFERING,
    ORGANIZATION,
    RemoteSite,
    component_document,
    offering_document,
    plan_document,
)
from tests.remote.remote_waldur import RemoteWaldur, failing, serving_remote, stalling, uuid_of
from tests.scene import Scene
from tests.statements import counted
from waldur_dagster.outcome import Outcome
from waldur_dagster.remote.offerings_sync import sync_offerings
from waldur_dagster.schema import logging, marketplace, media
from waldur_dagster.schema.marketplace_remote import remotelocalcategory, remotesynchronisation

pytestmark = pytest.mark.generation("8")

CATEGORY, SHOT, IMAGE = 8, 11, 12
GIF = bytes.fromhex("474946383961010001000000002c00000000010001000002024401003b")
LISTED = "marketplace-public-offerings"


class Market:
    """A remote with categories and offerings, and a provider here with a configuration of it."""

    def __init__(self, scene: Scene, remote: RemoteWaldur):
        self.site, self.scene, self.remote = RemoteSite(scene), scene, remote
        self.provider = scene.add(marketplace.serviceprovider, customer_id=self.site.provider)
        remote.objects = {"marketplace-categories": [], LISTED: []}
        self.configuration = self.configured(remote)
        self.category = self.mapped(1)

    def configured(self, remote: RemoteWaldur, organization: int = 1, **values: Any) -> int:
        facts = {
            "api_url": remote.api_url,
            "token": remote.token,
            "remote_organization_uuid": UUID(uuid_of(ORGANIZATION, organization)),
            "remote_organization_name": f"Organization {organization}",
            "local_service_provider_id": self.provider,
            "is_active": True,
            "state": "Scheduled",
            "modified": NOW - timedelta(days=1),
            "last_output": "",
            "error_message": "",
        }
        return self.scene.add(remotesynchronisation, **facts | values)

    def mapped(self, number: int, configuration: int | None = None) -> int:
        """A category here, and the one of this number at the remote, which it takes; returns the former."""
        uuid = uuid_of(CATEGORY, number)
        if all(one["uuid"] != uuid for one in self.remote.objects["marketplace-categories"]):
            self.remote.objects["marketplace-categories"].append({"uuid": uuid, "title": f"Category {number}"})
        local = self.scene.add(marketplace.category, title=f"Local {number}")
        self.scene.add(
            remotelocalcategory,
            local_category_id=local,
            remote_category=UUID(uuid),
            remote_category_name="Unknown",
            remote_synchronisation_id=configuration or self.configuration,
        )
        return local

    def offer(self, number: int, category: int = 1, **values: Any) -> dict[str, Any]:
        document = offering_document(number, **{"category_uuid": uuid_of(CATEGORY, category), "image": None} | values)
        self.remote.objects[LISTED].append(document)
        return document

    def known(self, number: int, **values: Any) -> int:
        id = self.site.offering(self.remote, number)
        self.change(marketplace.offering, id, **{"category_id": self.category} | values)
        return id

    def change(self, table: Any, id: int, **values: Any) -> None:
        whole = self.scene.whole(table)
        with self.scene.engine.begin() as connection:
            connection.execute(whole.update().where(whole.c.id == id).values(**values))

    def sync(self, **values: Any) -> Outcome:
        return self.site.run(sync_offerings, **values)

    @property
    def states(self) -> dict[str, int]:
        return {row.name: row.state for row in self.scene.rows(marketplace.offering)}

    @property
    def result(self) -> Any:
        return self.scene.one(remotesynchronisation, id=self.configuration)


@pytest.fixture
def market(scene: Scene) -> Iterator[Market]:
    with serving_remote() as remote:
        yield Market(scene, remote)


@pytest.mark.parametrize("more", [Market.mapped, Market.offer], ids=["renamed categories", "new offerings"])
def test_statements_do_not_grow(scene: Scene, twin_scene: Scene, more: Callable[[Market, int], Any]) -> None:
    counts = []
    for one, size in ((scene, 2), (twin_scene, 20)):
        with serving_remote() as remote:
            market = Market(one, remote)
            for number in range(2, size + 2):
                more(market, number)
            with counted(Engine) as statements:
                assert market.sync().failures == []
            assert len(market.states) == (size if more is Market.offer else 0)
        categories = size + 1 if more is Market.mapped else 1
        names = {row.remote_category_name for row in one.rows(remotelocalcategory)}
        assert names == {f"Category {number}" for number in range(1, categories + 1)}
        counts.append(len(statements))
    assert counts[0] == counts[1]


def test_offerings_are_made_changed_and_archived_and_a_second_run_changes_nothing(market: Market) -> None:
    market.known(1, name="Old name")
    market.known(2, name="Gone")
    market.offer(1, name="New name", state="Paused")
    market.offer(3, plans=[plan_document(prices={"cpu": 0.1})], components=[component_document("cpu")])
    outcome = market.sync()
    assert (outcome.failures, outcome.warnings) == ([], [])
    assert market.states == {"New name": 3, "Gone": 4, "Offering 3": 2}
    made = market.scene.one(marketplace.offering, name="Offering 3")
    assert (made.category_id, made.customer_id, made.billable, made.shared) == (
        *(market.category, market.site.provider, True, True),
    )
    assert made.secret_options == {
        "api_url": market.remote.api_url,
        "token": market.remote.token,
        "customer_uuid": uuid_of(ORGANIZATION, 1),
    }
    assert market.scene.one(marketplace.plancomponent).price * 10 == 1
    assert market.scene.one(remotelocalcategory).remote_category_name == "Category 1"
    assert (market.result.state, market.result.error_message, market.result.last_execution) == ("OK", "", NOW)
    assert "1 offerings that are not offered any more were archived." in market.result.last_output
    tables = (marketplace.offering, marketplace.plan, marketplace.plancomponent, logging.event)
    before = [market.scene.rows(table) for table in tables]
    market.sync(at=NOW + timedelta(days=1))
    assert [market.scene.rows(table) for table in tables] == before
    assert "archived" not in market.result.last_output


def test_what_one_offering_has_no_value_of_is_taken_over_of_the_others(market: Market) -> None:
    for number in (1, 2):
        market.known(number, resource_options={"a": 1})
    market.offer(1, resource_options=None)
    market.offer(2, resource_options={"b": 2})
    market.sync()
    rows = {row.name: row.resource_options for row in market.scene.rows(marketplace.offering)}
    assert rows == {"Offering 1": {"a": 1}, "Offering 2": {"b": 2}}


def test_offerings_of_a_category_that_is_not_there_any_more_stay(market: Market) -> None:
    lost = market.mapped(2)
    market.remote.objects["marketplace-categories"].pop()
    market.known(1, category_id=lost)
    market.known(2, category_id=market.scene.add(marketplace.category, title="Not mapped"))
    assert market.sync().failures == []
    assert market.states == {"Offering 1": 2, "Offering 2": 2}
    assert f"Category {uuid_of(CATEGORY, 2)} is not there any more" in market.result.last_output


def test_an_offering_that_cannot_be_read_is_told_and_not_archived(market: Market) -> None:
    market.known(1)
    market.offer(1, name="Broken", components=None)
    market.offer(2)
    outcome = market.sync()
    assert market.states == {"Offering 1": 2, "Offering 2": 2}
    assert len(outcome.warnings) == 1 and "Broken" in outcome.warnings[0].item
    assert market.result.state == "OK" and "Broken" in market.result.last_output


def test_an_offering_that_the_database_refuses_is_an_error_and_the_others_are_taken_over(market: Market) -> None:
    for number in (1, 2):
        market.known(number)
    costly = plan_document(prices={"cpu": 1e15})
    market.offer(1, description="new", components=[component_document("cpu")], plans=[costly])
    market.offer(2, description="new")
    outcome = market.sync()
    assert [row.description for row in market.scene.rows(marketplace.offering)] == ["", "new"]
    assert (market.result.state, market.result.last_execution) == ("Erred", NOW)
    assert "Offering 1" in market.result.error_message and "overflow" in market.result.error_message
    assert "Offering 2" in market.result.last_output and "Offering 1" not in market.result.last_output
    assert len(outcome.failures) == 1


def test_no_remote_archives_most_of_what_is_sold(market: Market) -> None:
    for number in range(10):
        market.known(number)
    for number in range(4):
        market.offer(number)
    outcome = market.sync()
    assert set(market.states.values()) == {2}
    assert "6 of 10 offerings are gone" in outcome.failures[0].problem
    assert market.sync(remote_waldurs={"may_lose": 1}).failures == []
    assert sorted(market.states.values()) == [2] * 4 + [4] * 6


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [("categories", 401, None), ("offerings", 403, None), ("offerings", 500, None), ("offerings", 200, b"<html>")],
)
def test_one_failure_is_kept_changes_nothing_and_leaves_others_alone(
    market: Market, path: str, status: int, body: Any
) -> None:
    market.known(1)
    with serving_remote() as other:
        other.objects = market.remote.objects.copy()
        market.mapped(1, market.configured(other, 2))
        market.offer(5)
        market.remote.fault = failing(path, status, body)
        outcome = market.sync()
    assert market.states == {"Offering 1": 2, "Offering 5": 2}
    assert [row.state for row in market.scene.rows(remotesynchronisation)] == ["Erred", "OK"]
    assert market.result.error_message and market.remote.token not in market.result.error_message
    assert market.result.last_execution == NOW
    assert market.remote.token not in repr((outcome.failures, outcome.warnings))


def test_only_active_configurations_are_done_that_nobody_is_at_work_on(market: Market) -> None:
    market.configured(market.remote, 2, is_active=False)
    market.configured(market.remote, 3, state="Processing", modified=NOW - timedelta(hours=1))
    market.configured(market.remote, 4, state="Processing", modified=NOW - timedelta(hours=24))
    market.configured(market.remote, 5, state="Erred")
    market.sync()
    states = [row.state for row in market.scene.rows(remotesynchronisation)]
    assert states == ["OK", "Scheduled", "Processing", "OK", "OK"]


def test_a_host_that_ends_in_letters_of_api_is_asked(market: Market) -> None:
    market.remote.url = market.remote.url.replace("127.0.0.1", "127.1")
    market.change(remotesynchronisation, market.configuration, api_url=market.remote.api_url.rstrip("/"))
    market.offer(1)
    assert market.sync().failures == []
    assert market.scene.one(marketplace.offering).secret_options["api_url"] == market.remote.api_url


def test_an_address_without_api_is_asked_below_it(market: Market) -> None:
    market.change(remotesynchronisation, market.configuration, api_url=market.remote.url)
    known = market.known(
        1,
        secret_options={"api_url": market.remote.url, "token": market.remote.token}
        | {"customer_uuid": uuid_of(ORGANIZATION, 1)},
    )
    market.offer(1)
    market.offer(2)
    assert market.sync().failures == []
    assert market.scene.one(marketplace.offering, id=known).secret_options["api_url"] == market.remote.url
    assert market.scene.one(marketplace.offering, name="Offering 2").secret_options["api_url"] == market.remote.api_url


def test_credentials_are_refreshed_and_stay_encrypted(market: Market) -> None:
    key = Fernet.generate_key().decode()
    sealed = Fernet(key).encrypt(market.remote.token.encode()).decode()
    secrets = {
        "api_url": market.remote.api_url,
        "token": sealed,
        "customer_uuid": uuid_of(ORGANIZATION, 1),
        "own": "kept",
    }
    same, other = (
        market.known(number, secret_options=secrets | more) for number, more in ((1, {}), (2, {"token": "old"}))
    )
    market.offer(1)
    market.offer(2)
    market.sync(encryption={"keys": [key]})
    assert market.scene.one(marketplace.offering, id=same).secret_options == secrets
    refreshed = market.scene.one(marketplace.offering, id=other).secret_options
    assert refreshed["own"] == "kept" and market.remote.token not in refreshed["token"]


def test_pictures_are_fetched_once_and_go_when_they_are_gone(market: Market) -> None:
    asked: list[str] = []

    def picture(name: str, **_: Any) -> tuple[int, bytes]:
        asked.append(name)
        return 200, GIF

    with serving({("GET", "/(.+)"): picture}) as url:
        document = market.offer(1, image=f"{url}/{uuid_of(IMAGE, 1)}")
        shot = {"uuid": uuid_of(SHOT, 1), "offering_uuid": uuid_of(OFFERING, 1), "name": "Shot", "description": ""}
        market.remote.objects["marketplace-screenshots"] = [shot | {"image": f"{url}/s", "thumbnail": f"{url}/t"}]
        for day in range(2):
            assert market.sync(at=NOW + timedelta(days=day)).warnings == []
        assert sorted(asked) == sorted([uuid_of(IMAGE, 1), "s", "t"])
        stored = market.scene.one(marketplace.screenshot)
        assert (stored.name, stored.backend_id) == ("Shot", uuid_of(SHOT, 1))
        assert len(market.scene.rows(media.file)) == 3
        market.scene.add(marketplace.screenshot, offering_id=stored.offering_id, name="Made here", backend_id="")
        document["image"] = None
        market.remote.objects["marketplace-screenshots"] = []
        market.sync(at=NOW + timedelta(days=2))
    assert [row.name for row in market.scene.rows(marketplace.screenshot)] == ["Made here"]
    assert market.scene.rows(media.file) == []


def test_a_run_that_was_killed_is_taken_up_a_day_later(market: Market) -> None:
    market.offer(1)
    market.remote.fault, go_on = stalling(1)
    run = started(RUN, market.scene.engine.url.render_as_string(hide_password=False), NOW.isoformat())
    wait_until(lambda: market.remote.calls[f"GET {LISTED}"] > 0)
    kill(run, market.scene.engine)
    go_on.set()
    market.remote.fault = lambda *_: None
    assert (market.result.state, market.states) == ("Processing", {})
    market.sync(at=NOW + timedelta(hours=1))
    assert (market.result.state, market.states) == ("Processing", {})
    market.sync(at=NOW + timedelta(days=1))
    assert (market.result.state, market.states) == ("OK", {"Offering 1": 2})


RUN = """
import sys
from datetime import datetime
from waldur_dagster.deployment import parse_deployment
from waldur_dagster.remote.offerings_sync import sync_offerings
from waldur_dagster.site import Site
with Site(parse_deployment({"database": {"url": sys.argv[1]}})) as site:
    sync_offerings(site.transactions("entry", datetime.fromisoformat(sys.argv[2])))
"""
