"""The monthly billing: what it bills, what a killed, doubled or dry run does."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from threading import Barrier, Thread

import pytest
from sqlalchemy import select, text

from tests.processes import started, wait_until_killed
from tests.scene import STEPS, Scene, bill
from waldur_dagster.billing import monthly as billing
from waldur_dagster.outbox.tables import message
from waldur_dagster.schema import billing as estimates
from waldur_dagster.schema import core, invoices, logging, marketplace, paypal, policy
from waldur_dagster.site import AlreadyRunning

APRIL = "2025-04-01T00:00:00+00:00"
REPORTS = {"WALDUR_INVOICES": {"INVOICE_REPORTING": {"ENABLE": True}}}
POLICY_MAIL = "marketplace_policy.notification_about_project_cost_exceeded_limit"
# All that a billing run can be asked for.
EVERYTHING = {
    "WALDUR_INVOICES": {"INVOICE_REPORTING": {"ENABLE": True}, "SEND_CUSTOMER_INVOICES": True},
    "WALDUR_PAYPAL": {"ENABLED": True},
}
CHILD = """
import json, os, signal, sys
from datetime import datetime
from tests.scene import STEPS
from waldur_dagster.deployment import parse_deployment
from waldur_dagster.billing import monthly as billing
from waldur_dagster.platform.month import Month
from waldur_dagster.site import Site
url, now, done, inside = sys.argv[1], datetime.fromisoformat(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "inside"
site = Site(parse_deployment({"database": {"url": url}, "waldur": json.loads(sys.argv[5])}))
for number, step in enumerate(STEPS):
    if number == done and not inside:
        os.kill(os.getpid(), signal.SIGKILL)
    with site.work(billing.ENTRY, now) as work:
        step(work, Month.of(now, site.deployment.zone))
        if number == done:
            os.kill(os.getpid(), signal.SIGKILL)
os.kill(os.getpid(), signal.SIGKILL)
"""


def _site(scene: Scene) -> tuple[int, int]:
    """A customer with a fixed price, a credit and an invoice of March to close; returns customer and resource."""
    customer = scene.customer(default_tax_percent=20)
    project, offering = scene.project(customer), scene.offering(scene.customer("Provider"))
    plan = scene.plan(offering)
    scene.price(plan, scene.component(offering), "10", amount=3, future_price=Decimal(12))
    resource = scene.resource(project, offering, plan)
    march = scene.invoice(customer, 2025, 3)
    scene.item(march, 40, resource_id=resource, project_id=project)
    scene.add(invoices.customercredit, customer_id=customer, value=30, minimal_consumption_logic="fixed")
    return customer, resource


def _state(scene: Scene) -> dict[str, list[str]]:
    """All that a billing run leaves, without what is random."""
    columns = {
        invoices.invoice: ("customer_id", "year", "month", "state", "total_cost", "total_price", "invoice_date"),
        invoices.invoiceitem: ("name", "unit_price", "quantity", "start", "end", "project_id", "credit_id"),
        invoices.customercredit: ("value",),
        marketplace.plancomponent: ("price",),
        estimates.priceestimate: ("content_type_id", "object_id", "total"),
        logging.event: ("event_type", "message"),
        logging.feed: ("content_type_id", "object_id"),
        marketplace.componentusage: ("usage", "billing_period", "recurring"),
        paypal.invoice: ("customer_id", "year", "month", "invoice_date"),
        paypal.invoiceitem: ("name", "price", "quantity"),
        policy.customerestimatedcostpolicy: ("has_fired",),
    }
    with scene.engine.connect() as connection:
        state = {
            table.name: sorted(str(row) for row in connection.execute(select(*(table.c[name] for name in names))))
            for table, names in columns.items()
        }
    # Keys name rows by numbers that a killed run has used up.
    facts = [(row.kind, row.state, row.payload) for row in scene.rows(message)]
    shown = [(kind, state, *(payload.get(name) for name in ("to", "subject"))) for kind, state, payload in facts]
    return state | {"messages": sorted(map(str, shown))}


def _busy_site(scene: Scene) -> None:
    """Something to do for every part of the billing."""
    customer, resource = _site(scene)
    owner = scene.owner(customer, "owner@x.org")
    for key in ("invoices.notification", POLICY_MAIL):
        scene.add(core.notification, key=key, enabled=True)
    hook = {"event_types": ["invoice_created", "reduction_of_credit"], "event_groups": [], "is_active": True}
    scene.add(logging.webhook, user_id=owner, destination_url="http://x.org", content_type=1, **hook)
    scene.add(
        policy.customerestimatedcostpolicy,
        scope_id=customer,
        limit_cost=5,
        period=2,
        actions="notify_organization_owners",
        has_fired=False,
    )
    plan = scene.one(marketplace.resource, id=resource).plan_id
    component = scene.component(scene.one(marketplace.offering).id, "ram", "usage")
    scene.price(plan, component, 2)
    period = scene.add(marketplace.resourceplanperiod, resource_id=resource, plan_id=plan)
    usage = {"resource_id": resource, "component_id": component, "plan_period_id": period, "usage": 7}
    scene.add(marketplace.componentusage, **usage, recurring=True, billing_period=date(2025, 3, 1))


def test_a_fixed_price_is_billed_with_tax_after_the_announced_price_took_effect(scene: Scene) -> None:
    customer, resource = _site(scene)
    with scene.site() as site:
        bill(site, APRIL)
    april = scene.one(invoices.invoice, customer_id=customer, month=4)
    item = scene.one(invoices.invoiceitem, invoice_id=april.id)
    assert (item.unit_price, item.quantity, item.resource_id) == (36, 1, resource)
    assert (april.total_price, april.total_cost) == (36, Decimal("43.2"))


def test_credit_pays_the_invoice_that_is_closed(scene: Scene) -> None:
    customer, _ = _site(scene)
    with scene.site() as site:
        bill(site, APRIL)
    assert scene.one(invoices.customercredit).value == 0
    march = scene.one(invoices.invoice, customer_id=customer, month=3)
    assert (march.state, march.total_price) == ("created", 10)


@pytest.mark.parametrize(
    ("unit", "quantity"), [("month", 1), ("half_month", 2), ("day", 30), ("hour", 720), ("quantity", 1)]
)
def test_a_whole_month_is_counted_in_the_unit_of_the_plan(scene: Scene, unit: str, quantity: int) -> None:
    offering = scene.offering(provider := scene.customer())
    plan = scene.plan(offering, unit=unit)
    scene.price(plan, scene.component(offering), 1)
    scene.resource(scene.project(provider), offering, plan)
    with scene.site() as site:
        bill(site, APRIL)
    assert scene.one(invoices.invoiceitem).quantity == quantity


def test_a_second_run_changes_nothing(scene: Scene) -> None:
    _site(scene)
    with scene.site(waldur=REPORTS) as site:
        bill(site, APRIL)
    before = _state(scene)
    with scene.site(waldur=REPORTS) as site:
        bill(site, APRIL)
    assert _state(scene) == before


def test_an_older_month_switches_no_prices_and_writes_no_mails(scene: Scene) -> None:
    customer, _ = _site(scene)
    scene.invoice(customer, 2025, 5)
    with scene.site(waldur=REPORTS) as site:
        bill(site, "2025-05-03T00:00:00+00:00", month="2025-04")
    assert scene.one(marketplace.plancomponent).price == 10
    assert scene.rows(message) == []
    assert scene.rows(estimates.priceestimate) == []


def test_an_invoice_of_the_future_keeps_no_price_mail_or_estimate_of_this_month_back(scene: Scene) -> None:
    customer, _ = _site(scene)
    scene.invoice(customer, 2030, 1)
    with scene.site(waldur=REPORTS) as site:
        bill(site, APRIL)
    assert scene.one(marketplace.plancomponent).price == 12
    assert len(scene.rows(message)) == 1
    assert scene.rows(estimates.priceestimate) != []


def test_an_unknown_column_of_a_newer_schema_gets_a_neutral_value(scene: Scene) -> None:
    _site(scene)
    with scene.engine.begin() as connection:
        connection.execute(text("ALTER TABLE invoices_invoiceitem ADD COLUMN novelty text NOT NULL DEFAULT ''"))
        connection.execute(text("ALTER TABLE invoices_invoiceitem ALTER COLUMN novelty DROP DEFAULT"))
    with scene.site() as site:
        bill(site, APRIL)
    assert len(scene.rows(invoices.invoiceitem)) == 3


def test_a_dry_run_changes_nothing_and_has_the_figures_of_the_real_one(scene: Scene) -> None:
    _site(scene)
    before = _state(scene)
    with scene.site(dry_run=True, waldur=REPORTS) as site:
        planned = bill(site, APRIL)
    assert _state(scene) == before
    with scene.site(waldur=REPORTS) as site:
        done = bill(site, APRIL)
    assert (planned.rows, planned.figures) == (done.rows, done.figures)
    assert done.figures["mails"] == 1


@pytest.mark.parametrize(
    ("where", "step"),
    [*(("before", step) for step in range(1, len(STEPS) + 1)), *(("inside", step) for step in range(len(STEPS)))],
)
def test_a_run_that_was_killed_leaves_after_the_next_one_what_an_undisturbed_run_leaves(
    scene: Scene, twin_scene: Scene, step: int, where: str
) -> None:
    for site_of_two in (scene, twin_scene):
        _busy_site(site_of_two)
    url = scene.engine.url.render_as_string(hide_password=False)
    child = started(CHILD, url, APRIL, str(step), where, json.dumps(EVERYTHING))
    wait_until_killed(child, scene.engine)
    for site_of_two in (scene, twin_scene):
        with site_of_two.site(waldur=EVERYTHING) as site:
            bill(site, APRIL)
    undisturbed = _state(twin_scene)
    assert _state(scene) == undisturbed
    assert all(undisturbed.values())
    # The report, the invoice, the policy's word; and what the hook is told.
    assert [row.kind for row in scene.rows(message)].count("mail") == 3


def test_of_two_runs_at_the_same_moment_one_bills_and_the_other_says_so(scene: Scene) -> None:
    _site(scene)
    start, end = Barrier(2, timeout=20), Barrier(2, timeout=20)
    refused, billed = [], []

    def run() -> None:
        with scene.site() as site:
            start.wait()
            try:
                bill(site, APRIL)
                billed.append(1)
            except AlreadyRunning as problem:
                refused.append(str(problem))
            end.wait()

    threads = [Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(billed), len(refused)) == (1, 1)
    assert billing.ENTRY in refused[0]
    assert len(scene.rows(invoices.invoiceitem)) == 3
