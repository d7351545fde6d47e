"""waldur-remote-pull-robot-accounts: accounts of programs in resources at remotes (spec remote 9)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from waldur_dagster.clients.failures import VisitFailed
from waldur_dagster.marketplace.states import ResourceState
from waldur_dagster.remote.answers import Answers
from waldur_dagster.remote.pulls import FEW, NotByResource, by_resource
from waldur_dagster.remote.remotes import Resource, client, read_resources, resource
from waldur_dagster.remote.robot_account_rows import RobotAccount, account, merge_accounts
from waldur_dagster.site import Transactions
from waldur_dagster.visits import Circuit, Stop, Visit, visit
from waldur_dagster.work import Work

ACCOUNTS = "marketplace-robot-accounts/"
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

    def note(work: Work, group: Group, fetched: dict[int, list[RobotAccount] | VisitFailed]) -> None:
        for place in group.resources:
            accounts = fetched[place.id]
            if isinstance(accounts, VisitFailed):
                work.outcome.fail(str(place), str(accounts))
            else:
                answers.note(work, place, accounts)

    visit(transaction, stops, fetch_accounts, note, allowed=ALLOWED)
    answers.merge(transaction, merge_accounts)


def fetch_accounts(visit: Visit, group: Group) -> dict[int, list[RobotAccount] | VisitFailed]:
    """The accounts of each resource, or why they cannot be taken.

    What a list of all has none of, but is known here, is asked for once more; so is all, where it does not say whose
    its accounts are.
    """
    api, circuit = client(visit, group.resources[0].offering.remote), Circuit()

    def of_one(place: Resource) -> list[RobotAccount]:
        return [RobotAccount.read(one) for one in api.listed(ACCOUNTS, resource_uuid=place.backend_id)]

    def again(place: Resource) -> list[RobotAccount] | VisitFailed:
        try:
            found = of_one(place)
        except VisitFailed as problem:
            if circuit.note(problem):
                raise
            return problem
        circuit.note(None)
        return found

    if len(group.resources) == 1:
        return {place.id: of_one(place) for place in group.resources}
    organization = group.resources[0].offering.customer_uuid
    try:
        listed = by_resource(api.listed(ACCOUNTS, customer_uuid=organization), RobotAccount.read)
    except NotByResource:
        return {place.id: again(place) for place in group.resources}
    return {
        place.id: again(place) if not here and place.id in group.mirrored else here
        for place in group.resources
        for here in [listed.get(place.backend_id, [])]
    }


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
