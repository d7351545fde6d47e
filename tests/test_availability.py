"""What an entry needs of a site is told part by part."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from waldur_dagster.availability import NEEDS, missing_parts
from waldur_dagster.availability.needs import Needs
from waldur_dagster.catalog import ADDED, CATALOG
from waldur_dagster.definitions import implemented_entries
from waldur_dagster.deployment import parse_deployment
from waldur_dagster.schema import structure
from waldur_dagster.site import Site


@pytest.fixture
def site(database: Engine) -> Iterator[Site]:
    url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with Site(parse_deployment({"database": {"url": url}})) as made:
        yield made


def test_every_implemented_entry_says_what_it_needs() -> None:
    assert set(implemented_entries()) | set(ADDED) <= set(NEEDS) <= set(CATALOG) | set(ADDED)


def test_missing_tables_and_columns_and_our_own_schema_are_named(site: Site, database: Engine) -> None:
    with database.begin() as connection:
        connection.execute(text("DROP TABLE invoices_payment CASCADE"))
        connection.execute(text("ALTER TABLE structure_customer DROP COLUMN abbreviation CASCADE"))
        connection.execute(text("DROP SCHEMA IF EXISTS waldur_dagster CASCADE"))
    missing = missing_parts(site, "send-monthly-invoicing-reports-about-customers")
    assert missing[:2] == ["structure_customer.abbreviation", "invoices_payment"]
    assert len(missing) == 3 and "waldur-dagster migrate" in missing[2]


def test_an_empty_setting_and_the_words_of_checks_are_told(site: Site) -> None:
    needs = Needs(
        (structure.customer,),
        settings=("DEFAULT_REPLY_TO_EMAIL", "TIME_ZONE"),
        checks=(lambda _: "no result store", lambda _: None),
    )
    assert needs.missing(site) == ["setting DEFAULT_REPLY_TO_EMAIL", "no result store"]


def test_checks_are_not_called_when_a_table_is_missing(site: Site, database: Engine) -> None:
    with database.begin() as connection:
        connection.execute(text("DROP TABLE structure_customer CASCADE"))
    assert Needs((structure.customer,), checks=(lambda _: "called",)).missing(site) == ["structure_customer"]
