"""Pulling resources of remotes: by offering where there are many, one by one where there are few (spec remote 1.7).

The list of an offering gives in pages of 200 what single requests would give one by one. What is few is asked for
singly all the same: a list may hold what other customers of the remote have, and a single answer concerns nobody else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from waldur_dagster.clients.failures import ItemFailed, VisitFailed
from waldur_dagster.clients.waldur import Waldur, uuid_text
from waldur_dagster.platform.isolation import isolated
from waldur_dagster.remote.remotes import Offering, Resource, client
from waldur_dagster.site import Transactions
from waldur_dagster.visits import Partly, Stop, Visit, visit
from waldur_dagster.work import Work

FEW = 20  # resources of an offering that are asked for one by one
TOGETHER = 1000  # resources that are merged in one set of statements
# By these a server says that it does not know such a list or such a filter.
NO_SUCH_LIST = frozenset({400, 404, 405, 501})

Pulled = TypeVar("Pulled")
Read = TypeVar("Read")


class NotByResource(ItemFailed):
    """The items of a list do not say whose they are, so it is of no use for many resources at once."""


@dataclass(frozen=True)
class Listing(Generic[Pulled]):
    """What the resources of an offering have, by their uuids at the remote: what was pulled, or why it cannot be
    taken, or not all of it. ``absent`` is what a resource has that is not among them; without it the resource is asked
    for singly."""

    found: Mapping[str, Pulled | VisitFailed | Partly]
    absent: Pulled | None = None


@dataclass(frozen=True)
class Kind(Generic[Pulled]):
    """What is pulled of resources.

    ``one`` asks for what a single resource has, ``of_offering`` for what all resources of an offering have; either may
    raise Partly. ``merge`` makes it so here, in a constant number of statements.
    """

    one: Callable[[Waldur, Resource], Pulled]
    of_offering: Callable[[Waldur, Offering], Listing[Pulled]]
    merge: Callable[[Work, Sequence[tuple[Resource, Pulled]]], None]


@dataclass(frozen=True)
class _Batch:
    offering: Offering
    resources: tuple[Resource, ...]


def pull_resources(transaction: Transactions, resources: Sequence[Resource], kind: Kind[Pulled]) -> None:
    """Pull what ``kind`` says. A resource that fails, an offering, or a remote, stops nobody else and changes nothing.

    Requests are in the order of pages; where a remote knows no list of an offering, in that of its resources.
    """
    batches, alone = _split(resources)
    single = dict.fromkeys(alone)

    def fetch_list(visiting: Visit, batch: _Batch) -> Listing[Pulled] | None:
        try:
            return kind.of_offering(client(visiting, batch.offering.remote), batch.offering)
        except VisitFailed as problem:
            if isinstance(problem, NotByResource) or problem.status in NO_SUCH_LIST:
                return None
            raise

    def merge_list(work: Work, batch: _Batch, listing: Listing[Pulled] | None) -> None:
        listed, missing = list[tuple[Resource, Pulled]](), list[Resource]()
        for resource in batch.resources:
            pulled = None if listing is None else listing.found.get(resource.backend_id, listing.absent)
            if isinstance(pulled, VisitFailed | Partly):
                work.outcome.fail(str(resource), str(pulled))
            if isinstance(pulled, Partly):
                pulled = pulled.fetched
            if isinstance(pulled, VisitFailed):
                continue
            if pulled is not None:
                listed.append((resource, pulled))
            else:
                missing.append(resource)
        merge_together(work, listed, kind.merge)
        single.update(dict.fromkeys(missing))

    def fetch_one(visiting: Visit, resource: Resource) -> Pulled:
        return kind.one(client(visiting, resource.offering.remote), resource)

    def merge_one(work: Work, resource: Resource, found: Pulled) -> None:
        kind.merge(work, [(resource, found)])

    visit(transaction, [Stop(b.offering.remote.name, str(b.offering), b) for b in batches], fetch_list, merge_list)
    visit(transaction, [Stop(r.offering.remote.name, str(r), r) for r in single], fetch_one, merge_one)


def merge_together(
    work: Work,
    pulled: Sequence[tuple[Resource, Pulled]],
    merge: Callable[[Work, Sequence[tuple[Resource, Pulled]]], None],
) -> None:
    """Merge many at once; where one of them makes that fail, each by itself, so that it alone is reported."""
    for begin in range(0, len(pulled), TOGETHER):
        part = pulled[begin : begin + TOGETHER]
        with isolated(work, str(part[0][0]), tell=len(part) == 1) as attempt:
            merge(work, part)
        if attempt.problem and len(part) > 1:
            for one in part:
                with isolated(work, str(one[0])):
                    merge(work, [one])


def by_resource(
    items: Iterable[Mapping[str, Any]], read: Callable[[Mapping[str, Any]], Read]
) -> dict[str, list[Read] | VisitFailed]:
    """The items of a list by the resource that they name; a malformed one spoils those of its resource only.

    Raises NotByResource when an item names none.
    """
    found: dict[str, list[Read] | VisitFailed] = {}
    for item in items:
        name = item.get("resource_uuid")
        if not isinstance(name, str):
            raise NotByResource("the items of the list name no resource")
        resource = uuid_text(name)
        own = found.setdefault(resource, [])
        if isinstance(own, list):
            try:
                own.append(read(item))
            except VisitFailed as problem:
                found[resource] = problem
    return found


def _split(resources: Iterable[Resource]) -> tuple[list[_Batch], list[Resource]]:
    """Whole offerings, and what is asked for singly."""
    by_offering: dict[Offering, list[Resource]] = defaultdict(list)
    for resource in resources:
        by_offering[resource.offering].append(resource)
    batches, single = [], []
    for offering, own in by_offering.items():
        if len(own) > FEW and offering.backend_id:
            batches.append(_Batch(offering, tuple(own)))
        else:
            single += own
    return batches, single
