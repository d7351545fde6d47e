"""waldur-remote-pull-robot-accounts: accounts of programs in resources at remotes (spec remote 9)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from waldur_dagster.marketplace.states import ResourceState
from waldur_dagster.remote.answers import Answers
from waldur_dagster.remote.pulls import FEW
from waldur_dagster.remote.remotes import Resource, client, read_resources, resource
from waldur_dagster.remote.robot_account_rows import RobotAccount, account, merge_accounts
from waldur_dagster.site import Transactions
from waldur_dagster.visits import Stop, Visit, visit
from waldur_dagster.work import Work

ALLOWED = 3600.0  # seconds for the calls of one list


@dataclass(frozen=True)
class Group:
    """Resources of one organization at one remote; ``mirrored``: those that have accounts from there."""

    resources: tuple[Resource, ...]
    mirrored: frozenset[int]

    def __str__(self) -> str:
        if len(self.resources) == 1:
            return str(self.resources[0])
        return f"robot accounts of {len(self.resources)} resources"


def pull_robot_accounts(transaction: Transactions) -> None:
    """Make the robot accounts of resources that are not terminated what their remotes say."""
    with transaction() as work:
        stops = list(_stops(work, read_resources(work, resource.c.state != ResourceState.TERMINATED)))
    answers: Answers[Resource, list[RobotAccount]] = Answers()

    def note(work: Work, group: Group, fetched: dict[int, list[RobotAccount]]) -> None:
        for place in group.resources:
            answers.note(work, place, fetched[place.id])

    visit(transaction, stops, fetch_accounts, note, allowed=ALLOWED)
    answers.merge(transaction, merge_accounts)


def fetch_accounts(visit: Visit, group: Group) -> dict[int, list[RobotAccount]]:
    """The accounts of each resource. What a list of all has none of, but is known here, is asked for once more."""
    api = client(visit, group.resources[0].offering.remote)

    def of_one(place: Resource) -> list[RobotAccount]:
        return _read(api.listed("marketplace-robot-accounts/", resource_uuid=place.backend_id))

    if len(group.resources) == 1:
        return {place.id: of_one(place) for place in group.resources}
    found: dict[str, list[RobotAccount]] = defaultdict(list)
    organization = group.resources[0].offering.customer_uuid
    for one in _read(api.listed("marketplace-robot-accounts/", customer_uuid=organization)):
        found[one.resource_uuid].append(one)
    return {
        place.id: of_one(place) if not here and place.id in group.mirrored else here
        for place in group.resources
        for here in [found.get(place.backend_id, [])]
    }


def _read(found: Iterable[dict[str, Any]]) -> list[RobotAccount]:
    return [RobotAccount.read(one) for one in found]


def _stops(work: Work, resources: Sequence[Resource]) -> Iterator[Stop[Group]]:
    by_place: dict[tuple[Any, str], list[Resource]] = defaultdict(list)
    for one in resources:
        by_place[one.offering.remote, one.offering.customer_uuid].append(one)
    mirrored = frozenset(
        work.connection.scalars(select(account.c.resource_id).where(account.c.backend_id != "").distinct())
    )
    for (remote, organization), places in by_place.items():
        together = organization and len(places) > FEW
        for group in [tuple(places)] if together else [(place,) for place in places]:
            known = frozenset(place.id for place in group if place.id in mirrored)
            made = Group(group, known)
            yield Stop(remote.name, str(made), made)
