"""Credits of projects that are removed: the worked example of newer_billing 2.7, and what the ledger says of it."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from tests.scene import Scene
from waldur_dagster.schema import invoices, logging, structure
from waldur_dagster.structure.project_deletion import soft_delete_projects

NOW = datetime(2025, 4, 1, tzinfo=UTC)
pytestmark = pytest.mark.generation("8")


def remove(scene: Scene, *projects: int) -> None:
    chosen = select(structure.project.c.id.label("project_id")).where(structure.project.c.id.in_(projects))
    with scene.site() as site, site.work("terminate", NOW) as work:
        soft_delete_projects(work, chosen.subquery("chosen"))


def share(scene: Scene, customer: int, value: int, *, spent: bool) -> tuple[int, int]:
    """A project with a credit of its own: ids of both."""
    project = scene.project(customer)
    flag = {"mark_unused_credit_as_spent_on_project_termination": spent}
    return project, scene.add(invoices.projectcredit, project_id=project, value=value, **flag)


def value_of(scene: Scene, table: Any) -> list[Decimal]:
    return [row.value for row in scene.rows(table)]


def ledger(scene: Scene) -> list[tuple[Any, ...]]:
    return [
        (row.credit_id, row.project_credit_id, row.transaction_type, row.amount, row.billing_period, row.object_id)
        for row in scene.rows(invoices.credittransaction)
    ]


@pytest.mark.parametrize(("spent", "left"), [(True, 90), (False, 100)])
def test_what_a_removed_project_has_not_used_is_lost_to_the_organization_where_it_says_so(
    scene: Scene, spent: bool, left: int
) -> None:
    customer = scene.customer()
    credit = scene.add(invoices.customercredit, customer_id=customer, value=100)
    project, own = share(scene, customer, 10, spent=spent)
    remove(scene, project)
    assert (value_of(scene, invoices.customercredit), value_of(scene, invoices.projectcredit)) == ([left], [0])
    of_organization = [(credit, None, "adjustment", -10, None, own)] if spent else []
    assert ledger(scene) == [(None, own, "adjustment", -10, None, own), *of_organization]
    told = scene.rows(logging.event, event_type="automatic_credit_adjustment")
    assert [(e.context["old_value"], e.context["new_value"]) for e in told] == [(100, 90), (10, 0)][1 - spent :]
    assert {row.object_id for event in told for row in scene.rows(logging.feed, event_id=event.id)} == {customer}


def test_an_organization_never_loses_more_than_it_has(scene: Scene) -> None:
    customer = scene.customer()
    scene.add(invoices.customercredit, customer_id=customer, value=15)
    projects = [share(scene, customer, 10, spent=True)[0] for _ in range(3)]
    remove(scene, *projects)
    assert value_of(scene, invoices.customercredit) == [0]
    assert [row.amount for row in scene.rows(invoices.credittransaction) if row.credit_id] == [-10, -5]


def test_without_a_credit_of_the_organization_nothing_changes(scene: Scene) -> None:
    project, _ = share(scene, scene.customer(), 10, spent=True)
    remove(scene, project)
    assert value_of(scene, invoices.projectcredit) == [10]
    assert ledger(scene) == []


@pytest.mark.generation("2024-10")
def test_up_to_2024_credits_outlive_their_projects(scene: Scene) -> None:
    customer = scene.customer()
    scene.add(invoices.customercredit, customer_id=customer, value=100)
    project, _ = share(scene, customer, 10, spent=True)
    remove(scene, project)
    assert (value_of(scene, invoices.customercredit), value_of(scene, invoices.projectcredit)) == ([100], [10])
