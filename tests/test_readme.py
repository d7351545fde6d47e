"""The README is true."""

from __future__ import annotations

import re

from tests.conftest import PROJECT
from waldur_dagster.cli.readme import README, with_table

TEXT = (PROJECT / README).read_text()


def test_the_table_of_entries_is_that_of_the_catalog() -> None:
    assert with_table(TEXT) == TEXT, "run `waldur-dagster readme`"


def test_what_it_links_to_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", TEXT)
    assert links
    assert [link for link in links if "://" not in link and not (PROJECT / link).exists()] == []


def test_its_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^    |`)make ([a-z-]+)", TEXT, re.MULTILINE)) <= targets
