"""Policies of the demo site: some fire when the month is billed, some are released, one waits for check-polices."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Table, select, update

from waldur_dagster.demo.rows import Rows
from waldur_dagster.platform.month import Month
from waldur_dagster.policies.notifications import NOTIFICATION
from waldur_dagster.schema import marketplace, policy, structure

LOW, HIGH = 1, 10_000_000
THIS_MONTH = 2


def add_policies(rows: Rows, connection: Connection, customers: list[int], month: Month) -> None:
    """Every policy is on the month's cost of an organization that has projects, or of its first project."""
    rows.notification(NOTIFICATION)
    last_month: dict[str, Any] = {"has_fired": True, "fired_datetime": month.start - timedelta(days=9)}
    project = structure.project
    found = connection.execute(select(project.c.id, project.c.customer_id).order_by(project.c.id.desc()))
    first_project = {row.customer_id: row.id for row in found}

    def add(table: Table, scope: int, actions: str, limit: int, **state: Any) -> None:
        rows.add(table, scope_id=scope, actions=actions, limit_cost=limit, period=THIS_MONTH, **state)

    on_customer, on_project = policy.customerestimatedcostpolicy, policy.projectestimatedcostpolicy
    projects = [first_project[customer] for customer in customers[:3]]
    add(on_customer, customers[0], "notify_organization_owners", LOW)
    add(on_project, projects[1], "notify_organization_owners,request_downscaling", LOW)
    add(on_project, projects[2], "request_pausing", HIGH, **last_month)
    add(on_customer, customers[3], "block_creation_of_new_resources", HIGH, **last_month)
    resource = marketplace.resource
    connection.execute(update(resource).values(paused=True).where(resource.c.project_id == projects[2]))
