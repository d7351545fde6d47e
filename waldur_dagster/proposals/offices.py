"""From a proposal to the office that manages its call, whose organization reads of it (spec people 0.7)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement

from waldur_dagster.platform.expressions import json_list
from waldur_dagster.schema import proposal
from waldur_dagster.work import Work

proposed, round_, call, office = proposal.proposal, proposal.round, proposal.call, proposal.callmanagingorganisation

proposals_with_offices = (
    proposed.join(round_, round_.c.id == proposed.c.round_id)
    .join(call, call.c.id == round_.c.call_id)
    .join(office, office.c.id == call.c.manager_id)
)


def office_feed(work: Work) -> ColumnElement[Any]:
    """The feeds of an event about a proposal or its review: the office's organization."""
    return json_list(json_list(work.content_types("structure", "customer"), office.c.customer_id))
