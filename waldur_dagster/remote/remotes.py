"""Which remote Waldurs a site resells, what is bought there, and who asks there (spec remote 1.1).

An entry chooses resources (``read_resources``) or offerings (``read_offerings``), makes a ``Stop`` of each with the
remote's name as its system, and asks through ``client``. Both pass over, with a failure for each, offerings that say
no address or no token, and those whose token no key opens. All are plain values, which threads may share.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import ColumnElement, select

from waldur_dagster.clients.waldur import Waldur, uuid_text
from waldur_dagster.database.encryption import OFFERING_SECRETS, NotOpened
from waldur_dagster.marketplace.approval import REMOTE as TYPE
from waldur_dagster.schema import marketplace
from waldur_dagster.visits import Visit
from waldur_dagster.work import Work

offering, resource = marketplace.offering, marketplace.resource


@dataclass(frozen=True)
class Remote:
    """One remote Waldur, as one token sees it. ``api_url`` ends in a slash.

    ``name`` tells it apart in findings: several tokens for one address are several remotes, so that one that is
    refused stops nobody else.
    """

    api_url: str
    token: str = field(repr=False)
    verify: bool = True
    name: str = field(default="", compare=False)


@dataclass(frozen=True)
class Offering:
    """An offering that is bought at a remote. ``backend_id`` is its uuid there, ``customer_uuid`` that of our
    organization there ('' when it is not known); both of 32 hex digits."""

    id: int
    name: str
    uuid: UUID
    state: int
    customer_id: int
    backend_id: str
    customer_uuid: str
    plugin_options: Mapping[str, Any] = field(repr=False, compare=False)
    remote: Remote

    def __str__(self) -> str:
        return f"offering {self.name} ({self.uuid.hex})"


@dataclass(frozen=True)
class Resource:
    """A resource that was bought at a remote; ``backend_id`` is its uuid there, of 32 hex digits, even where Waldur has
    stored it with dashes."""

    id: int
    name: str
    uuid: UUID
    backend_id: str
    offering: Offering

    def __str__(self) -> str:
        return f"resource {self.name} ({self.uuid.hex})"


def is_newer(work: Work) -> bool:
    """Whether the site's Waldur has the rules of today: it has the columns that came with them."""
    return work.schema.has_column(offering.c.access_url)


def address_of_api(work: Work, configured: str) -> str:
    """What paths are relative to, with a slash at its end. Newer versions of Waldur ask below ``api``, whether the
    configured address ends in it or not; up to 2024 it is taken as it is."""
    address = configured.rstrip("/")
    return f"{address.removesuffix('/api')}/api/" if is_newer(work) else f"{address}/"


def client(visit: Visit, remote: Remote) -> Waldur:
    """The one client of a remote in this run; it may be used by several threads."""
    return visit.client(remote.token, lambda: Waldur(remote.api_url, remote.token, verify=remote.verify))


def read_offerings(work: Work, *where: ColumnElement[bool], optional: bool = False) -> list[Offering]:
    """The offerings that are bought at remotes and that ``where`` chooses, by name.

    Those that cannot be visited are failures, or warnings where they are ``optional``.
    """
    report = work.outcome.warn if optional else work.outcome.fail
    columns = ("id", "name", "uuid", "state", "customer_id", "backend_id", "plugin_options", "secret_options")
    chosen = select(*(offering.c[name] for name in columns)).where(offering.c.type == TYPE, *where)
    found = []
    remotes: dict[tuple[str, str], Remote] = {}
    for row in work.connection.execute(chosen.order_by(offering.c.name, offering.c.id)):
        try:
            secrets = work.secrets.opened(OFFERING_SECRETS, row.secret_options)
            remote = _remote(work, secrets, remotes)
        except (NotOpened, ValueError) as problem:
            report(f"offering {row.name} ({row.uuid.hex})", f"cannot be visited: {problem}")
        else:
            found.append(_offering(row, secrets, remote))
    return found


def read_resources(work: Work, *where: ColumnElement[bool], order: Iterable[Any] = ()) -> list[Resource]:
    """The resources at remotes that ``where`` chooses, by ``created``; those that no remote knows yet are left out."""
    rows = work.connection.execute(
        select(resource.c.id, resource.c.name, resource.c.uuid, resource.c.backend_id, resource.c.offering_id)
        .join(offering, offering.c.id == resource.c.offering_id)
        .where(offering.c.type == TYPE, resource.c.backend_id != "", *where)
        .order_by(*order, resource.c.created, resource.c.id)
    ).all()
    offerings = offerings_by_id(work, {row.offering_id for row in rows})
    return [
        Resource(row.id, row.name, row.uuid, uuid_text(row.backend_id), offerings[row.offering_id])
        for row in rows
        if row.offering_id in offerings
    ]


def offerings_by_id(work: Work, ids: Collection[int], *, optional: bool = False) -> dict[int, Offering]:
    """As ``read_offerings``, for those with these ids."""
    found = read_offerings(work, offering.c.id.in_(sorted(ids)), optional=optional) if ids else []
    return {one.id: one for one in found}


def _offering(row: Any, secrets: Mapping[str, Any], remote: Remote) -> Offering:
    return Offering(
        row.id,
        row.name,
        row.uuid,
        row.state,
        row.customer_id,
        uuid_text(row.backend_id or ""),
        uuid_text(str(secrets.get("customer_uuid") or "")),
        row.plugin_options or {},
        remote,
    )


def _remote(work: Work, secrets: Mapping[str, Any], known: dict[tuple[str, str], Remote]) -> Remote:
    """Raises ValueError when the secret options say no remote."""
    api_url, token = (str(secrets.get(key) or "").strip() for key in ("api_url", "token"))
    if not api_url or not token:
        missing = [key for key, value in (("api_url", api_url), ("token", token)) if not value]
        raise ValueError(f"its secret options have no {' and no '.join(missing)}")
    if urlsplit(api_url).scheme not in {"http", "https"} or not urlsplit(api_url).hostname:
        raise ValueError("the api_url of its secret options is no address of the web")
    api_url = address_of_api(work, api_url)
    if (api_url, token) not in known:
        others = sum(url == api_url for url, _ in known)
        name = f"Waldur at {api_url}" + (f" (token {others + 1})" if others else "")
        known[api_url, token] = Remote(api_url, token, work.deployment.remote_waldurs.verify_tls, name)
    return known[api_url, token]
