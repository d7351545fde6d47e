"""What texts of operators are shown of Waldur's objects: ``{{ resource.project.customer.name }}`` under Waldur's names.

A view carries the facts that the job's own statement has fetched. When a text asks for another one, it is fetched for
all objects of the run at once: one statement for each kind of object, however many mails there are, and none for sites
whose texts do not ask. Views can only be read; secrets are not among their names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any
from uuid import UUID

from sqlalchemy import Select, case, column, func, literal_column, select, table

from waldur_dagster.work import Work

Facts = Mapping[str, Any]
_DATES = ("date", "timestamp with time zone")


class View:
    """Something that a text can look into by name, and print.

    Printed is the fact ``_text``, which no text can name, or else the name.
    """

    __slots__ = ("_facts", "_more")

    def __init__(self, facts: Facts, more: Callable[[], Facts] = dict):
        """``more`` gives the facts that are fetched when one is asked for that ``facts`` has not."""
        self._facts, self._more = facts, more

    def __getitem__(self, name: str) -> Any:
        return self._facts[name] if name in self._facts else self._more()[name]

    def __contains__(self, name: object) -> bool:
        return name in self._facts or name in self._more()

    def __iter__(self) -> Iterator[str]:
        """The names that are at hand."""
        return iter(self._facts)

    def __bool__(self) -> bool:
        return True

    def __str__(self) -> str:
        known = self._facts if {"_text", "name"} & self._facts.keys() else self._more()
        return str(known.get("_text", known.get("name", "")))

    def __repr__(self) -> str:
        return "<View>"

    def __eq__(self, other: object) -> bool:
        """Views of one object are equal, so that texts can group by them."""
        return self is other or (isinstance(other, View) and "uuid" in self and self["uuid"] == other["uuid"])

    def __hash__(self) -> int:
        return hash(self["uuid"]) if "uuid" in self else id(self)


class Identifier(str):
    """A uuid as Waldur prints it; ``uuid.hex`` is the same."""

    @property
    def hex(self) -> str:
        return str(self)


def read_only(value: Any) -> Any:
    """A value that a text cannot change: tuples for lists, proxies for dictionaries, text for uuids."""
    if isinstance(value, UUID):
        return Identifier(value.hex)
    if isinstance(value, dict):
        return MappingProxyType({name: read_only(inner) for name, inner in value.items()})
    if isinstance(value, list):
        return tuple(map(read_only, value))
    return value


@dataclass(frozen=True)
class Kind:
    """A kind of object: its table and what texts may see of it.

    ``names`` are columns under their own names, empty where the site has none. ``references`` are other objects: the
    column with their id, and their kind. ``derived`` makes more facts of a row.
    """

    table: str
    names: tuple[str, ...]
    references: Mapping[str, tuple[str, Kind]] = field(default_factory=dict)
    derived: Callable[[Facts], Facts] = lambda _: {}


class Objects:
    """The objects of one kind that a run tells of, by id."""

    def __init__(self, work: Work, kind: Kind, ids: Iterable[int | None]):
        self._work, self._kind = work, kind
        self._ids = {number for number in ids if number is not None}
        self._fetched: dict[int, Facts] | None = None

    def view(self, number: int | None, **carried: Any) -> View | None:
        """The object with an id, None when there is none; ``carried`` are facts that are at hand."""
        if number is None:
            return None
        return View({name: read_only(value) for name, value in carried.items()}, partial(self._of, number))

    def _of(self, number: int) -> Facts:
        if self._fetched is None:
            self._fetched = self._fetch()
        return self._fetched.get(number, {})

    def _fetch(self) -> dict[int, Facts]:
        rows = [row._asdict() for row in self._work.connection.execute(self._statement())]
        references = {
            name: (id_column, Objects(self._work, kind, (row.get(id_column) for row in rows)))
            for name, (id_column, kind) in self._kind.references.items()
        }
        return {row["id"]: self._facts(row, references) for row in rows}

    def _facts(self, row: dict[str, Any], references: Mapping[str, tuple[str, Objects]]) -> Facts:
        facts: dict[str, Any] = {name: read_only(row.get(name, "")) for name in self._kind.names}
        facts |= {name: objects.view(row.get(id_column)) for name, (id_column, objects) in references.items()}
        return {**facts, **self._kind.derived(row)}

    def _statement(self) -> Select[Any]:
        known = self._work.schema.tables.get(self._kind.table, {})
        wanted = ["id", *self._kind.names, *(id_column for id_column, _ in self._kind.references.values())]
        columns: dict[str, Any] = {name: column(name) for name in wanted if name in known}
        source = table(self._kind.table, *columns.values())
        shown = [
            _readable(source.c[name]).label(name) if known[name].type in _DATES else source.c[name] for name in columns
        ]
        return select(*shown).where(source.c.id == func.any(sorted(self._ids)))


def _readable(moment: Any) -> Any:
    """A date or instant that Python can hold; others, as infinity, are nothing."""
    return case((moment.between(literal_column("'0001-01-02'"), literal_column("'9999-12-30'")), moment))


def _person(row: Facts) -> Facts:
    name = f"{row['first_name']} {row['last_name']}".strip()
    names = dict.fromkeys(("full_name", "get_full_name", "get_short_name"), name)
    return {**names, "_text": f"{row['username']} ({name})" if name else row["username"]}


def person_names(full_name: str) -> dict[str, str]:
    """The facts of a user under the names that most texts use for him."""
    return {"full_name": full_name, "get_full_name": full_name}


USER = Kind(
    "core_user",
    (
        *("uuid", "username", "email", "first_name", "last_name", "native_name", "phone_number", "organization"),
        *("job_title", "preferred_language", "is_staff", "is_support", "is_active", "date_joined"),
    ),
    derived=_person,
)
CUSTOMER = Kind(
    "structure_customer",
    (
        *("uuid", "name", "abbreviation", "native_name", "created", "email", "phone_number", "address", "country"),
        *("postal", "city", "contact_details", "agreement_number", "sponsor_number", "registration_code", "vat_code"),
        *("bank_name", "bank_account", "homepage", "domain", "slug", "backend_id", "accounting_start_date"),
    ),
)
PROJECT = Kind(
    "structure_project",
    ("uuid", "name", "description", "created", "start_date", "end_date", "slug", "backend_id", "is_industry"),
    {"customer": ("customer_id", CUSTOMER)},
)
