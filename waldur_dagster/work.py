"""The unit of work: one transaction of a job on the site's database, as of one instant (design decisions 2 to 4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, CursorResult, Delete, Executable, Select, Table, TableClause, Update
from sqlalchemy import Insert as AnyInsert
from sqlalchemy.dialects.postgresql import Insert

from waldur_dagster.database.constance import Constance, settings_in_force
from waldur_dagster.database.content_types import ContentTypes
from waldur_dagster.database.encryption import Secrets
from waldur_dagster.database.site_schema import SiteSchema
from waldur_dagster.deployment import Deployment
from waldur_dagster.outcome import Outcome
from waldur_dagster.settings import Settings

T = TypeVar("T")
_KINDS = ((AnyInsert, "inserted"), (Update, "updated"), (Delete, "deleted"))


class Refused(Exception):
    """What was asked for cannot be done, and trying again would not help; the text says why, and what to do."""


@dataclass
class Work:
    """What a job's code is given: the open transaction and the facts of the run.

    ``as_of`` is the instant that the job works for, aware; no job reads the clock. ``today`` is its date in the site's
    time zone (spec core 1.1). ``present`` is when the run is made: later than ``as_of`` when the past is done
    again, else the same. ``earlier`` is what the steps of the run before this one have done. Rows changed through
    ``execute`` are counted in ``outcome`` by table. ``actor`` are the keys of a user that all events of this unit of
    work have in their contexts. ``billed`` are the ids of resources whose costs of the running month a change of theirs
    has altered, ``metered`` those whose usage it has; policies on them are looked at when the unit of work ends.
    ``is_last_try``: a passing error of the database will not have the unit tried again.
    """

    connection: Connection
    deployment: Deployment
    schema: SiteSchema
    entry: str
    as_of: datetime
    present: datetime
    dry_run: bool = False
    run_id: str = ""
    outcome: Outcome = field(default_factory=Outcome)
    earlier: Outcome = field(default_factory=Outcome)
    actor: Mapping[str, Any] = field(default_factory=dict)
    billed: set[int] = field(default_factory=set)
    metered: set[int] = field(default_factory=set)
    is_last_try: bool = True
    _made: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.as_of.tzinfo is None:
            raise ValueError(f"as_of {self.as_of} has no time zone; write it with an offset: 2025-04-01T00:00:00+03:00")

    @property
    def zone(self) -> ZoneInfo:
        return self.deployment.zone

    @property
    def local_time(self) -> datetime:
        return self.as_of.astimezone(self.zone)

    @property
    def today(self) -> date:
        return self.local_time.date()

    @cached_property
    def settings(self) -> Settings:
        """Those of Waldur's configuration; newer versions keep some of them in the database."""
        return settings_in_force(self.deployment, self.constance)

    @cached_property
    def constance(self) -> Constance:
        """Settings that administrators keep in the database (spec core 1.9)."""
        return Constance(self.connection, self.schema, self.secrets)

    @cached_property
    def secrets(self) -> Secrets:
        """Reads and writes the columns that newer versions of Waldur encrypt (spec newer 4)."""
        return Secrets(self.connection, self.schema, self.deployment.encryption)

    @cached_property
    def content_types(self) -> ContentTypes:
        return ContentTypes(self.connection)

    def once(self, make: Callable[[Work], T]) -> T:
        """What ``make`` gives for this unit of work; it is called when it is first asked for, and not again."""
        if make not in self._made:
            self._made[make] = make(self)
        made: T = self._made[make]
        return made

    def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        """Run one statement; a change of rows is counted under its table."""
        result: CursorResult[Any] = self.connection.execute(
            statement, parameters, execution_options={"preserve_rowcount": True}
        )
        for kind, word in _KINDS:
            if isinstance(statement, kind) and isinstance(statement.table, TableClause):
                self.outcome.changed(statement.table.name, word, result.rowcount)
        return result

    def insert_from(self, table: Table, source: Select[Any]) -> Insert:
        """The statement that inserts what ``source`` selects, by its column names; survives newer schemas."""
        return self.schema.insert_from(table, source, self.as_of)

    def insert(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows that all have the same columns, in one statement; survives newer schemas."""
        if rows:
            self.execute(self.schema.insert_values(table, set(rows[0]), self.as_of), rows)
