"""waldur-remote-pull-usage on newer versions of Waldur: usage is billed, and kept by account too."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.remote.remote_waldur import RemoteWaldur, serving_remote, uuid_of
from tests.remote.scenes import MADE, OFFERING, RESOURCE, ResellerSite, usage
from tests.remote.test_usage import USAGES, one_remote, pull
from tests.scene import Scene
from waldur_dagster.schema import billing, invoices, logging, marketplace

pytestmark = pytest.mark.generation("8")
BY_USER = "marketplace-component-user-usages"


def test_usage_of_the_running_month_is_billed(scene: Scene) -> None:
    with one_remote(scene) as (site, remote, offering, (resource,)):
        remote.objects[USAGES] = [usage(1, resource, offering, "12.50")]
        pull(site)
        item = scene.one(invoices.invoiceitem)
        assert (item.resource_id, item.quantity, item.unit_price) == (resource, Decimal("12.5"), 2)
        remote.objects[USAGES][0]["usage"] = "20"
        pull(site)
        pull(site)
    item = scene.one(invoices.invoiceitem)
    invoice = scene.one(invoices.invoice)
    assert (item.quantity, invoice.total_price, invoice.month) == (20, 40, 3)
    assert {row.total for row in scene.rows(billing.priceestimate)} == {40.0}
    told = [row.event_type for row in scene.rows(logging.event)]
    assert told == ["invoice_item_created", "invoice_item_updated"]


def test_usage_of_a_month_that_waits_is_billed_and_of_a_closed_one_told(scene: Scene) -> None:
    with one_remote(scene) as (site, remote, offering, (resource,)):
        remote.objects[USAGES] = [
            usage(1, resource, offering, "3", date="2025-02-10T00:00:00Z", billing_period="2025-02-01"),
            usage(2, resource, offering, "4", date="2025-01-20T00:00:00Z", billing_period="2025-01-01"),
        ]
        waiting = scene.invoice(site.customer, 2025, 2, "pending_finalization")
        closed = scene.invoice(site.customer, 2025, 1, "created")
        outcome = pull(site)
    assert [(row.invoice_id, row.quantity) for row in scene.rows(invoices.invoiceitem)] == [(waiting, 3)]
    assert scene.one(invoices.invoice, id=waiting).total_price == 6
    assert scene.one(invoices.invoice, id=closed).total_price == 0
    assert scene.rows(billing.priceestimate) == []  # they are about the running month
    assert [finding.problem for finding in outcome.warnings] == [
        "its usage is not billed: the month's invoice is closed"
    ]


def test_usage_of_a_past_month_without_an_invoice_makes_none(scene: Scene) -> None:
    with one_remote(scene) as (site, remote, offering, (resource,)):
        remote.objects[USAGES] = [
            usage(1, resource, offering, date="2025-02-10T00:00:00Z", billing_period="2025-02-01")
        ]
        outcome = pull(site)
    assert scene.rows(invoices.invoice) == []
    assert "2025-02 has no invoice" in str(outcome.warnings)


def test_usage_of_a_month_to_come_waits_for_it(scene: Scene) -> None:
    """The remote's clocks may be ahead of ours: what were written now would not be billed when its month has come."""
    with one_remote(scene) as (site, remote, offering, (resource,)):
        remote.objects[USAGES] = [usage(1, resource, offering, billing_period="2025-04-01")]
        outcome = pull(site)
    assert scene.rows(marketplace.componentusage) == []
    assert outcome.figures["usages of months to come"] == 1


def test_a_resource_without_a_plan_period_gets_one(scene: Scene) -> None:
    site = ResellerSite(scene)
    with serving_remote() as remote:
        offering = site.offering(remote)
        (running,) = site.resources(offering, period=False)
        (ended,) = site.resources(offering, period=False, state=6)
        remote.objects[USAGES] = [usage(resource, resource, offering) for resource in (running, ended)]
        pull(site)
    made = scene.one(marketplace.resourceplanperiod)
    assert (made.resource_id, made.start, made.end) == (running, MADE, None)
    periods = {row.resource_id: row.plan_period_id for row in scene.rows(marketplace.componentusage)}
    assert periods == {running: made.id, ended: None}


