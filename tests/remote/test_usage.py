"""waldur-remote-pull-usage: usage becomes what the remotes report; what cannot be read changes nothing."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.lateness import late_answer
from tests.mail_server import free_port
from tests.remote.remote_waldur import TOKEN, RemoteWaldur, dashed, failing, serving_remote, uuid_of
from tests.remote.scenes import NOW, OFFERING, RESOURCE, USAGE, ResellerSite, Reselling, reselling, usage
from tests.scene import Scene
from tests.statements import counted
from waldur_dagster.outcome import Outcome
from waldur_dagster.remote import usage as pulled
from waldur_dagster.schema import logging, marketplace

ENTRY = "waldur-remote-pull-usage"
USAGES = "marketplace-component-usages"


def pull(site: ResellerSite, **options: Any) -> Outcome:
    return site.run(pulled.pull_usage, ENTRY, **options)


def rows(scene: Scene) -> list[tuple[Any, ...]]:
    return [(row.resource_id, row.billing_period, row.usage) for row in scene.rows(marketplace.componentusage)]


def one_remote(scene: Scene, resources: int = 1) -> Reselling:
    """A remote that reports 1.00 of each resource for this month."""
    return reselling(scene, USAGES, lambda one, offering: usage(one, one, offering), resources)


def test_rows_of_one_key_are_added_up_and_the_last_one_tells_the_rest(scene: Scene) -> None:
    with one_remote(scene) as (site, remote, offering, (resource,)):
        remote.objects[USAGES] = [
            usage(1, resource, offering, "1.25", description="first"),
            usage(2, resource, offering, "2.50", description="last", recurring=True),
        ]
        pull(site)
        pull(site)
    row = scene.one(marketplace.componentusage)
    assert (row.usage, row.description, row.recurring) == (Decimal("3.75"), "last", True)
    assert row.backend_id == uuid_of(USAGE, 2)
    assert row.modified == row.created == row.date == datetime(2025, 3, 5, tzinfo=UTC)


@pytest.mark.parametrize("count", [2, 25])
def test_a_resource_whose_uuid_is_stored_with_dashes_has_its_usage(scene: Scene, count: int) -> None:
    with one_remote(scene, count) as (site, _, __, made):
        site.change(marketplace.resource, made[0], backend_id=dashed(uuid_of(RESOURCE, made[0])))
        pull(site)
    assert {row.resource_id for row in scene.rows(marketplace.componentusage)} == set(made)


def test_a_row_that_was_pulled_without_a_plan_period_gets_it(scene: Scene) -> None:
    with one_remote(scene) as (site, _, offering, (resource,)):
        component = scene.one(marketplace.offeringcomponent, offering_id=offering).id
        old = scene.add(
            marketplace.componentusage,
            resource_id=resource,
            component_id=component,
            billing_period=date(2025, 3, 1),
            usage=7,
            date=NOW,
            backend_id=uuid_of(USAGE, resource),
        )
        pull(site)
    row = scene.one(marketplace.componentusage)
    assert (row.id, row.usage, row.modified) == (old, 1, NOW)
    assert row.plan_period_id == scene.one(marketplace.resourceplanperiod).id


def test_what_agrees_is_not_written_and_what_has_vanished_stays(scene: Scene) -> None:
    with one_remote(scene) as (site, remote, *_):
        pull(site)
        assert dict(pull(site).rows) == {}
        remote.objects[USAGES] = []
        assert dict(pull(site).rows) == {}
    assert len(rows(scene)) == 1
    assert scene.rows(logging.event) == []


def test_numbers_and_texts_of_other_forms_are_taken(scene: Scene) -> None:
    with one_remote(scene) as (site, remote, _, (resource,)):
        (report,) = remote.objects[USAGES]
        report |= {"usage": 0.1, "description": None, "created": None, "brand_new": [1], "date": "2025-03-05T00:00:00"}
        del report["recurring"]
        outcome = pull(site)
    assert outcome.failures == []
    assert rows(scene) == [(resource, date(2025, 3, 1), Decimal("0.10"))]


def test_many_resources_are_pulled_by_pages_of_their_offering(scene: Scene) -> None:
    with one_remote(scene, 250) as (site, remote, *_):
        outcome = pull(site)
        assert sum(remote.calls.values()) == 2
    assert len(rows(scene)) == 250
    assert (outcome.warnings, outcome.failures) == ([], [])


def test_statements_do_not_grow_with_resources(scene: Scene, twin_scene: Scene) -> None:
    counts = []
    for one, size in ((scene, 25), (twin_scene, 250)):
        with one_remote(one, size) as (site, *_), counted(Engine) as statements:
            pull(site)
        counts.append(len(statements))
    assert counts[0] == counts[1]


def test_what_others_have_at_the_remote_is_passed_over(scene: Scene) -> None:
    with one_remote(scene, 25) as (site, remote, offering, _):
        remote.objects[USAGES] += [usage(1000 + n, 1000 + n, offering) for n in range(30)]
        outcome = pull(site)
    assert len(rows(scene)) == 25
    assert outcome.failures == []


@pytest.mark.parametrize("status", [400, 404])
def test_a_remote_that_knows_no_such_list_is_asked_for_each_resource(scene: Scene, status: int) -> None:
    with one_remote(scene, 25) as (site, remote, *_):
        remote.fault = lambda _, __, query: (status, {}) if "offering_uuid" in query else None
        outcome = pull(site)
        assert sum(remote.calls.values()) == 26
    assert len(rows(scene)) == 25
    assert outcome.failures == []


def test_a_list_that_names_no_resources_is_of_no_use(scene: Scene) -> None:
    with one_remote(scene, 25) as (site, remote, *_):
        nameless = [{k: v for k, v in one.items() if k != "resource_uuid"} for one in remote.objects[USAGES]]
        remote.fault = lambda _, __, query: (200, nameless) if "offering_uuid" in query else None
        pull(site)
    assert len(rows(scene)) == 25


def test_a_malformed_report_spoils_its_own_resource_only(scene: Scene) -> None:
    with one_remote(scene, 25) as (site, remote, *_):
        remote.objects[USAGES][3]["usage"] = "plenty"
        outcome = pull(site)
    assert len(rows(scene)) == 24
    (told,) = outcome.failures
    assert told.item.startswith("resource Resource 4")
    assert told.problem == "the answer about a usage is malformed: usage"


def test_a_row_that_the_database_refuses_spoils_its_own_resource_only(scene: Scene) -> None:
    with one_remote(scene, 25) as (site, remote, *_):
        remote.objects[USAGES][3]["usage"] = "1" * 30
        outcome = pull(site)
    assert len(rows(scene)) == 24
    (told,) = outcome.failures
    assert told.item.startswith("resource Resource 4")


def test_a_past_month_is_pulled_by_itself(scene: Scene) -> None:
    with one_remote(scene) as (site, remote, offering, (resource,)):
        remote.objects[USAGES] += [
            usage(2, resource, offering, "5", date="2025-02-05T00:00:00Z", billing_period="2025-02-01"),
            usage(3, resource, offering, "6", date="2025-01-15T00:00:00Z", billing_period="2025-01-01"),
        ]
        pull(site, month=(2025, 2))
    assert rows(scene) == [(resource, date(2025, 2, 1), 5)]
    assert scene.one(marketplace.componentusage).modified == datetime(2025, 3, 5, tzinfo=UTC)


def test_times_of_other_zones_are_converted(scene: Scene) -> None:
    with one_remote(scene) as (site, remote, offering, (resource,)):
        remote.objects[USAGES] = [
            usage(1, resource, offering, date="2025-03-01T01:00:00+02:00", billing_period="2025-02-01"),
            usage(2, resource, offering, "9", date="2031-01-01T00:00:00Z", billing_period="2025-03-01"),
        ]
        pull(site, time_zone="Pacific/Auckland")
    first, second = scene.rows(marketplace.componentusage)
    assert (first.date, first.billing_period) == (datetime(2025, 2, 28, 23, tzinfo=UTC), date(2025, 2, 1))
    assert (second.date.year, second.usage) == (2031, 9)  # a clock that is wrong is the remote's own matter


def test_a_dry_run_asks_and_writes_nothing(scene: Scene) -> None:
    with one_remote(scene, 25) as (site, *_):
        outcome = pull(site, dry_run=True)
    assert outcome.rows["marketplace_componentusage"]["inserted"] == 25
    assert rows(scene) == []


FAULTS = {
    "a refused token": failing(USAGES, 401),
    "forbidden": failing(USAGES, 403),
    "too busy": failing(USAGES, 429),
    "an error on page 2": failing(USAGES, 500, page=2),
    "junk": failing(USAGES, 200, b"<html>"),
    "a cut answer": failing(USAGES, 200, json.dumps([{"uuid": "a"}] * 3).encode()[:-3]),
    "a truncated list": lambda *_: (200, [], {"X-Result-Count": "7"}),
    "no answer in time": late_answer,
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_of_three_remotes_one_is_down_one_is_broken_and_one_is_pulled(scene: Scene, fault: Any) -> None:
    with one_remote(scene, 25) as (site, broken, _, of_broken), serving_remote() as sound:
        broken.page_size = 10
        down = RemoteWaldur(url=f"http://127.0.0.1:{free_port()}")
        site.resources(site.offering(down, "Down"), 25)
        offering = site.offering(sound, "Sound")
        good = site.resources(offering, 3)
        sound.objects[USAGES] = [usage(resource, resource, offering) for resource in good]
        component = scene.rows(marketplace.offeringcomponent)[0].id
        scene.add(
            marketplace.componentusage,
            resource_id=of_broken[0],
            component_id=component,
            billing_period=date(2025, 3, 1),
            usage=7,
            date=NOW,
        )
        broken.fault = fault
        outcome = pull(site)
        assert sum(broken.calls.values()) <= 9
    assert sorted(rows(scene)) == [(of_broken[0], date(2025, 3, 1), 7), *((one, date(2025, 3, 1), 1) for one in good)]
    assert {told.item.split(" (")[0] for told in outcome.failures} == {"offering Cluster", "offering Down"}
    assert TOKEN not in str(outcome)


def test_a_remote_that_is_down_is_asked_for_three_resources_and_told_once(scene: Scene) -> None:
    site = ResellerSite(scene)
    down = RemoteWaldur(url=f"http://127.0.0.1:{free_port()}")
    for n in range(10):
        site.resources(site.offering(down, f"Offering {n}"), 2)
    outcome = pull(site)
    assert "of its items were not visited" in outcome.failures[-1].problem
    assert len(outcome.failures) < 12


def test_offerings_that_cannot_be_visited_are_told_by_name(scene: Scene) -> None:
    with one_remote(scene) as (site, remote, *_):
        for name, secrets in {
            "No token": {"api_url": remote.api_url},
            "No address": {"api_url": "ftp:", "token": "t"},
            "Closed": {"api_url": remote.api_url, "token": "gAAAAABcipher"},
        }.items():
            offering = site.offering(remote, name)
            site.change(marketplace.offering, offering, secret_options=secrets)
            site.resources(offering)
        outcome = pull(site)
        assert all("gAAAA" not in str(call) for call in remote.calls)
    assert len(rows(scene)) == 1
    told = {finding.item.split(" (")[0]: finding.problem for finding in outcome.failures}
    assert told["offering No token"].endswith("its secret options have no token")
    assert told["offering No address"].endswith("no address of the web")
    assert "no keys" in told["offering Closed"]


def test_several_tokens_of_one_remote_do_not_hinder_each_other(scene: Scene) -> None:
    with one_remote(scene) as (site, remote, *_):
        other = RemoteWaldur(url=remote.url, token="wrong-token")
        site.resources(site.offering(other, "Another"), 5)
        outcome = pull(site)
    assert len(rows(scene)) == 1
    assert "(token 2)" in str(outcome.failures) or "HTTP 401" in str(outcome.failures)
    assert "wrong-token" not in str(outcome)


def test_uuids_with_dashes_are_the_same(scene: Scene) -> None:
    with one_remote(scene, 25) as (site, remote, offering, made):
        for one, resource in zip(remote.objects[USAGES], made, strict=True):
            name = uuid_of(RESOURCE, resource)
            one["resource_uuid"] = "-".join((name[:8], name[8:12], name[12:16], name[16:20], name[20:]))
        pull(site)
    assert len(rows(scene)) == 25
    assert scene.one(marketplace.offering).backend_id == uuid_of(OFFERING, offering)
