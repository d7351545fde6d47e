"""waldur-remote-pull-invoices: invoices hold what the remotes bill; what cannot be read changes nothing."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine

from tests.lateness import late_answer
from tests.mail_server import free_port
from tests.remote.remote_waldur import TOKEN, RemoteWaldur, dashed, failing, serving_remote, uuid_of
from tests.remote.scenes import ITEM, NOW, RESOURCE, ResellerSite, Reselling, remote_item, reselling
from tests.scene import Scene
from tests.statements import counted
from waldur_dagster.outcome import Outcome
from waldur_dagster.remote.invoices import pull_invoices
from waldur_dagster.schema import billing, invoices, logging, marketplace, structure

ITEMS = "invoice-items"
FEBRUARY = {"year": 2025, "month": 2, "start": "2025-02-01T00:00:00Z", "end": "2025-02-28T23:59:59.999999Z"}


def pull(site: ResellerSite, **options: Any) -> Outcome:
    return site.run(pull_invoices, "waldur-remote-pull-invoices", **options)


def basic_resource(site: ResellerSite) -> None:
    """Something else of the customer that is billed: 30 a month."""
    basic = site.scene.offering(site.provider)
    plan = site.scene.plan(basic)
    site.scene.price(plan, site.scene.component(basic), 30)
    site.scene.resource(site.project, basic, plan, name="Basic", created=NOW)


def one_remote(scene: Scene, count: int = 1) -> Reselling:
    """A remote that bills each resource with one item of this month."""
    return reselling(scene, ITEMS, lambda one, offering: remote_item(one, one, offering), count)


def names(scene: Scene) -> list[str]:
    return sorted(row.name for row in scene.rows(invoices.invoiceitem))


@pytest.mark.parametrize("count", [2, 25])
def test_a_month_that_cannot_be_read_leaves_the_other_one_alone(scene: Scene, count: int) -> None:
    with one_remote(scene, count) as (site, remote, offering, made):
        remote.objects[ITEMS].append(remote_item(999, made[0], offering, **FEBRUARY | {"quantity": "x"}))
        outcome = pull(site)
    assert len(names(scene)) == count
    assert [one.item.partition(" (")[0] for one in outcome.failures] == ["resource Resource 1"]


@pytest.mark.parametrize("count", [1, 25])
def test_items_of_a_resource_whose_uuid_is_stored_with_dashes_stay(scene: Scene, count: int) -> None:
    with one_remote(scene, count) as (site, _, __, made):
        pull(site)
        site.change(marketplace.resource, made[0], backend_id=dashed(uuid_of(RESOURCE, made[0])))
        assert dict(pull(site).rows) == {}
    assert len(names(scene)) == count


@pytest.mark.parametrize("count", [1, 25])
def test_items_are_mirrored_with_totals_and_estimates(scene: Scene, count: int) -> None:
    with one_remote(scene, count) as (site, remote, offering, made):
        remote.objects[ITEMS].append(remote_item(999, made[0], offering, name="Old", **FEBRUARY))
        assert pull(site).failures == []
        assert dict(pull(site).rows) == {}
        remote.objects[ITEMS][0] |= {"quantity": "11", "name": "renamed"}
        remote.objects[ITEMS].pop()
        pull(site)
        assert sum(remote.calls.values()) == 3 * 2
    assert len(names(scene)) == count
    assert "renamed" not in names(scene)
    totals = {(row.year, row.month): row.total_price for row in scene.rows(invoices.invoice)}
    assert totals == {(2025, 2): 0, (2025, 3): 20 * count + 2}
    assert {row.total for row in scene.rows(billing.priceestimate)} == {20 * count + 2}


def test_items_made_here_go_and_those_of_credits_stay(scene: Scene) -> None:
    with one_remote(scene) as (site, _, __, (resource,)):
        march = scene.invoice(site.customer, 2025, 3)
        credit = scene.add(invoices.customercredit, customer_id=site.customer, value=5)
        scene.item(march, 1, name="made here", resource_id=resource)
        scene.item(march, -1, name="compensation", resource_id=resource, credit_id=credit)
        scene.item(march, 1, name="of another")
        pull(site)
    assert names(scene) == [f"Item {resource}", "compensation", "of another"]


@pytest.mark.parametrize("state", ["paid", "canceled"])
def test_settled_invoices_are_left_alone_and_told_where_they_differ(scene: Scene, state: str) -> None:
    with one_remote(scene) as (site, remote, *_):
        scene.invoice(site.customer, 2025, 3, state)
        outcome = pull(site)
        assert names(scene) == []
        assert "2025-03 differ from an invoice that is settled" in outcome.warnings[0].problem
        remote.objects[ITEMS] = []
        assert pull(site).warnings == []


def test_an_invoice_is_made_only_for_items_and_bills_the_others_too(scene: Scene) -> None:
    with one_remote(scene, 2) as (site, remote, offering, made):
        basic_resource(site)
        remote.objects[ITEMS] = []
        pull(site)
        assert scene.rows(invoices.invoice) == []
        remote.objects[ITEMS] = [remote_item(1, made[0], offering, **FEBRUARY)]
        pull(site)
    (february,) = scene.rows(invoices.invoice)
    assert (february.month, february.created.isoformat()) == (2, "2025-03-01")
    assert len(names(scene)) == 2


@pytest.mark.generation("8")
def test_items_that_a_new_invoice_has_for_others_have_events_on_newer_sites(scene: Scene) -> None:
    with one_remote(scene) as (site, *_):
        basic_resource(site)
        site.change(marketplace.offering, scene.rows(marketplace.offering)[-1].id, billable=True)
        pull(site)
    assert len(names(scene)) == 2
    assert [row.event_type for row in scene.rows(logging.event)] == ["invoice_item_created"]


def test_a_month_that_cannot_be_read_changes_nothing_and_the_other_is_done(scene: Scene) -> None:
    for count in (1, 25):
        with one_remote(scene, count) as (site, remote, _, made):
            february = scene.invoice(site.customer, 2025, 2)
            uuid = UUID(uuid_of(ITEM, 777))
            kept = scene.item(february, 1, name="kept", resource_id=made[0], backend_uuid=uuid)
            remote.fault = lambda _, __, query: (403, {}) if query.get("month") == "2" else None
            outcome = pull(site)
        assert "HTTP 403" in outcome.failures[0].problem
        assert scene.one(invoices.invoiceitem, id=kept).name == "kept"
        mine = [row for row in scene.rows(invoices.invoiceitem) if row.resource_id in made]
        assert len(mine) == count + 1


@pytest.mark.parametrize("count", [1, 25])
def test_a_remote_that_answers_with_almost_nothing_deletes_nothing(scene: Scene, count: int) -> None:
    with one_remote(scene, count) as (site, remote, offering, made):
        extra = [remote_item(1000 + n, made[0], offering) for n in range(11)]
        remote.objects[ITEMS] += extra
        pull(site)
        whole, remote.objects[ITEMS] = remote.objects[ITEMS], remote.objects[ITEMS][:1]
        outcome = pull(site)
        assert len(names(scene)) == len(whole)
        assert f"{len(whole) - 1} of {len(whole)} invoice items are gone" in outcome.failures[0].problem
        pull(site, remote_waldurs={"may_lose": 1})
    assert len(names(scene)) == 1


def test_ended_resources_are_not_asked_for(scene: Scene) -> None:
    with one_remote(scene) as (site, remote, _, (resource,)):
        site.change(marketplace.resource, resource, state=6)
        pull(site)
        assert sum(remote.calls.values()) == 0


def test_a_past_month_is_pulled_by_itself(scene: Scene) -> None:
    with one_remote(scene) as (site, remote, offering, (resource,)):
        remote.objects[ITEMS].append(remote_item(5, resource, offering, **FEBRUARY))
        pull(site, month=(2025, 2))
        assert sum(remote.calls.values()) == 1
    assert [(row.month, row.total_price) for row in scene.rows(invoices.invoice)] == [(2, 20)]


def test_months_are_those_of_the_site_whatever_zone_the_remote_is_in(scene: Scene) -> None:
    """Half past nine in UTC is the next day in Auckland; the remote's own clock is not asked."""
    from datetime import UTC, datetime

    with one_remote(scene) as (site, remote, offering, (resource,)):
        remote.objects[ITEMS] = [
            remote_item(5, resource, offering, year=2025, month=4, start="2025-04-01T00:00:00+13:00")
        ]
        pull(site, now=datetime(2025, 3, 31, 21, 30, tzinfo=UTC), time_zone="Pacific/Auckland")
    (april,) = scene.rows(invoices.invoice)
    assert (april.year, april.month) == (2025, 4)
    assert scene.one(invoices.invoiceitem).start == datetime(2025, 3, 31, 11, tzinfo=UTC)


