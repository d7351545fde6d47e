"""Two billing runs in two processes: one bills, the other says that it is being done."""

from __future__ import annotations

from sqlalchemy import text

from tests.dagster.runs import billable
from tests.processes import started, wait_until
from tests.scene import Scene
from waldur_dagster.schema import invoices

RUN = """
import sys
import dagster as dg
from tests.dagster.runs import APRIL, execute, troubles
from waldur_dagster.deployment import parse_deployment
deployment = parse_deployment({"first_month": "2025-01", "database": {"url": sys.argv[1]}})
result = execute(deployment, "waldur-create-invoices", dg.DagsterInstance.ephemeral(), partition=APRIL)
told = troubles(result)
print("billed" if result.success else "being done" if "is being done by another run" in told else told)
"""


def test_of_two_processes_that_bill_at_once_one_bills_and_the_other_says_that_it_is_being_done(
    scene: Scene,
) -> None:
    customer = billable(scene)
    url = scene.engine.url.render_as_string(hide_password=False)
    with scene.engine.begin() as connection:
        # Whoever comes first stands still inside its first step until the other one has spoken.
        connection.execute(text("LOCK TABLE marketplace_plancomponent IN ACCESS EXCLUSIVE MODE"))
        runs = [started(RUN, url) for _ in range(2)]
        wait_until(lambda: any(run.poll() is not None for run in runs))
    assert sorted(run.communicate()[0].strip() for run in runs) == ["being done", "billed"]
    assert len(scene.rows(invoices.invoice, customer_id=customer)) == 1
    assert len(scene.rows(invoices.invoiceitem)) == 1
