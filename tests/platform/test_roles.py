"""Who is told by mail: the standard recipient rule (spec core 1.4 and 1.5)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.scene import Scene
from waldur_dagster.platform.roles import OWNER, recipients

NOW = datetime(2025, 4, 1, tzinfo=UTC)


def _recipients(scene: Scene, roles: tuple[str, ...] | None = (OWNER,), model: str = "customer") -> list[tuple]:
    with scene.site() as site, site.work("e", NOW) as work:
        return sorted(tuple(row) for row in work.connection.execute(recipients(work, "structure", model, roles)))


def test_an_owner_of_two_customers_is_a_recipient_of_both(scene: Scene) -> None:
    customers = [scene.customer(), scene.customer()]
    user = scene.owner(customers[0], "owner@x.org")
    scene.role(user, OWNER, "customer", customers[1])
    assert _recipients(scene) == [(customer, "owner@x.org") for customer in customers]


def test_who_has_a_role_twice_or_several_of_them_is_told_once(scene: Scene) -> None:
    user = scene.owner(customer := scene.customer(), "owner@x.org")
    for name in (OWNER, "CUSTOMER.MANAGER"):
        scene.role(user, name, "customer", customer)
    assert _recipients(scene, (OWNER, "CUSTOMER.MANAGER")) == [(customer, "owner@x.org")]


def test_without_a_name_every_role_counts(scene: Scene) -> None:
    customer = scene.customer()
    scene.role(scene.user("support@x.org"), "CUSTOMER.SUPPORT", "customer", customer)
    assert _recipients(scene) == []
    assert _recipients(scene, None) == [(customer, "support@x.org")]


def test_a_project_with_the_number_of_a_customer_is_another_scope(scene: Scene) -> None:
    customer = scene.customer()
    project = scene.project(customer)
    assert project == customer
    scene.role(scene.user("manager@x.org"), "PROJECT.MANAGER", "project", project)
    assert _recipients(scene, None) == []
    assert _recipients(scene, None, "project") == [(project, "manager@x.org")]


@pytest.mark.parametrize("active", [None, False])
def test_a_role_that_is_not_active_is_none(scene: Scene, active: bool | None) -> None:
    scene.role(scene.user("gone@x.org"), OWNER, "customer", scene.customer(), is_active=active)
    assert _recipients(scene) == []


def test_an_end_in_the_past_ends_a_role_only_once_its_job_has_run(scene: Scene) -> None:
    customer = scene.customer()
    past = NOW - timedelta(days=9)
    scene.role(scene.user("late@x.org"), OWNER, "customer", customer, expiration_time=past)
    assert _recipients(scene) == [(customer, "late@x.org")]
