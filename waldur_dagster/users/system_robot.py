"""The account in whose name the platform acts by itself (spec quotas, terminate_resources; marketplace 0.7)."""

from __future__ import annotations

import secrets
import uuid
from typing import Any

from sqlalchemy import insert, literal, select, update

from waldur_dagster.platform.contexts import user_context
from waldur_dagster.platform.events import log_events
from waldur_dagster.platform.expressions import json_list
from waldur_dagster.platform.slugs import next_slug
from waldur_dagster.schema import authtoken, core
from waldur_dagster.work import Work

USERNAME = "system_robot"
TOKEN_LIFETIME = 3600  # seconds


class RobotUnusable(Exception):
    """The site's account system_robot is not staff or not active."""


def system_robot(work: Work) -> int:
    """The id of the system robot; it is made, with a token and the events of a new account, when it is missing.

    Raises RobotUnusable when somebody has taken its rights away: acting with them all the same would be wrong.
    """
    user = core.user
    found = work.connection.execute(
        select(user.c.id, user.c.is_staff, user.c.is_active).where(user.c.username == USERNAME)
    ).one_or_none()
    if found is None:
        return _create(work)
    if not (found.is_staff and found.is_active):
        raise RobotUnusable(f"The account {USERNAME} is not active or not staff; make it both, then run the job again.")
    return int(found.id)


def act_as_robot(work: Work) -> None:
    """Let the events of this unit of work name the system robot as their user, if the site has it.

    It is not made for that: its rights are not needed, and nobody else acts.
    """
    user = core.user
    work.actor = work.connection.scalar(select(user_context(user)).where(user.c.username == USERNAME)) or {}


def _create(work: Work) -> int:
    user = core.user
    row: dict[str, Any] = {
        "uuid": uuid.uuid4(),
        "username": USERNAME,
        "password": unusable_password(),
        "is_staff": True,
        "is_active": True,
        "is_support": False,
        "is_superuser": False,
        "is_identity_manager": False,
        "date_joined": work.as_of,
        "last_sync": work.as_of,
        "registration_method": "default",
        "notifications_enabled": True,
        "details": {},
        "affiliations": [],
        "image": "",
        "slug": next_slug(work, user, USERNAME),
        "description": "",
        "first_name": "",
        "last_name": "",
        "query_field": "",
    }
    statement = work.schema.insert_values(user, set(row), work.as_of).returning(user.c.id)
    robot = int(work.connection.execute(statement, row).scalar_one())
    work.outcome.changed(user.name, "inserted", 1)
    work.execute(insert(authtoken.token), {"key": secrets.token_hex(20), "created": work.as_of, "user_id": robot})
    _log(
        work,
        robot,
        {"token_created": f"Token of {USERNAME} is new.", "user_creation_succeeded": f"User {USERNAME} was created."},
    )
    work.connection.execute(
        update(user)
        .where(user.c.id == robot)
        .values(
            first_name="System",
            last_name="Robot",
            query_field="System Robot",
            description="Special user used for performing actions on behalf of a system.",
            token_lifetime=TOKEN_LIFETIME,
        )
    )
    _log(
        work,
        robot,
        {
            "user_password_updated": f"Password of {USERNAME} is new.",
            "user_update_succeeded": f"User {USERNAME} got its name, description and token lifetime.",
        },
    )
    return robot


def unusable_password() -> str:
    """What Waldur stores for an account that nobody can log in to with a password."""
    return f"!{secrets.token_urlsafe(30)}"


def _log(work: Work, robot: int, messages: dict[str, str]) -> None:
    user = core.user
    for event_type, message in messages.items():
        log_events(
            work,
            select(
                literal(event_type).label("event_type"),
                literal(message).label("message"),
                user_context(user, "affected_user").label("context"),
                json_list(json_list(work.content_types("core", "user"), user.c.id)).label("feeds"),
            ).where(user.c.id == robot),
        )
