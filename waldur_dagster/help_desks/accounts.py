"""Which Waldur account a support user of Zammad is (spec rancher_support, pull-support-users 4)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Integer, Row, Table, exists, func, literal, select, union_all, update

from waldur_dagster.help_desks.people_rows import known, of_desk
from waldur_dagster.platform.expressions import given_rows
from waldur_dagster.schema.core import user
from waldur_dagster.schema.support import supportuser as person
from waldur_dagster.work import Work

LOGIN, ADDRESS = "login", "address"


def link_accounts(work: Work, backend: str, pulled: Table) -> None:
    """Link support users that have no account yet to the active account of their login, else of their address.

    Case does not count, but an account of exactly that login, or address, is preferred. Where several accounts fit a
    person, or one account fits several people, nobody is linked; an account that an active person of the help desk has
    is taken. Each of these is reported. A link that is there never changes.
    """
    chosen: defaultdict[int, dict[str, list[Row[Any]]]] = defaultdict(lambda: {LOGIN: [], ADDRESS: []})
    for candidates in _by_person(work.connection.execute(_candidates(backend, pulled))):
        first, *others = _fitting(candidates)
        if first.is_taken:
            words = f"is not linked: the account of this {first.by} is another one's"
            work.outcome.warn(f"support user {first.name}", words)
        elif others:
            words = f"is not linked: {len(others) + 1} accounts have this {first.by}"
            work.outcome.warn(f"support user {first.name}", words)
        else:
            chosen[first.user_id][first.by].append(first)
    links = []
    for found in chosen.values():
        people = found[LOGIN] or found[ADDRESS]
        if len(people) == 1:
            links.append({"id": people[0].id, "user_id": people[0].user_id})
        else:
            names = ", ".join(one.name for one in people)
            work.outcome.warn(f"support users {names}", f"are not linked: one account has the {people[0].by} of all")
    if links:
        given = given_rows(links, id=Integer, user_id=Integer)
        own = update(person).where(person.c.id == given.c.id, person.c.user_id.is_(None))
        work.execute(own.values(user_id=given.c.user_id))


def _candidates(backend: str, pulled: Table) -> Any:
    """Every person without an account, with every account that fits by login or address, and whether that is taken.

    Those whom Waldur itself made, without an id, take no account, nor does one who is no longer active.
    """
    own = known(backend)
    taken = exists().where(person.c.user_id == user.c.id, of_desk(backend), person.c.is_active)
    columns = (own.c.id, pulled.c.name, user.c.id.label("user_id"), taken.label("is_taken"))
    ways = ((LOGIN, pulled.c.login, user.c.username), (ADDRESS, pulled.c.email, user.c.email))
    found = union_all(
        *(
            select(*columns, literal(by).label("by"), (account == value).label("is_exact"))
            .select_from(pulled.join(own, own.c.backend_id == pulled.c.backend_id))
            .join(user, func.lower(account) == func.lower(value))
            .where(own.c.user_id.is_(None), value != "", user.c.is_active)
            for by, value, account in ways
        )
    ).subquery("candidate")
    return select(found).order_by(found.c.id, found.c.user_id)


def _by_person(rows: Iterable[Row[Any]]) -> Iterable[list[Row[Any]]]:
    people: defaultdict[int, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        people[row.id].append(row)
    return people.values()


def _fitting(candidates: list[Row[Any]]) -> list[Row[Any]]:
    """One row for each account that is left when free ones come before others, logins before addresses, exact ones
    before others."""
    free = [row for row in candidates if not row.is_taken] or candidates
    best = max((row.by == LOGIN, row.is_exact) for row in free)
    return [row for row in free if (row.by == LOGIN, row.is_exact) == best]
