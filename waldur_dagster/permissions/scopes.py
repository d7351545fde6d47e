"""What a role may be held on, and how events tell of it (spec core 1.5 and 1.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Integer, Select, Subquery, Table, Text, exists, literal, select, union_all

from waldur_dagster.platform.contexts import customer_context, named_context, project_context
from waldur_dagster.platform.plugin_resources import backends
from waldur_dagster.platform.resource_contexts import resource_context, with_surroundings
from waldur_dagster.schema import marketplace, proposal, structure
from waldur_dagster.work import Work

customer, project, offering = structure.customer, structure.project, marketplace.offering
call, manager, round_ = proposal.call, proposal.callmanagingorganisation, proposal.round


@dataclass(frozen=True)
class Kind:
    """One kind of scope: its table, the join that leads to its customer, and its own keys in a context."""

    table: Table
    app_label: str
    to_customer: Any
    context: Any

    @property
    def model(self) -> str:
        return self.table.name.removeprefix(f"{self.app_label}_")


_OF_CALL = call.join(manager, manager.c.id == call.c.manager_id).join(customer, customer.c.id == manager.c.customer_id)

KINDS = (
    Kind(customer, "structure", customer, customer_context(customer, "scope")),
    Kind(
        project,
        "structure",
        project.join(customer, customer.c.id == project.c.customer_id),
        project_context(project, "scope"),
    ),
    Kind(
        offering,
        "marketplace",
        offering.join(customer, customer.c.id == offering.c.customer_id),
        named_context(offering, "scope"),
    ),
    Kind(call, "proposal", _OF_CALL, named_context(call, "scope")),
    Kind(
        proposal.proposal,
        "proposal",
        proposal.proposal.join(round_, round_.c.id == proposal.proposal.c.round_id).join(
            _OF_CALL, call.c.id == round_.c.call_id
        ),
        named_context(proposal.proposal, "scope"),
    ),
)


def _kinds(work: Work, roles: Any) -> tuple[Kind, ...]:
    """All kinds; resources, whose context is made of many tables, only where there are roles on them (newer 0.8)."""
    on_resources = roles.c.content_type_id == work.content_types.get("marketplace", "resource")
    if not work.connection.scalar(select(exists(select(roles.c.userrole_id).where(on_resources)))):
        return KINDS
    resource, backend = marketplace.resource, backends(work)
    context = resource_context(work, backend, "scope")
    return (*KINDS, Kind(resource, "marketplace", with_surroundings(resource, backend), context))


def scopes_of(work: Work, roles: Any) -> Subquery:
    """(userrole_id, model, name, customer_id, context) for each of ``roles`` whose scope is still there.

    ``roles`` has the columns userrole_id, content_type_id and object_id. ``context`` has the keys ``scope_*`` and
    ``customer_*``. A kind that the site does not have is left out.
    """
    parts: list[Select[Any]] = []
    for kind in _kinds(work, roles):
        content_type = work.content_types.get(kind.app_label, kind.model)
        if content_type is None or not work.schema.has(kind.table.name):
            continue
        here = (roles.c.content_type_id == literal(content_type, Integer)) & (roles.c.object_id == kind.table.c.id)
        parts.append(
            select(
                roles.c.userrole_id,
                literal(kind.model, Text).label("model"),
                kind.table.c.name,
                customer.c.id.label("customer_id"),
                kind.context.op("||")(customer_context(customer)).label("context"),
            ).select_from(kind.to_customer.join(roles, here))
        )
    return union_all(*parts).subquery("scope")
