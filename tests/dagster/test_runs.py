"""Runs as an operator sees them: options, the asset graph, checks, reports, and delivery of what is left over."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
from dagster._core.definitions.partitions.context import partition_loading_context
from sqlalchemy import Engine, text, update

from assets.checks import CHECKS as ALL_CHECKS
from tests.dagster.runs import APRIL, APRIL_START, QUIET, billable, execute, figures, troubles
from tests.scene import Scene, bill
from waldur_dagster.billing.monthly import ENTRY as BILLING
from waldur_dagster.definitions import build_definitions
from waldur_dagster.deployment import Deployment
from waldur_dagster.outbox.tables import message
from waldur_dagster.schema import core, invoices

REMINDERS = "send-notifications-about-upcoming-ends"

CHECKS = len([check for check in ALL_CHECKS if check.asset == "invoices"])


def _contract(scene: Scene, end: date, email: str = "owner@x.org") -> None:
    """A fixed price contract whose owner is reminded of its end."""
    customer = scene.customer("Institute")
    scene.owner(customer, email)
    scene.add(core.notification, key="invoices.upcoming_ends_notification", enabled=True)
    scene.add(
        invoices.paymentprofile,
        organization_id=customer,
        payment_type="fixed_price",
        is_active=True,
        attributes={"end_date": end.isoformat(), "contract_number": "7"},
    )


def _with_mail_folder(scene: Scene, folder: Path) -> Deployment:
    return scene.deployment(mail={"directory": str(folder)}, reports=str(folder / "reports"))


def _letters(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.eml"))


# Options


@pytest.mark.parametrize(
    ("as_of", "complaint"),
    [("2025-04-01T00:00:00", "has no offset"), ("2025-04-01", "has no offset"), ("yesterday", "is no instant")],
)
def test_an_as_of_that_is_no_instant_is_refused_with_what_to_write(
    scene: Scene, instance: dg.DagsterInstance, as_of: str, complaint: str
) -> None:
    result = execute(scene.deployment(), REMINDERS, instance, as_of=as_of)
    assert not result.success
    assert f"as_of {as_of} {complaint}; write e.g. 2025-04-01T00:00:00+03:00" in troubles(result)


def test_an_instant_to_come_is_for_dry_runs_only_and_one_that_no_site_has_for_nobody(
    scene: Scene, instance: dg.DagsterInstance
) -> None:
    deployment, tomorrow = scene.deployment(), (datetime.now(UTC) + timedelta(days=1)).isoformat()
    refused = execute(deployment, REMINDERS, instance, as_of=tomorrow)
    assert not refused.success and "is later than now" in troubles(refused)
    assert execute(deployment, REMINDERS, instance, as_of=tomorrow, dry_run=True).success
    for year in ("0202", "1970", "2205"):
        for dry_run in (False, True):
            refused = execute(deployment, REMINDERS, instance, as_of=f"{year}-04-01T00:00:00+00:00", dry_run=dry_run)
            assert not refused.success and "a year that no site has" in troubles(refused)


def test_a_run_by_hand_makes_the_check_of_ticks_with_the_same_words(scene: Scene, instance: dg.DagsterInstance) -> None:
    with scene.engine.begin() as connection:
        connection.execute(text("DROP TABLE promotions_campaign CASCADE"))
    result = execute(scene.deployment(), BILLING, instance, partition=APRIL)
    assert not result.success and "The site lacks promotions_campaign." in troubles(result)
    assert scene.rows(invoices.invoice) == []


def test_a_job_works_for_the_instant_that_it_is_given(
    scene: Scene, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    _contract(scene, date(2025, 5, 1))
    deployment = _with_mail_folder(scene, tmp_path)
    assert execute(deployment, REMINDERS, instance, as_of="2025-04-02T09:00:00+00:00").success
    assert _letters(tmp_path) == []
    result = execute(deployment, REMINDERS, instance, as_of="2025-04-01T09:00:00+00:00")
    assert result.success and len(_letters(tmp_path)) == 1
    assert figures(result)["mail sent"] == 1


def test_a_dry_run_tells_everything_and_changes_nothing(
    scene: Scene, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    customer = billable(scene)
    march = scene.invoice(customer, 2025, 3)
    _contract(scene, date(2025, 5, 1))
    deployment = _with_mail_folder(scene, tmp_path)
    billing = execute(deployment, BILLING, instance, partition=APRIL, dry_run=True)
    reminders = execute(deployment, REMINDERS, instance, as_of=APRIL_START, dry_run=True)
    assert billing.success and reminders.success
    assert figures(billing)["dry run"] is True
    assert figures(billing)["invoices_invoice inserted"] == 2
    assert figures(reminders)["mails"] == 1
    assert [(row.id, row.state) for row in scene.rows(invoices.invoice)] == [(march, "pending")]
    assert scene.rows(invoices.invoiceitem) == scene.rows(message) == _letters(tmp_path) == []


def test_without_delivery_mails_wait_for_the_outbox_sensor_whose_job_sends_them(
    scene: Scene, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    _contract(scene, date(2025, 5, 1))
    deployment = _with_mail_folder(scene, tmp_path)
    repository = build_definitions(deployment).get_repository_def()
    sensor = repository.get_sensor_def("outbox")

    def tick() -> list[dg.RunRequest]:
        with dg.build_sensor_context(instance, repository_def=repository) as context:
            return list(sensor.evaluate_tick(context).run_requests or [])

    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    assert tick() == []
    assert execute(deployment, REMINDERS, instance, as_of=APRIL_START, deliver=False).success
    assert [row.state for row in scene.rows(message)] == ["waiting"] and _letters(tmp_path) == []
    assert len(tick()) == 1
    result = execute(deployment, "deliver_waiting_messages", instance)
    assert result.success and figures(result) == {"mail sent": 1, "not delivered": 0}
    assert len(_letters(tmp_path)) == 1 and tick() == []


def test_the_outbox_sensor_says_why_it_does_nothing(database: Engine, instance: dg.DagsterInstance) -> None:
    repository = build_definitions(Scene(database).deployment()).get_repository_def()
    with dg.build_sensor_context(instance, repository_def=repository) as context:
        skipped = repository.get_sensor_def("outbox").evaluate_tick(context).skip_message
    assert skipped == "The site has no outbox yet: run `waldur-dagster migrate`."


# The asset graph


def test_the_lineage_begins_at_the_sites_own_tables(scene: Scene) -> None:
    graph = build_definitions(scene.deployment()).resolve_asset_graph()
    upstream = graph.get(dg.AssetKey("invoices")).parent_keys
    assert dg.AssetKey(["waldur", "marketplace_componentusage"]) in upstream
    assert upstream and all(graph.get(key).is_external and not graph.get(key).is_materializable for key in upstream)
    for asset in ("invoice_totals", "monthly_invoicing_report", "cost_report"):
        assert dg.AssetKey("invoices") in graph.get(dg.AssetKey(asset)).parent_keys


def test_partitions_are_months_of_the_site_up_to_the_present_one(scene: Scene) -> None:
    graph = build_definitions(scene.deployment(time_zone="Europe/Tallinn")).resolve_asset_graph()
    months = graph.get(dg.AssetKey("invoices")).partitions_def
    assert months is not None
    just_after_midnight_there = datetime.fromisoformat("2025-03-31T21:00:01+00:00")
    with partition_loading_context(just_after_midnight_there):
        assert months.get_last_partition_key() == APRIL


def test_the_steps_of_billing_are_seen_one_by_one_with_their_figures(
    scene: Scene, instance: dg.DagsterInstance
) -> None:
    billable(scene)
    result = execute(scene.deployment(), BILLING, instance, partition=APRIL)
    steps = [str(event.step_key).removeprefix("invoices.") for event in result.get_step_success_events()]
    assert steps[:5] == [
        "switch_announced_prices",
        "close_past_invoices",
        "make_new_invoices",
        "try_held_again",
        "write_and_deliver_mails",
    ]
    assert figures(result)["invoices_invoiceitem inserted"] == 1
    (materialized,) = result.get_asset_materialization_events()
    assert (materialized.asset_key, materialized.partition) == (dg.AssetKey("invoices"), APRIL)


# Checks


def _failed_checks(scene: Scene, instance: dg.DagsterInstance) -> dict[str, dg.AssetCheckEvaluation]:
    """The checks of the invoices of April that do not pass."""
    job = dg.define_asset_job("checks", selection=dg.AssetSelection.checks_for_assets(dg.AssetKey("invoices")))
    definitions = dg.Definitions.merge(build_definitions(scene.deployment()), dg.Definitions(jobs=[job]))
    result = definitions.resolve_job_def("checks").execute_in_process(
        instance=instance, run_config=QUIET | {"resources": {"site": {"config": {"as_of": APRIL_START}}}}
    )
    evaluations = result.get_asset_check_evaluations()
    assert len(evaluations) == CHECKS
    return {one.check_name: one for one in evaluations if not one.passed}


def test_every_check_passes_on_billed_invoices(scene: Scene, instance: dg.DagsterInstance) -> None:
    billable(scene)
    result = execute(scene.deployment(), BILLING, instance, partition=APRIL)
    assert [check.passed for check in result.get_asset_check_evaluations()] == [True] * CHECKS
    assert _failed_checks(scene, instance) == {}


def _billed(scene: Scene) -> int:
    """A customer that is billed for April; returns its invoice."""
    customer = billable(scene)
    with scene.site() as site:
        bill(site, APRIL_START)
    return scene.one(invoices.invoice, customer_id=customer).id


def test_a_stored_total_that_is_not_the_sum_of_its_items_is_an_error(
    scene: Scene, instance: dg.DagsterInstance
) -> None:
    invoice = _billed(scene)
    with scene.engine.begin() as connection:
        connection.execute(update(invoices.invoice).where(invoices.invoice.c.id == invoice).values(total_cost=11))
    (failed,) = _failed_checks(scene, instance).values()
    assert (failed.check_name, failed.severity) == ("totals_are_the_sum_of_items", dg.AssetCheckSeverity.ERROR)
    assert failed.metadata["violations"].value == 1
    assert f"id {invoice}, " in str(failed.metadata["1"].value)
    assert failed.metadata["month"].value == "2025-04" and failed.description == "1 violation in 2025-04"


def test_a_billable_customer_without_an_invoice_is_told(scene: Scene, instance: dg.DagsterInstance) -> None:
    _billed(scene)
    billable(scene, name="Forgotten")
    (failed,) = _failed_checks(scene, instance).values()
    assert failed.check_name == "one_invoice_for_each_customer"
    assert "Forgotten" in str(failed.metadata["1"].value)


def test_an_open_invoice_of_the_past_is_told(scene: Scene, instance: dg.DagsterInstance) -> None:
    _billed(scene)
    scene.invoice(scene.customer("Late", archived=True), 2024, 12)
    assert set(_failed_checks(scene, instance)) == {"past_invoices_are_closed"}


@pytest.mark.parametrize("values", [{"start": "2025-03-31T23:59:59+00:00"}, {"end": "2025-05-01T00:00:00+00:00"}])
def test_an_item_that_reaches_out_of_the_month_is_told(
    scene: Scene, instance: dg.DagsterInstance, values: dict[str, str]
) -> None:
    _billed(scene)
    with scene.engine.begin() as connection:
        moments = {name: datetime.fromisoformat(value) for name, value in values.items()}
        connection.execute(update(invoices.invoiceitem).values(moments))
    assert set(_failed_checks(scene, instance)) == {"items_lie_in_their_time"}


# The report


def test_the_cost_report_is_kept_as_parquet_with_a_plot(
    scene: Scene, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    invoice = _billed(scene)
    scene.item(invoice, "2.5", quantity=2, project_name="Project")
    result = execute(_with_mail_folder(scene, tmp_path), "", instance, assets=["cost_report"], partition=APRIL)
    assert result.success
    reports = tmp_path / "reports"
    frame = pd.read_parquet(reports / "cost_report" / f"{APRIL}.parquet")
    assert frame.to_dict("records") == [
        {"customer": "Org", "project": "Project", "offering": "Machines", "items": 1, "price": 10.0},
        {"customer": "Org", "project": "Project", "offering": "other", "items": 1, "price": 5.0},
    ]
    assert (reports / "plots" / "cost_report-2025-04-01.png").read_bytes().startswith(b"\x89PNG")
    told = figures(result)
    assert (told["customers"], told["items"], told["price"]) == (1, 2, 15.0)
    assert told["plot"].startswith("![cost_report](data:image/png;base64,")


def test_the_report_of_a_month_without_invoices_is_empty(
    scene: Scene, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    deployment = _with_mail_folder(scene, tmp_path)
    assert execute(deployment, "", instance, assets=["cost_report"], partition=APRIL).success
    assert pd.read_parquet(tmp_path / "reports" / "cost_report" / f"{APRIL}.parquet").empty
