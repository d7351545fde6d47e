"""The common frame of the pulls by tenant: kind after kind, and what becomes of the tenant (spec openstack 0.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import update

from waldur_dagster.clients.failures import ItemFailed, VisitFailed
from waldur_dagster.openstack.providers import Sessions, Tenant, due_tenants
from waldur_dagster.openstack.rows import follow_rows, lock_tenants
from waldur_dagster.platform.isolation import isolated
from waldur_dagster.platform.plugin_resources import ERRED, OK
from waldur_dagster.schema import openstack
from waldur_dagster.site import Transactions
from waldur_dagster.visits import Partly, Visit, visit
from waldur_dagster.work import Work

tenant = openstack.tenant


@dataclass(frozen=True)
class Kind:
    """One step of a pull: what is fetched, and how it is merged. ``merge`` sees what all kinds have fetched.

    ``is_followed``: the marketplace has resources that stand for what is written.
    """

    name: str
    fetch: Callable[[Sessions, Mapping[str, Any]], Any]
    merge: Callable[[Work, Tenant, Mapping[str, Any]], None]
    is_followed: bool = False


@dataclass
class Pulled:
    """What was fetched of a tenant by kind; ``whole`` when nothing is missing."""

    kinds: dict[str, Any] = field(default_factory=dict)
    whole: bool = False


def pull_tenants(transaction: Transactions, kinds: Sequence[Kind]) -> None:
    """Pull all tenants that are OK or erred, kind after kind.

    The first kind that fails ends the pull of its tenant, which becomes erred with the reason; the kinds before it are
    kept. A tenant that is pulled wholly is OK again.
    """
    with transaction() as work:
        stops = due_tenants(work)

    def fetch(visiting: Visit, place: Tenant) -> Pulled:
        pulled = Pulled()
        sessions = Sessions(visiting, place)
        for kind in kinds:
            try:
                pulled.kinds[kind.name] = kind.fetch(sessions, pulled.kinds)
            except VisitFailed as problem:
                raise Partly(pulled, problem) from None
            except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
                words = f"the answer about {kind.name} has an unknown form: {type(error).__name__} {error}"
                raise Partly(pulled, ItemFailed(words)) from None
        pulled.whole = True
        return pulled

    def merge(work: Work, place: Tenant, pulled: Pulled) -> None:
        lock_tenants(work, tenant.c.id == place.id, contents=any(kind.is_followed for kind in kinds))
        for kind in kinds:
            if kind.name not in pulled.kinds:
                return
            with isolated(work, str(place)) as attempt:
                kind.merge(work, place, pulled.kinds)
            if attempt.problem:
                keep_failure(work, place, ItemFailed(f"{kind.name}: {attempt.problem}"))
                return
        if pulled.whole:
            recover(work, place)

    visit(transaction, stops, fetch, merge, failed=keep_failure)


def keep_failure(work: Work, place: Tenant, problem: VisitFailed) -> bool:
    """The tenant is erred, with the reason; its resource follows. True: the failure is stored where users see it."""
    lock_tenants(work, tenant.c.id == place.id)
    text = str(problem)
    written = (
        update(tenant)
        .where(tenant.c.id == place.id, tenant.c.state.in_([OK, ERRED]))
        .where((tenant.c.state != ERRED) | (tenant.c.error_message != text))
        .values(state=ERRED, error_message=text, modified=work.as_of)
    )
    if work.execute(written).rowcount and place.state == OK:
        follow_rows(work, tenant, [(place.id, OK, ERRED)])
    return True


def recover(work: Work, place: Tenant) -> None:
    """A tenant that was erred is OK again, and so is its resource."""
    if place.state != ERRED:
        return
    written = update(tenant).where(tenant.c.id == place.id, tenant.c.state == ERRED)
    if work.execute(written.values(state=OK, error_message="", modified=work.as_of)).rowcount:
        follow_rows(work, tenant, [(place.id, ERRED, OK)])
