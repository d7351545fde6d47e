"""Which resources are pulled, and with what their scripts are run (spec marketplace 0.9)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import ColumnElement, and_, select

from waldur_dagster.clients.containers import NAME, Image, Script
from waldur_dagster.marketplace.states import ResourceState
from waldur_dagster.schema import marketplace, structure
from waldur_dagster.work import Work

SCRIPT_OFFERING = "Marketplace.Script"
PULLED_STATES = (ResourceState.OK, ResourceState.ERRED)
resource, offering = marketplace.resource, marketplace.offering


class Misconfigured(Exception):
    """An offering's options do not make a script that can be run; the text holds none of their values."""


@dataclass(frozen=True)
class Pull:
    """A resource with the script that asks for its state."""

    resource_id: int
    name: str
    uuid: UUID
    script: Script

    def __str__(self) -> str:
        return f"resource {self.name} ({self.uuid.hex})"


def due_resources(work: Work) -> list[int]:
    """The resources whose offering has a pull script, in the order of their ids."""
    due = select(resource.c.id).join_from(resource, offering, offering.c.id == resource.c.offering_id)
    return list(work.connection.scalars(due.where(_is_due()).order_by(resource.c.id)))


def read_pull(work: Work, resource_id: int, images: Mapping[str, Any]) -> Pull | None:
    """What to run for a resource as it is now; None when it is no longer due.

    An offering whose options are wrong is reported as the failure of this resource, which then is not pulled.
    """
    project, customer, plan = structure.project, structure.customer, marketplace.plan
    named = {"customer": customer, "project": project, "offering": offering, "plan": plan}
    facts: Any = work.connection.execute(
        select(
            *(resource.c[name] for name in ("id", "name", "uuid", "attributes", "limits", "backend_metadata")),
            offering.c.secret_options,
            *(table.c[name].label(f"{prefix}_{name}") for prefix, table in named.items() for name in ("uuid", "name")),
        )
        .join_from(resource, offering, offering.c.id == resource.c.offering_id)
        .join(project, project.c.id == resource.c.project_id)
        .join(customer, customer.c.id == project.c.customer_id)
        .outerjoin(plan, plan.c.id == resource.c.plan_id)
        .where(resource.c.id == resource_id, _is_due())
    ).one_or_none()
    if facts is None:
        return None
    try:
        return Pull(facts.id, facts.name, facts.uuid, _script(facts, images))
    except Misconfigured as problem:
        work.outcome.fail(f"resource {facts.name} ({facts.uuid.hex})", f"was not pulled: {problem}")
        return None


def _is_due() -> ColumnElement[bool]:
    return and_(
        offering.c.type == SCRIPT_OFFERING,
        offering.c.secret_options.has_key("pull"),
        resource.c.state.in_(PULLED_STATES),
    )


def _script(facts: Any, images: Mapping[str, Any]) -> Script:
    options = facts.secret_options
    where = f"offering {facts.offering_name} ({facts.offering_uuid.hex})"
    if not isinstance(options, dict) or not isinstance(options.get("pull"), str):
        raise Misconfigured(f"the pull script of {where} is no text")
    language = options.get("language")
    if not isinstance(language, str) or language not in images:
        known = ", ".join(sorted(images))
        raise Misconfigured(f"{where} has no language of {NAME}.DOCKER_IMAGES ({known})")
    try:
        chosen = Image.model_validate(images[language])
    except ValidationError:
        raise Misconfigured(f"{NAME}.DOCKER_IMAGES.{language} must have an image and a command") from None
    environment = _environment(facts) | _own_environment(options, where)
    return Script(facts.uuid.hex, chosen.image, chosen.command, options["pull"], environment)


def _environment(facts: Any) -> dict[str, str]:
    """What every script is told of its resource."""
    values = {
        "ATTRIBUTES": facts.attributes,
        "LIMITS": facts.limits,
        "CUSTOMER_UUID": facts.customer_uuid.hex,
        "CUSTOMER_NAME": facts.customer_name,
        "PROJECT_UUID": facts.project_uuid.hex,
        "PROJECT_NAME": facts.project_name,
        "OFFERING_UUID": facts.offering_uuid.hex,
        "OFFERING_NAME": facts.offering_name,
        **({"PLAN_UUID": facts.plan_uuid.hex, "PLAN_NAME": facts.plan_name} if facts.plan_uuid else {}),
        "RESOURCE_UUID": facts.uuid.hex,
        "RESOURCE_NAME": facts.name,
        "RESOURCE_BACKEND_METADATA": facts.backend_metadata,
    }
    return {name: _as_text(value) for name, value in values.items()}


def _own_environment(options: Mapping[str, Any], where: str) -> dict[str, str]:
    """What the offering adds: a list of {name, value}; anything else in the list is passed over."""
    given = options.get("environ") or []
    pairs = [pair for pair in given if isinstance(pair, dict)] if isinstance(given, list) else []
    try:
        return {str(pair["name"]): _as_text(pair["value"]) for pair in pairs}
    except KeyError as missing:
        raise Misconfigured(f"the environ of {where} has an entry without {missing}") from None


def _as_text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, dict | list) else str(value)
