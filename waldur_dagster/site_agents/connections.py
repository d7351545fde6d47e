"""The job mark-offering-backend-as-disconnected-after-timeout (spec people)."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import update

from waldur_dagster.schema import marketplace
from waldur_dagster.site_agents import OFFERING_TYPE
from waldur_dagster.work import Work

SILENCE = timedelta(hours=1)
ACTIVE, DISCONNECTED = 2, 3


def mark_silent_agents(work: Work) -> int:
    """Show agents of site agent offerings as disconnected that have not called for more than an hour.

    One that has never called stays as it is. Returns how many.
    """
    agent, offering = marketplace.integrationstatus, marketplace.offering
    return work.execute(
        update(agent)
        .where(
            agent.c.status == ACTIVE,
            agent.c.last_request_timestamp < work.as_of - SILENCE,
            offering.c.id == agent.c.offering_id,
            offering.c.type == OFFERING_TYPE,
        )
        .values(status=DISCONNECTED)
    ).rowcount
