"""A script offering of the demo site: notebooks that tell their usage and state when they are pulled."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from sqlalchemy import Engine

from waldur_dagster.demo.rows import Rows
from waldur_dagster.schema import marketplace, structure

SEED = 20250410
PULL = """\
echo "asking for the state of $RESOURCE_NAME"
printf '{"usages": [{"type": "hours", "amount": 12.5, "description": "notebook hours"}],
"report": [{"header": "State of %s", "body": "running"}]}' "$RESOURCE_NAME" | base64 | tr -d '\\n'
"""


def add_script_offering(engine: Engine, now: datetime) -> None:
    """Give a demo site notebooks, one of them erred, whose pull script takes a container engine to run."""
    with engine.begin() as connection:
        rows = Rows(connection, Random(SEED), now - timedelta(days=90))  # noqa: S311  the same every time
        project = rows.first(structure.project)
        offering = rows.add(
            marketplace.offering,
            customer_id=project.customer_id,
            category_id=rows.add(marketplace.category, title="Notebooks"),
            name="Notebook",
            type="Marketplace.Script",
            state=2,
            shared=True,
            billable=True,
            secret_options={"language": "shell", "pull": PULL},
        )
        plan = rows.add(marketplace.plan, offering_id=offering, name="By the hour", unit="month")
        hours = rows.add(
            marketplace.offeringcomponent, offering_id=offering, type="hours", name="Hours", billing_type="usage"
        )
        rows.add(marketplace.plancomponent, plan_id=plan, component_id=hours, price=0.4, amount=1)
        for name, state in (("notebook of Mari", 2), ("notebook of Juhan", 2), ("broken notebook", 3)):
            resource = rows.add(
                marketplace.resource,
                name=name,
                offering_id=offering,
                plan_id=plan,
                project_id=project.id,
                state=state,
                limits={},
                attributes={},
                error_message="The last pull failed." if state == 3 else "",
            )
            rows.add(marketplace.resourceplanperiod, resource_id=resource, plan_id=plan, start=now - timedelta(days=90))