def test_statements_do_not_grow_with_resources(scene: Scene, twin_scene: Scene) -> None:
    counts = []
    for one, size in ((scene, 25), (twin_scene, 120)):
        with one_remote(one, size) as (site, *_), counted(Engine) as statements:
            pull(site)
        counts.append(len(statements))
    assert counts[0] == counts[1]


FAULTS = {
    "a refused token": failing(ITEMS, 401),
    "forbidden": failing(ITEMS, 403),
    "too busy": failing(ITEMS, 429),
    "an error on page 2": failing(ITEMS, 500, page=2),
    "junk": failing(ITEMS, 200, b"<html>"),
    "a truncated list": lambda *_: (200, [], {"X-Result-Count": "7"}),
    "another form": failing(ITEMS, 200, [{"uuid": "a", "resource_uuid": uuid_of(2, 1)}]),
    "no answer in time": late_answer,
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_of_three_remotes_one_is_down_one_is_broken_and_one_is_pulled(scene: Scene, fault: Any) -> None:
    with one_remote(scene, 25) as (site, broken, _, of_broken), serving_remote() as sound:
        broken.page_size = 10
        pull(site)
        broken.objects[ITEMS] = broken.objects[ITEMS][:12]
        down = RemoteWaldur(url=f"http://127.0.0.1:{free_port()}")
        site.resources(site.offering(down, "Down"))
        offering = site.offering(sound, "Sound")
        (good,) = site.resources(offering)
        sound.objects[ITEMS] = [remote_item(5000, good, offering)]
        broken.fault = fault
        outcome = pull(site)
    found = names(scene)
    if "another form" not in str(fault):
        assert len([name for name in found if name != "Item 5000"]) >= 24
    assert "Item 5000" in found
    assert len(outcome.failures) >= 2
    assert TOKEN not in str(outcome)
    assert len(of_broken) == 25
    assert scene.rows(structure.customer)
