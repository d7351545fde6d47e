"""Who is to be refreshed from eduTEAMS (spec people, pull-remote-eduteams-users)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import or_, select

from waldur_dagster.schema import core
from waldur_dagster.work import Work

EDUTEAMS = "eduteams"
AT_ONCE = 75

user = core.user


@dataclass(frozen=True)
class Due:
    id: int
    username: str


def due_people(work: Work) -> list[Due]:
    """Active accounts that came through eduTEAMS, the 75 that were refreshed longest ago."""
    chosen = (
        select(user.c.id, user.c.username)
        .where(user.c.is_active, or_(user.c.identity_source == EDUTEAMS, user.c.registration_method == EDUTEAMS))
        .order_by(user.c.last_sync, user.c.id)
        .limit(AT_ONCE)
    )
    return [Due(*row) for row in work.connection.execute(chosen)]
