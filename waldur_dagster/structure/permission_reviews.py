"""The job create_customer_permission_reviews (spec core 4)."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import CompoundSelect, Integer, Table, Text, exists, func, literal, null, or_, select

from waldur_dagster.platform.contexts import customer_context
from waldur_dagster.platform.events import log_events
from waldur_dagster.platform.expressions import json_list, text_from
from waldur_dagster.schema import permissions, structure
from waldur_dagster.temporary import temporary_returned
from waldur_dagster.work import Work

INTERVAL = timedelta(days=90)


def create_customer_permission_reviews(work: Work) -> None:
    """Ask for a review of the users of every customer that has some and had no review for 90 days.

    A customer has users when anybody, of an inactive account even, holds an active role on it or on one of its
    projects that is not removed. The age of a closed review counts to the instant, 90 days inclusive. Newer versions
    write an event for each review.
    """
    customer, review = structure.customer, structure.customerpermissionreview
    protected = exists().where(
        review.c.customer_id == customer.c.id,
        or_(review.c.is_pending, review.c.closed >= work.as_of - INTERVAL),
    )
    source = (
        select(
            func.gen_random_uuid().label("uuid"),
            customer.c.id.label("customer_id"),
            literal(True).label("is_pending"),
            literal(work.as_of).label("created"),
            null().label("closed"),
            null().label("reviewer_id"),
        )
        .where(customer.c.id.in_(_customers_with_users(work)), ~protected)
        .order_by(customer.c.name)
    )
    new = temporary_returned(work, "new_review", work.insert_from(review, source).returning(review.c.customer_id))
    if are_told(work):
        _log(work, new)


def are_told(work: Work) -> bool:
    """Whether the log tells of new reviews: where projects have some too."""
    return work.schema.has("structure_projectpermissionreview")


def _log(work: Work, new: Table) -> None:
    customer = structure.customer
    feed = json_list(literal(work.content_types("structure", "customer"), Integer), customer.c.id)
    log_events(
        work,
        select(
            literal("customer_permission_review_created", Text).label("event_type"),
            text_from(
                "Customer permission review has been created for organization {name}.", name=customer.c.name
            ).label("message"),
            customer_context(customer).label("context"),
            json_list(feed).label("feeds"),
        )
        .join(new, new.c.customer_id == customer.c.id)
        .order_by(customer.c.name, customer.c.id),
    )


def _customers_with_users(work: Work) -> CompoundSelect[tuple[int]]:
    role, project = permissions.userrole, structure.project
    on_customer = select(role.c.object_id).where(
        role.c.is_active, role.c.content_type_id == work.content_types("structure", "customer")
    )
    on_project = (
        select(project.c.customer_id)
        .join(role, role.c.object_id == project.c.id)
        .where(
            role.c.is_active,
            role.c.content_type_id == work.content_types("structure", "project"),
            ~project.c.is_removed,
        )
    )
    return on_customer.union(on_project)
