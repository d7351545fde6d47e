"""Which clouds and tenants a site has, and who logs in there (spec openstack 0.3 and 0.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import func, select

from waldur_dagster.clients.openstack import Account, Cloud, Connections
from waldur_dagster.database.encryption import SERVICE_OPTIONS, SERVICE_PASSWORD, NotOpened
from waldur_dagster.platform.plugin_resources import ERRED, OK
from waldur_dagster.schema import openstack, structure
from waldur_dagster.visits import Stop, Visit
from waldur_dagster.work import Work

TYPE = "OpenStack"
NO_PROJECT = "Tenant has no backend_id"
T = TypeVar("T")
settings, tenant = structure.servicesettings, openstack.tenant


@dataclass(frozen=True)
class Provider:
    """One row of service settings: a cloud, and its administrator's account."""

    id: int
    name: str
    uuid: UUID
    state: int
    admin: Account
    options: Mapping[str, Any] = field(repr=False)

    def __str__(self) -> str:
        return f"cloud {self.name} ({self.uuid.hex})"


@dataclass(frozen=True)
class Tenant:
    """A tenant, and who logs in for it. ``backend_id`` is the id of its project at keystone."""

    id: int
    name: str
    uuid: UUID
    state: int
    backend_id: str
    project_id: int
    account: Account
    provider: Provider

    def __str__(self) -> str:
        return f"tenant {self.name} ({self.uuid.hex})"


class Sessions:
    """The sessions that pulling one tenant needs. The administrator's is shared by all tenants of the cloud."""

    def __init__(self, visit: Visit, place: Tenant):
        self.place = place
        self._visit = visit
        self.tenant = Cloud(place.account, _connections(visit, place.account))

    @property
    def admin(self) -> Cloud:
        return admin_session(self._visit, self.place.provider.admin)

    def shared(self, what: str, ask: Callable[[], T]) -> T:
        """An answer that is the same for all tenants of the cloud; it is asked for once."""
        return self._visit.client(what, ask)


def admin_session(visit: Visit, account: Account) -> Cloud:
    """The administrator's session, logged in once for all items of the cloud."""
    return visit.client("admin", lambda: Cloud(account, _connections(visit, account)).logged_in())


def _connections(visit: Visit, account: Account) -> Connections:
    return visit.client("connections", lambda: Connections(account))


def read_providers(work: Work, chosen: Sequence[int] | None = None) -> dict[int, Provider]:
    """The clouds of the site by id (only ``chosen`` ones). One whose secrets cannot be opened is a failure."""
    columns = ("id", "name", "uuid", "state", "backend_url", "username", "password", "domain", "options")
    wanted = select(*(settings.c[name] for name in columns)).where(settings.c.type == TYPE).order_by(settings.c.id)
    found = {}
    for row in work.connection.execute(wanted if chosen is None else wanted.where(settings.c.id.in_(chosen))):
        try:
            found[row.id] = _provider(work, row)
        except (NotOpened, ValueError) as problem:
            work.outcome.fail(f"cloud {row.name} ({row.uuid.hex})", f"cannot be visited: {problem}")
    return found


def due_tenants(work: Work, states: Iterable[int] = (OK, ERRED)) -> list[Stop[Tenant]]:
    """Tenants in these states that have a project at their cloud, whatever the state of the cloud itself."""
    has_project = func.coalesce(tenant.c.backend_id, "") != ""
    return stops_of(read_tenants(work, tenant.c.state.in_(tuple(states)), has_project))


def stops_of(tenants: Iterable[Tenant]) -> list[Stop[Tenant]]:
    return [Stop(str(found.provider), str(found), found) for found in tenants]


def read_tenants(work: Work, *where: Any) -> list[Tenant]:
    """The tenants that ``where`` chooses, by id, of the clouds that can be visited."""
    columns = ("id", "name", "uuid", "state", "backend_id", "project_id", "service_settings_id")
    login = ("user_username", "user_password")
    rows = work.connection.execute(select(*(tenant.c[n] for n in columns + login)).where(*where).order_by(tenant.c.id))
    found = rows.all()
    providers = read_providers(work, sorted({row.service_settings_id for row in found})) if found else {}
    return [
        Tenant(
            row.id,
            row.name,
            row.uuid,
            row.state,
            row.backend_id or "",
            row.project_id,
            _account(provider.admin, row),
            provider,
        )
        for row in found
        if (provider := providers.get(row.service_settings_id)) is not None
    ]


def account_of(url: str, username: str, password: str, options: Mapping[str, Any], domain: str) -> Account:
    """The administrator's account that a cloud's service settings describe."""
    return Account(
        auth_url=url,
        username=username,
        password=password,
        domain=domain or "Default",
        project_name=str(options.get("tenant_name") or "admin"),
        verify=bool(options.get("verify_ssl", False)),
        certificate=str(options.get("certificate") or ""),
        auth_type=str(options.get("auth_type") or "password"),
    )


def _provider(work: Work, row: Any) -> Provider:
    options = work.secrets.opened(SERVICE_OPTIONS, row.options)
    password = work.secrets.opened(SERVICE_PASSWORD, row.password) or ""
    admin = account_of(row.backend_url or "", row.username or "", password, options, row.domain or "")
    return Provider(row.id, row.name, row.uuid, row.state, admin, options)


def _account(admin: Account, row: Any) -> Account:
    """Tenants have a user of their own, with a password, whatever the administrator logs in with."""
    return Account(
        auth_url=admin.auth_url,
        username=row.user_username,
        password=row.user_password,
        domain=admin.domain,
        project_id=row.backend_id or "",
        verify=admin.verify,
        certificate=admin.certificate,
    )
