"""What a termination depends on: the resource, its offering, project and customer, its orders and its back end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    ColumnElement,
    FromClause,
    Integer,
    Text,
    and_,
    cast,
    exists,
    false,
    func,
    literal,
    null,
    select,
    true,
    union_all,
)

from waldur_dagster.marketplace.approval import OfferingFacts
from waldur_dagster.marketplace.order_columns import approves_waiting, placed_for
from waldur_dagster.marketplace.states import OrderState, OrderType
from waldur_dagster.platform.organization_groups import in_group
from waldur_dagster.platform.plugin_resources import existing
from waldur_dagster.schema import marketplace, openstack, structure
from waldur_dagster.structure.project_ends import is_over
from waldur_dagster.work import Work

# A termination that has failed is tried again after this time, not every day (spec marketplace 0.7, step 3).
PAUSE_AFTER_FAILURE = timedelta(days=1)

resource, order, offering = marketplace.resource, marketplace.order, marketplace.offering
project, customer = structure.project, structure.customer


@dataclass(frozen=True)
class Backend:
    """The row of the plugin that the resource stands for."""

    type: str
    state: int
    runtime_state: str | None
    has_backups: bool
    has_snapshots: bool


@dataclass(frozen=True)
class Candidate:
    """One resource that is to be terminated, and all that decides about it. ``wanted_by`` are users, first first.

    On newer sites: ``waiting_order`` is a terminate order that waits for the customer, ``order_starts`` its own start
    date, ``placed_for`` the active user for whom the resource was ordered automatically.
    """

    resource_id: int
    resource_uuid: UUID
    name: str
    state: int
    offering: OfferingFacts
    script: dict[str, Any]
    in_organization_groups: bool
    offering_project_id: int | None
    project_id: int
    project_start: date | None
    project_over: bool
    customer_id: int
    blocked: bool
    archived: bool
    wanted_by: tuple[int, ...]
    executing: bool
    pending_provider: bool
    pending_start: bool
    failed_lately: bool
    waiting_order: int | None
    order_starts: date | None
    placed_for: int | None
    backend: Backend | None

    @property
    def is_left_alone(self) -> bool:
        """Whether no order is to be made now: one is being carried out, or one to terminate has failed lately."""
        return self.executing or self.failed_lately

    @property
    def label(self) -> str:
        return f"resource {self.name} ({self.resource_uuid.hex})"


def read_candidates(work: Work, chosen: FromClause) -> list[Candidate]:
    """The resources of ``chosen`` (resource_id), oldest first; one query."""
    backend = _backends(work).subquery("backend")
    rows = work.connection.execute(
        select(
            resource.c.id,
            resource.c.uuid,
            resource.c.name,
            resource.c.state,
            resource.c.end_date_requested_by_id.label("resource_wanted_by"),
            offering.c.id.label("offering_id"),
            offering.c.type,
            offering.c.customer_id.label("provider_id"),
            offering.c.project_id.label("offering_project_id"),
            offering.c.shared,
            offering.c.billable,
            offering.c.plugin_options,
            offering.c.secret_options,
            _in_organization_groups(work).label("in_organization_groups"),
            project.c.id.label("project_id"),
            project.c.start_date,
            func.coalesce(is_over(work), false()).label("project_over"),
            project.c.end_date_requested_by_id.label("project_wanted_by"),
            customer.c.id.label("customer_id"),
            customer.c.blocked,
            customer.c.archived,
            _has_order(order.c.state == OrderState.EXECUTING).label("executing"),
            _has_order(order.c.state == OrderState.PENDING_PROVIDER).label("pending_provider"),
            _has_order(order.c.state == OrderState.PENDING_START_DATE).label("pending_start"),
            _has_order(
                order.c.state == OrderState.ERRED,
                order.c.type == OrderType.TERMINATE,
                order.c.modified >= work.as_of - PAUSE_AFTER_FAILURE,
            ).label("failed_lately"),
            *_facts_of_newer_sites(work),
            *(backend.c[name].label(f"backend_{name}") for name in Backend.__dataclass_fields__),
        )
        .select_from(chosen.join(resource, resource.c.id == chosen.c.resource_id))
        .join(offering, offering.c.id == resource.c.offering_id)
        .join(project, project.c.id == resource.c.project_id)
        .join(customer, customer.c.id == project.c.customer_id)
        .outerjoin(
            backend,
            and_(backend.c.content_type_id == resource.c.content_type_id, backend.c.object_id == resource.c.object_id),
        )
        .order_by(resource.c.created, resource.c.id)
    )
    return [_candidate(row) for row in rows]


def _candidate(row: Any) -> Candidate:
    backend = None
    if row.backend_state is not None:
        backend = Backend(**{name: getattr(row, f"backend_{name}") for name in Backend.__dataclass_fields__})
    return Candidate(
        resource_id=row.id,
        resource_uuid=row.uuid,
        name=row.name,
        state=row.state,
        offering=OfferingFacts(
            row.offering_id,
            row.type,
            row.provider_id,
            row.shared,
            row.billable,
            _object(row.plugin_options),
            row.may_review_scripts,
        ),
        script=_object(row.secret_options),
        in_organization_groups=row.in_organization_groups,
        offering_project_id=row.offering_project_id,
        project_id=row.project_id,
        project_start=row.start_date,
        project_over=row.project_over,
        customer_id=row.customer_id,
        blocked=row.blocked,
        archived=row.archived,
        wanted_by=tuple(user for user in (row.resource_wanted_by, row.project_wanted_by) if user is not None),
        executing=row.executing,
        pending_provider=row.pending_provider,
        pending_start=row.pending_start,
        failed_lately=row.failed_lately,
        waiting_order=row.waiting_order,
        order_starts=row.order_starts,
        placed_for=row.placed_for,
        backend=backend,
    )


def _facts_of_newer_sites(work: Work) -> list[ColumnElement[Any]]:
    """What only newer versions of Waldur look at (spec newer_billing 4.4); nothing of it on older sites."""
    names = ("waiting_order", "order_starts", "placed_for")
    if not approves_waiting(work):
        empty: list[ColumnElement[Any]] = [null().label(name) for name in names]
        return [*empty, false().label("may_review_scripts")]
    waiting = order.alias("waiting_order")
    is_waiting = (
        waiting.c.resource_id == resource.c.id,
        waiting.c.state == OrderState.PENDING_CONSUMER,
        waiting.c.type == OrderType.TERMINATE,
    )
    oldest_waiting = [
        select(c).where(*is_waiting).order_by(waiting.c.id).limit(1) for c in (waiting.c.id, waiting.c.start_date)
    ]
    values = (*(query.scalar_subquery() for query in oldest_waiting), placed_for(work))
    found = [value.label(name) for value, name in zip(values, names, strict=True)]
    return [*found, true().label("may_review_scripts")]


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _has_order(*conditions: Any) -> Any:
    return exists().where(order.c.resource_id == resource.c.id, *conditions)


def _in_organization_groups(work: Work) -> Any:
    """Whether the offering is for everybody, or for a group that the customer belongs to."""
    allowed = marketplace.offering_organization_groups
    limited = exists().where(allowed.c.offering_id == offering.c.id)
    included = exists().where(
        allowed.c.offering_id == offering.c.id, in_group(work.schema, customer, allowed.c.organizationgroup_id)
    )
    return ~limited | included


def _backends(work: Work) -> Any:
    """Every plugin resource with what its plugin looks at before it deletes one."""
    parts = []
    instance, volume, backup, snapshot = openstack.instance, openstack.volume, openstack.backup, openstack.snapshot
    for found in existing(work):
        content_type = work.content_types.get(found.app_label, found.model)
        if content_type is None or not found.in_marketplace:
            continue
        table = found.table
        backups: ColumnElement[bool] = false()
        snapshots: ColumnElement[bool] = false()
        if table is instance:
            backups = exists().where(backup.c.instance_id == table.c.id)
            snapshots = exists().where(volume.c.instance_id == table.c.id, snapshot.c.source_volume_id == volume.c.id)
        elif table is volume:
            snapshots = exists().where(snapshot.c.source_volume_id == table.c.id)
        parts.append(
            select(
                literal(content_type, Integer).label("content_type_id"),
                table.c.id.label("object_id"),
                literal(found.type, Text).label("type"),
                table.c.state,
                (table.c.runtime_state if "runtime_state" in table.c else cast(null(), Text)).label("runtime_state"),
                cast(backups, Boolean).label("has_backups"),
                cast(snapshots, Boolean).label("has_snapshots"),
            )
        )
    if not parts:
        kinds = {"content_type_id": Integer, "object_id": Integer, "type": Text, "state": Integer}
        kinds |= {"runtime_state": Text, "has_backups": Boolean, "has_snapshots": Boolean}
        return select(*(cast(null(), kind).label(name) for name, kind in kinds.items())).where(false())
    return union_all(*parts)
