"""waldur-remote-pull-offering-users: the names of people's accounts at remotes (spec remote 4)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, and_, case, exists, func, select

from waldur_dagster.clients.failures import ItemFailed
from waldur_dagster.clients.waldur import Document, Words
from waldur_dagster.marketplace.account_events import log_account_events
from waldur_dagster.platform.expressions import given_rows
from waldur_dagster.platform.merge import Merge
from waldur_dagster.remote.answers import Answers
from waldur_dagster.remote.losses import loses_too_much
from waldur_dagster.remote.pulled_offerings import offerings_with_accounts
from waldur_dagster.remote.remotes import Offering, client
from waldur_dagster.schema import core, marketplace
from waldur_dagster.site import Transactions
from waldur_dagster.visits import Visit, visit
from waldur_dagster.work import Work

account, offering, user = marketplace.offeringuser, marketplace.offering, core.user
CREATION_REQUESTED, OK = 1, 5  # states of newer versions
NOT_YET_OK = (CREATION_REQUESTED, 2, 3, 4, 9)  # creating, two kinds of waiting, creation failed


class OfferingUser(Document):
    """An account there: whose it is, by his name here and there, and what it is called ('' and None: not yet)."""

    user_username: Words
    username: Words | None = None


def pull_offering_users(transaction: Transactions) -> None:
    """Make the accounts of offerings what their remotes say: new ones of active users, other names, gone ones."""
    with transaction() as work:
        stops = offerings_with_accounts(work)
    answers: Answers[Offering, list[OfferingUser]] = Answers()
    visit(transaction, stops, fetch_accounts, answers.note)
    answers.merge(transaction, merge_accounts)


def fetch_accounts(visit: Visit, place: Offering) -> list[OfferingUser]:
    if not place.backend_id:  # a filter without a value is none: the remote would tell all accounts that it has
        raise ItemFailed("it has no backend_id, so nobody knows which offering of the remote it is")
    api = client(visit, place.remote)
    return [
        OfferingUser.read(found) for found in api.listed("marketplace-offering-users/", offering_uuid=place.backend_id)
    ]


def merge_accounts(work: Work, remote: str, answers: Sequence[tuple[Offering, Sequence[OfferingUser]]]) -> None:
    """Accounts of the offerings of one remote. Those of deactivated users are renamed, and neither made nor deleted.

    A user is found by his exact name, else by one that differs only in case. Where several users differ so, nothing of
    the offering is deleted in this run, since nobody knows whose account it is.
    """
    offerings = [place.id for place, _ in answers]
    scope = account.c.offering_id.in_(offerings)
    known = {(row.offering_id, row.user_id) for row in work.connection.execute(_keys().where(scope))}
    people = People(work, {one.user_username for _, accounts in answers for one in accounts})
    rows: list[dict[str, Any]] = []
    kept: list[int] = []
    for place, accounts in answers:
        names, undecided = _names_by_user(work, place, people, accounts)
        kept += [place.id] if undecided else []
        rows += [
            {"offering_id": place.id, "user_id": id, "username": name}
            for id, name in names.items()
            if id in people.active or (place.id, id) in known
        ]
    made = Merge(work, account, rows, key=["offering_id", "user_id"], columns=["username"], scope=scope)
    is_active = exists().where(user.c.id == account.c.user_id, user.c.is_active)
    stale = made.stale(and_(account.c.offering_id.not_in(kept), is_active))
    if not loses_too_much(work, remote, "accounts", lost=len(stale), known=len(known)):
        _log(work, "deleted", stale)
        made.delete(stale)
    made.update(["username"], also={"modified": work.as_of} | _state_of_named(work, made))
    _log(work, "created", _inserted(work, made))


def _keys() -> Select[tuple[int, int]]:
    return select(account.c.offering_id, account.c.user_id)


def _names_by_user(
    work: Work, place: Offering, people: People, accounts: Sequence[OfferingUser]
) -> tuple[dict[int, str | None], bool]:
    """The names of an offering's accounts by user, the last of several; and whether one may be that of several users.

    A name that does not fit is left out as well: its user's account stays as it is.
    """
    exact: dict[int, str | None] = {}
    similar: dict[int, str | None] = {}
    undecided = False
    for one in accounts:
        ids = people.named(one.user_username)
        if not ids:
            work.outcome.figures["accounts of unknown users"] += 1
        elif len(ids) > 1:
            undecided = True
            work.outcome.warn(
                str(place),
                f"the account of {one.user_username} may belong to {len(ids)} users whose names differ only in case; "
                "none of the offering's accounts was deleted",
            )
        elif one.username is not None and not work.schema.holds(account.c.username, one.username):
            undecided = True
            work.outcome.warn(str(place), f"the account name of {one.user_username} is too long and was left out")
        else:
            (exact if people.is_exact(one.user_username) else similar)[ids[0]] = one.username
    return similar | exact, undecided


class People:
    """Users here by the names that a remote has for them, however many offerings they have accounts of."""

    def __init__(self, work: Work, names: Collection[str]):
        self.active: set[int] = set()
        self._exact = self._found(work, names, user.c.username)
        self._similar = self._found(
            work, [name for name in names if name not in self._exact], func.lower(user.c.username)
        )

    def named(self, name: str) -> list[int]:
        """The user of exactly this name, else those whose names differ only in case."""
        return self._exact.get(name) or self._similar.get(name, [])

    def is_exact(self, name: str) -> bool:
        return name in self._exact

    def _found(self, work: Work, names: Collection[str], compared: ColumnElement[str]) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        if names:
            given = given_rows([{"name": name} for name in names], name=Text)
            wanted = given.c.name if compared is user.c.username else func.lower(given.c.name)
            columns = given.c.name, user.c.id, user.c.is_active
            for row in work.connection.execute(select(*columns).join_from(given, user, compared == wanted)):
                found.setdefault(row.name, []).append(row.id)
                self.active |= {row.id} if row.is_active else set()
        return found


def _inserted(work: Work, made: Merge) -> list[int]:
    name = made.pulled.c.username
    values = {
        "user_id": made.pulled.c.user_id,
        "username": name,
        "offering_id": made.pulled.c.offering_id,
        "is_restricted": False,
        "backend_metadata": {},
    }
    if work.schema.has_column(account.c.state):
        values["state"] = case((func.coalesce(name, "") == "", CREATION_REQUESTED), else_=OK)
    return [row.id for row in made.insert(values)]


def _state_of_named(work: Work, made: Merge) -> dict[str, Any]:
    """Newer versions: an account that has a name is there."""
    if not work.schema.has_column(account.c.state):
        return {}
    name = select(made.pulled.c.username).where(made.matches()).scalar_subquery()
    waits = and_(account.c.state.in_(NOT_YET_OK), func.coalesce(name, "") != "")
    return {"state": case((waits, OK), else_=account.c.state)}


def _log(work: Work, what: str, ids: Sequence[int]) -> None:
    if ids:
        log_account_events(work, account.c.id == func.any(list(ids)), what)
