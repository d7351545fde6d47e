"""The demo site sells what only newer versions of Waldur know, and its summary shows it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from rich.console import Console
from sqlalchemy import URL, create_engine

from tests.scene import STEPS
from waldur_dagster.billing import monthly as billing
from waldur_dagster.cli.demo_summary import by_rule
from waldur_dagster.demo import server
from waldur_dagster.demo.site import build_site
from waldur_dagster.deployment import parse_deployment
from waldur_dagster.outbox.migrate import migrate
from waldur_dagster.platform.month import Month
from waldur_dagster.schema.generations import Generation, create_tables
from waldur_dagster.site import Site


@pytest.mark.parametrize("first", [datetime(2025, month, 1, tzinfo=UTC) for month in (6, 7, 8)])
def test_the_summary_shows_discounts_quarters_and_overage_in_any_month(postgresql: URL, first: datetime) -> None:
    url = server.create_database(postgresql, "demo_of_rules")
    engine = create_engine(url)
    with engine.begin() as connection:
        create_tables(connection, Generation.NEWEST)
    migrate(engine)
    deployment = parse_deployment({"database": {"url": url.render_as_string(hide_password=False)}})
    month = Month.of(first, deployment.zone)
    build_site(engine, deployment, month)
    with Site(deployment) as site:
        for step in STEPS:
            with site.work(billing.ENTRY, first) as work:
                step(work, month)
        assert site.outcome.failures == []
    console = Console(width=100, record=True)
    with engine.connect() as connection:
        console.print(by_rule(connection))
    engine.dispose()
    counts = [line.split("│")[2].strip() for line in console.export_text().splitlines() if line.startswith("│")]
    assert len(counts) == 3 and all(int(count) >= 3 for count in counts)