def test_usage_between_the_times_of_a_plan_is_billed_and_no_two_of_these_overlap(scene: Scene) -> None:
    with one_remote(scene) as (site, remote, offering, (resource,)):
        plan = scene.one(marketplace.plan).id
        (first,) = (row.id for row in scene.rows(marketplace.resourceplanperiod))
        ends, begins = datetime(2025, 1, 20, tzinfo=UTC), datetime(2025, 3, 8, tzinfo=UTC)
        site.change(marketplace.resourceplanperiod, first, end=ends)
        later = scene.add(marketplace.resourceplanperiod, resource_id=resource, plan_id=plan, start=begins)
        remote.objects[USAGES] = [usage(1, resource, offering, "3"), usage(2, resource, offering, "4", type="gpu")]
        scene.price(plan, scene.component(offering, "gpu", "usage"), 1)
        assert pull(site).failures == []
        assert dict(pull(site).rows) == {}
        (gap,) = [row for row in scene.rows(marketplace.resourceplanperiod) if row.id not in (first, later)]
        assert (gap.start, gap.end, gap.plan_id) == (ends, begins, plan)
        assert {row.plan_period_id for row in scene.rows(marketplace.componentusage)} == {gap.id}
        assert scene.one(invoices.invoice).total_price == 3 * 2 + 4
        for report in remote.objects[USAGES]:
            report["date"] = "2025-03-09T00:00:00Z"
        pull(site)
    assert {row.plan_period_id for row in scene.rows(marketplace.componentusage)} == {later}
    assert len(scene.rows(invoices.invoiceitem)) == 2 and scene.one(invoices.invoice).total_price == 3 * 2 + 4


def test_usage_after_the_last_time_of_a_plan_begins_another_one(scene: Scene) -> None:
    with one_remote(scene) as (site, *_):
        (first,) = scene.rows(marketplace.resourceplanperiod)
        site.change(marketplace.resourceplanperiod, first.id, end=MADE + timedelta(days=1))
        pull(site)
    (_, made) = scene.rows(marketplace.resourceplanperiod)
    assert (made.start, made.end) == (MADE + timedelta(days=1), None)
    assert scene.one(invoices.invoiceitem).quantity == 1


def test_usage_outside_any_time_of_a_plan_is_counted_when_nobody_is_billed(scene: Scene) -> None:
    with one_remote(scene) as (site, *_, (resource,)):
        (only,) = scene.rows(marketplace.resourceplanperiod)
        site.change(marketplace.resourceplanperiod, only.id, end=MADE + timedelta(days=1))
        site.change(marketplace.resource, resource, state=6)
        outcome = pull(site)
    assert scene.one(marketplace.componentusage).plan_period_id is None
    assert outcome.figures["usages outside the time of any plan, which nobody is billed for"] == 1


def of_user(number: int, resource: int, offering: int, name: str, amount: Any) -> dict[str, Any]:
    facts = {"username": name, "usage": amount, "component_type": "cpu", "billing_period": "2025-03-01"}
    return facts | {
        "uuid": uuid_of(7, number),
        "resource_uuid": uuid_of(RESOURCE, resource),
        "offering_uuid": uuid_of(OFFERING, offering),
    }


@pytest.mark.parametrize("resources", [1, 25])
def test_usage_by_account_is_kept_too(scene: Scene, resources: int) -> None:
    with one_remote(scene, resources) as (site, remote, offering, made):
        user = scene.user("a@example.org", username="alice")
        account = scene.add(marketplace.offeringuser, offering_id=offering, user_id=user, username="alice_hpc")
        remote.objects[BY_USER] = [
            of_user(1, made[0], offering, "alice_hpc", "2.5"),
            of_user(2, made[0], offering, "alice_hpc", None),
            of_user(3, made[0], offering, "stranger", 1),
            of_user(4, made[0], offering, "", 1),
        ]
        pull(site)
        remote.objects[BY_USER][2]["usage"] = "4.00"
        pull(site)
        assert dict(pull(site).rows) == {}
    found = [(row.username, row.usage, row.user_id) for row in scene.rows(marketplace.componentuserusage)]
    assert found == [("alice_hpc", Decimal("2.50"), account), ("stranger", 4, None)]
    (kept,) = {row.component_usage_id for row in scene.rows(marketplace.componentuserusage)}
    assert scene.one(marketplace.componentusage, id=kept).resource_id == made[0]


def test_a_policy_of_newer_remotes_says_whether_usage_repeats_itself(scene: Scene) -> None:
    with one_remote(scene) as (site, remote, *_):
        remote.objects[USAGES][0] |= {"missing_usage_policy": "reuse"}
        pull(site)
    assert scene.one(marketplace.componentusage).missing_usage_policy == "reuse"


def test_a_token_that_is_stored_encrypted_is_sent_open(scene: Scene) -> None:
    from cryptography.fernet import Fernet

    key = Fernet.generate_key()
    with one_remote(scene) as (site, remote, offering, _):
        closed = Fernet(key).encrypt(remote.token.encode()).decode()
        secrets = {"api_url": remote.api_url, "token": closed}
        site.change(marketplace.offering, offering, secret_options=secrets)
        outcome = pull(site, encryption={"keys": [key.decode()]})
    assert outcome.failures == []
    assert [row.billing_period for row in scene.rows(marketplace.componentusage)] == [date(2025, 3, 1)]
    assert isinstance(remote, RemoteWaldur)
