"""Which providers are visited, and what becomes of one that cannot be (spec openstack, pull-service-properties)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Select, exists, select, update

from waldur_dagster.clients.failures import VisitFailed
from waldur_dagster.database.encryption import SERVICE_OPTIONS, SERVICE_PASSWORD, SERVICE_TOKEN, NotOpened
from waldur_dagster.marketplace.states import OfferingState
from waldur_dagster.platform.plugin_resources import ERRED, OK
from waldur_dagster.schema import marketplace, structure
from waldur_dagster.work import Work

settings, offering = structure.servicesettings, marketplace.offering
SERVICE = tuple(
    settings.c[name]
    for name in (
        *("id", "name", "uuid", "type", "state", "backend_url", "username", "domain"),
        *("password", "token", "options"),
    )
)


@dataclass(frozen=True)
class Service:
    """One row of service settings, with its secrets open."""

    id: int
    name: str
    uuid: UUID
    type: str
    state: int
    url: str
    username: str
    domain: str
    password: str = field(repr=False)
    token: str = field(repr=False)
    options: Mapping[str, Any] = field(repr=False)

    def __str__(self) -> str:
        return f"{self.type} {self.name} ({self.uuid.hex})"


def due_services(work: Work, types: Collection[str]) -> list[Service]:
    """Active providers of these types that are OK or erred; in newer versions of Waldur those that sell something."""
    due = select(*SERVICE).where(settings.c.state.in_([OK, ERRED]), settings.c.is_active, settings.c.type.in_(types))
    if work.schema.has("marketplace_order", "completed_at"):
        due = due.where(
            exists().where(
                offering.c.content_type_id == work.content_types("structure", "servicesettings"),
                offering.c.object_id == settings.c.id,
                offering.c.state != OfferingState.ARCHIVED,
            )
        )
    return opened_services(work, due)


def opened_services(work: Work, chosen: Select[Any]) -> list[Service]:
    """The services that a SELECT of ``SERVICE`` finds, by id. One whose secrets cannot be opened is a failure."""
    found = []
    for row in work.connection.execute(chosen.order_by(settings.c.id)):
        try:
            found.append(_service(work, row))
        except (NotOpened, ValueError) as problem:
            work.outcome.fail(f"{row.type} {row.name} ({row.uuid.hex})", f"cannot be visited: {problem}")
    return found


def keep_failure(work: Work, service: Service, problem: VisitFailed | str) -> bool:
    """The provider is erred, with the reason. True: the failure is stored where administrators see it."""
    text = str(problem)
    work.execute(
        update(settings)
        .where(settings.c.id == service.id, settings.c.state.in_([OK, ERRED]))
        .where((settings.c.state != ERRED) | (settings.c.error_message != text))
        .values(state=ERRED, error_message=text)
    )
    return True


def recover(work: Work, service: Service) -> None:
    """A provider that was erred and has been pulled is OK again."""
    if service.state == ERRED:
        own = update(settings).where(settings.c.id == service.id, settings.c.state == ERRED)
        work.execute(own.values(state=OK, error_message=""))


def _service(work: Work, row: Any) -> Service:
    return Service(
        row.id,
        row.name,
        row.uuid,
        row.type,
        row.state,
        row.backend_url or "",
        row.username or "",
        row.domain or "",
        work.secrets.opened(SERVICE_PASSWORD, row.password) or "",
        work.secrets.opened(SERVICE_TOKEN, row.token) or "",
        work.secrets.opened(SERVICE_OPTIONS, row.options),
    )
