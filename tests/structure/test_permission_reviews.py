"""Reviews of who has a role in an organization (spec core, create_customer_permission_reviews)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.scene import Scene
from tests.statements import counted
from waldur_dagster.schema import logging, structure
from waldur_dagster.structure.permission_reviews import create_customer_permission_reviews

NOON = datetime(2025, 3, 10, 12, tzinfo=UTC)


def run(scene: Scene) -> int:
    """How many statements it takes."""
    entry = "create_customer_permission_reviews"
    with scene.site() as site, site.work(entry, NOON) as work, counted(work.connection) as statements:
        create_customer_permission_reviews(work)
    return len(statements)


@pytest.mark.generation("8")
def test_on_newer_sites_an_event_tells_of_each_review(scene: Scene) -> None:
    customer = scene.customer("Acme")
    scene.owner(customer, "owner@example.org")
    scene.customer("Empty")
    few = run(scene)
    assert scene.one(structure.customerpermissionreview).customer_id == customer
    event = scene.one(logging.event)
    assert event.event_type == "customer_permission_review_created"
    assert event.message == "Customer permission review has been created for organization Acme."
    assert event.context["customer_name"] == "Acme"
    assert [(feed.content_type_id, feed.object_id) for feed in scene.rows(logging.feed)] == [(1, customer)]
    for number in range(5):
        scene.owner(scene.customer(f"Org {number}"), f"{number}@example.org")
    assert run(scene) == few
    assert len(scene.rows(logging.event)) == 6


def test_on_older_sites_the_log_tells_nothing_of_reviews(scene: Scene) -> None:
    scene.owner(scene.customer(), "owner@example.org")
    run(scene)
    assert len(scene.rows(structure.customerpermissionreview)) == 1
    assert scene.rows(logging.event) == []
