"""The demo site has policies that fire and policies that are released."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, select

from tests.scene import bill
from waldur_dagster.demo.site import build_site
from waldur_dagster.deployment import parse_deployment
from waldur_dagster.outbox.migrate import migrate
from waldur_dagster.platform.month import Month
from waldur_dagster.policies import check_policies
from waldur_dagster.schema import policy
from waldur_dagster.site import Site

NOW = datetime(2025, 4, 1, 0, 5, tzinfo=UTC)


@pytest.mark.generation("8")
def test_billing_the_demo_site_fires_and_releases_policies_and_leaves_none_to_check_polices(database: Engine) -> None:
    deployment = parse_deployment({"database": {"url": database.url.render_as_string(hide_password=False)}})
    migrate(database)
    build_site(database, deployment, Month.of(NOW, deployment.zone))
    with Site(deployment) as site:
        billed = bill(site, NOW.isoformat())
    assert billed.failures == []
    assert (billed.figures["policies fired"], billed.figures["policies released"]) == (2, 2)
    with Site(deployment) as site, site.work("check-polices", NOW) as work:
        check_policies(work)
        assert (work.outcome.figures["policies fired"], work.outcome.figures["policies released"]) == (0, 0)
    with database.connect() as connection:
        fired = [
            list(connection.scalars(select(table.c.has_fired).order_by(table.c.id)))
            for table in (policy.customerestimatedcostpolicy, policy.projectestimatedcostpolicy)
        ]
    assert fired == [[True, False], [False, True, False]]
