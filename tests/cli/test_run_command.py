"""waldur-dagster run: a job here and now, with its figures and the run's status."""

from __future__ import annotations

import dagster as dg
import pytest
from sqlalchemy import text

from tests.cli.conftest import Terminal
from tests.dagster.runs import APRIL, billable
from tests.scene import Scene
from waldur_dagster.schema import invoices

BILLING, TOTALS, REMINDERS = (
    "waldur-create-invoices",
    "update-invoices-total-cost",
    "send-notifications-about-upcoming-ends",
)


def _row(table: str, word: str) -> list[str]:
    (line,) = [line for line in table.splitlines() if f" {word} " in line]
    return [cell.strip() for cell in line.strip("│ ").split("│")]


def test_a_month_is_billed_and_its_figures_are_shown(terminal: Terminal, scene: Scene) -> None:
    billable(scene)
    terminal.configure(scene.engine, head='first_month = "2024-01"')
    dry = terminal("run", BILLING, "--dry-run", "--month", "2025-04")
    assert dry.status == 0 and "What it would do" in dry.out and "Nothing of it was kept." in dry.out
    assert _row(dry.out, "total with VAT")[-1] == "12.00"
    assert scene.rows(invoices.invoice) == []
    done = terminal("run", BILLING, "--month", "2025-04")
    assert done.status == 0 and "What it did" in done.out and "done make new invoices" in done.out
    assert _row(done.out, "invoices_invoiceitem inserted")[-1] == "1"
    assert [row.month for row in scene.rows(invoices.invoice)] == [4]
    with dg.DagsterInstance.get() as instance:
        runs = {run.job_name: run.tags for run in instance.get_runs()}
        assert set(runs) == {"waldur_create_invoices", "waldur_create_invoices_dry_run"}
        assert all(tags[".dagster/repository"] == "__repository__@waldur" for tags in runs.values())
        events = instance.fetch_materializations(dg.AssetKey("invoices"), limit=9).records
        assert [event.partition_key for event in events] == [APRIL]


def test_it_works_for_the_instant_that_it_is_given_and_for_its_month(terminal: Terminal, scene: Scene) -> None:
    billable(scene)
    terminal.configure(scene.engine, "", head='time_zone = "Europe/Tallinn"\nfirst_month = "2024-01"')
    assert terminal("run", BILLING, "--as-of", "2025-03-31T21:00:00+00:00").status == 0
    assert [(row.year, row.month) for row in scene.rows(invoices.invoice)] == [(2025, 4)]


def test_it_ends_with_the_status_of_the_run_and_says_why(terminal: Terminal, scene: Scene) -> None:
    terminal.configure(scene.engine)
    with scene.engine.begin() as connection:
        connection.execute(text("ALTER TABLE core_notification RENAME TO out_of_order"))
    failed = terminal("run", REMINDERS)
    with scene.engine.begin() as connection:
        connection.execute(text("ALTER TABLE out_of_order RENAME TO core_notification"))
    assert failed.status == 1 and "failed" in failed.out and "core_notification" in failed.out


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("waldur-create-invoice",), f"did you mean {BILLING}"),
        ((TOTALS,), "not registered"),
        ((REMINDERS, "--month", "2025-04"), "is not made by month"),
        ((BILLING, "--month", "2025-13"), "is no month; write e.g. 2025-04"),
        ((BILLING, "--month", "2999-01"), "in the future"),
        ((BILLING, "--as-of", "2025-04-01"), "no instant with an offset"),
        ((REMINDERS, "--as-of", "yesterday"), "no instant with an offset"),
    ],
)
def test_what_cannot_be_run_is_told_with_what_to_write(
    terminal: Terminal, scene: Scene, words: tuple[str, ...], complaint: str
) -> None:
    terminal.configure(scene.engine, f"[entries.{TOTALS}]\nregistered = false")
    answer = terminal("run", *words)
    assert answer.status == 2 and complaint in " ".join(answer.err.replace("│", " ").split())
