"""The statements that keep support users, each for all of them at once (spec rancher_support, pull-support-users).

The key is the back end with its id and whether a row is active: so there may be an active and an inactive row of one
person. Issues and comments refer to both, so the active one is kept and its twin left as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Subquery,
    Table,
    Text,
    and_,
    exists,
    func,
    literal,
    null,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import distinct_on

from waldur_dagster.platform.expressions import given_rows
from waldur_dagster.schema.support import supportuser as person
from waldur_dagster.temporary import temporary_table
from waldur_dagster.work import Work

twin = person.alias("twin")


def of_desk(backend: str) -> ColumnElement[bool]:
    """Whose rows the help desk answers for."""
    return and_(person.c.backend_name == backend, func.coalesce(person.c.backend_id, "") != "")


def has_active(work: Work, backend: str) -> bool:
    return bool(work.connection.scalar(select(exists().where(of_desk(backend), person.c.is_active))))


def pulled_people(work: Work, rows: Sequence[dict[str, Any]]) -> Table:
    """The pulled rows as the temporary table ``pulled_person``, one for each id."""
    by_id: dict[str, dict[str, Any]] = {}
    for row in rows:
        by_id.setdefault(row["backend_id"], row)
    given = given_rows(list(by_id.values()), backend_id=Text, name=Text, is_active=Boolean, login=Text, email=Text)
    return temporary_table(work, "pulled_person", select(given))


def known(backend: str) -> Subquery:
    """The row of each person: the active one, else the oldest."""
    return (
        select(person.c.id, person.c.backend_id, person.c.is_active, person.c.user_id)
        .ext(distinct_on(person.c.backend_id))
        .where(of_desk(backend))
        .order_by(person.c.backend_id, person.c.is_active.desc(), person.c.id)
        .subquery("known")
    )


def adopt(work: Work, backend: str, pulled: Table) -> None:
    """A row of a listed person that names no back end becomes this one's, where it has none of him."""
    orphan = (
        select(person.c.id)
        .ext(distinct_on(person.c.backend_id))
        .where(
            person.c.backend_name.is_(None),
            person.c.backend_id.in_(select(pulled.c.backend_id)),
            ~exists().where(twin.c.backend_name == backend, twin.c.backend_id == person.c.backend_id),
        )
        .order_by(person.c.backend_id, person.c.is_active.desc(), person.c.id)
    )
    work.execute(update(person).where(person.c.id.in_(orphan)).values(backend_name=backend))


def update_known(work: Work, backend: str, pulled: Table) -> None:
    """Names and whether they are active, as the help desk says."""
    own = known(backend)
    stays = and_(own.c.is_active, ~pulled.c.is_active, _has_inactive_twin(backend, own.c.backend_id))
    listed = pulled.join(own, own.c.backend_id == pulled.c.backend_id)
    _warn_of_twins(work, select(pulled.c.name).select_from(listed).where(stays))
    new = (
        select(own.c.id, pulled.c.name, (pulled.c.is_active | stays).label("is_active"))
        .select_from(listed)
        .subquery("new")
    )
    differs = (person.c.name != new.c.name) | (person.c.is_active != new.c.is_active)
    work.execute(
        update(person).where(person.c.id == new.c.id, differs).values(name=new.c.name, is_active=new.c.is_active)
    )


def insert(work: Work, backend: str, pulled: Table) -> None:
    own = known(backend)
    fresh = select(
        func.gen_random_uuid().label("uuid"),
        pulled.c.backend_id,
        pulled.c.name,
        pulled.c.is_active,
        literal(backend).label("backend_name"),
        null().label("user_id"),
    ).where(pulled.c.backend_id.not_in(select(own.c.backend_id)))
    work.execute(work.insert_from(person, fresh))


def deactivate(work: Work, backend: str, pulled: Table, but: Sequence[str] = ()) -> None:
    """Those that are not listed, ``but`` those of such an id or name.

    One with an inactive twin stays, since the key allows no second one.
    """
    gone = and_(of_desk(backend), person.c.is_active, person.c.backend_id.not_in(select(pulled.c.backend_id)))
    gone = and_(gone, person.c.backend_id.not_in(but), person.c.name.not_in(but))
    has_twin = _has_inactive_twin(backend, person.c.backend_id)
    _warn_of_twins(work, select(person.c.name).where(gone, has_twin))
    work.execute(update(person).where(gone, ~has_twin).values(is_active=False))


def _has_inactive_twin(backend: str, backend_id: ColumnElement[Any]) -> ColumnElement[bool]:
    return exists().where(twin.c.backend_name == backend, twin.c.backend_id == backend_id, ~twin.c.is_active)


def _warn_of_twins(work: Work, names: Any) -> None:
    for name in work.connection.scalars(names):
        work.outcome.warn(f"support user {name}", "stays active: there is an inactive row of the same person already")
