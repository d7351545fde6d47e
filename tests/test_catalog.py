"""The catalog is the documented table: no entry missing, none invented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import PROJECT
from waldur_dagster.catalog import CATALOG, FAMILIES, UnknownEntry, entries_of, entry


def documented(page: Path) -> list[tuple[str, str, str]]:
    return re.findall(r"^\| `([^`]+)` \| `([^`]+)` \| ([^|]+?) \|", page.read_text(), re.MULTILINE)


def test_every_documented_entry_is_there_with_its_task_and_schedule() -> None:
    table = documented(PROJECT / "docs" / "scheduled-jobs.md")
    assert len(table) == 80
    assert sorted((e.name, e.task, e.schedule) for e in CATALOG.values()) == sorted(table)


def test_the_table_in_the_docs_is_the_platforms(shared: Path) -> None:
    assert documented(PROJECT / "docs" / "scheduled-jobs.md") == documented(shared / "scheduled-jobs.md")


def test_names_in_dagster_are_valid_and_different() -> None:
    names = [e.dagster_name for e in CATALOG.values()]
    assert len(set(names)) == 80
    assert all(re.fullmatch(r"\w+", name, re.ASCII) for name in names)


def test_every_entry_is_described_and_belongs_to_a_family() -> None:
    assert len(FAMILIES) == 8
    assert all(len(e.description) > 30 and e.description.endswith(".") for e in CATALOG.values())


def test_a_family_stands_for_its_entries() -> None:
    assert {e.name for e in entries_of("invoices")} == {
        "waldur-create-invoices",
        "update-invoices-total-cost",
        "send-monthly-invoicing-reports-about-customers",
        "send-notifications-about-upcoming-ends",
    }


def test_an_unknown_name_is_answered_with_what_looks_like_it() -> None:
    with pytest.raises(UnknownEntry, match="waldur-create-invoices"):
        entry("waldur-create-invoice")
