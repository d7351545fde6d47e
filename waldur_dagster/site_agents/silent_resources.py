"""The job sync-resources: agents are asked for resources that were not heard of for an hour (spec people)."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from waldur_dagster.platform.expressions import hex_of, json_object
from waldur_dagster.schema import marketplace
from waldur_dagster.site import Transactions
from waldur_dagster.site_agents.messages import Objects, tell_agents
from waldur_dagster.work import Work

SILENCE = timedelta(hours=1)
MOST = 50
OK, ERRED = 2, 3
resource = marketplace.resource


def ask_for_silent_resources(transaction: Transactions) -> None:
    """Ask agents to bring resources up to date that are OK or erred and were not synchronized for an hour.

    Fifty resources a run, those first that were asked for longest ago. Rows of Waldur stay as they are: the agent's
    own report moves ``last_sync`` on.
    """
    tell_agents(transaction, _silent)


def _silent(work: Work) -> Objects:
    facts = ("downscaled", "restrict_member_access", "paused")
    content = json_object(
        resource_uuid=hex_of(resource.c.uuid),
        resource_backend_id=resource.c.backend_id,
        **{name: resource.c[name] for name in facts},
    )
    silent = select(
        resource.c.id, resource.c.offering_id, content.label("content"), resource.c.last_sync.label("rank")
    ).where(resource.c.state.in_((OK, ERRED)), resource.c.last_sync <= work.as_of - SILENCE)
    return Objects("resource", silent, MOST)
