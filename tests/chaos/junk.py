"""Values that a column takes and nobody expects, put into one row of a site, while a job does the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import DBAPIError

from tests.chaos.pairs import Job
from tests.chaos.rows import KEYS, UUID
from waldur_dagster.deployment import Deployment
from waldur_dagster.outcome import Finding, Outcome
from waldur_dagster.site import Site

# Columns by which people know a row.
NAMING = {"name", "title", "email", "username", "uuid", "full_name"}
DATES = ("9999-12-31", "infinity", "-infinity", "0001-01-01", "294276-12-31")
TEXTS = ("", "\x01", "'; --", "{", "%s {name} {{ name }}", "\U0001f4a5" * 20, "infinity")
DOCUMENTS = ("null", "[]", "{}", '"text"', "12", '{"end_date": 5}', '{"": {"": []}}', '{"cpu": "many"}')
# Values in SQL's words, by PostgreSQL's type; a value that a column does not take, its checks included, is passed over.
VALUES: dict[str, Sequence[str]] = {
    "date": DATES[:4],
    "timestamp with time zone": DATES,
    "smallint": ("-32768", "32767", "0"),
    "integer": ("-2147483648", "2147483647", "0", "-1"),
    "bigint": ("-9223372036854775808", "9223372036854775807", "0", "-1"),
    "numeric": (
        "NaN",
        "0",
        "-1",
        "999",
        "999999",
        "99999999",
        "999999999999",
        "99999999999999",
        "99999999999999999999",
    ),
    "double precision": ("NaN", "Infinity", "-Infinity", "1e308", "-1"),
    "jsonb": DOCUMENTS,
    "text": (*TEXTS, *DOCUMENTS[:4]),
    "character varying": TEXTS,
    "boolean": ("true", "false"),
}
COLUMNS = text(
    """
    SELECT c.relname, a.attname, format_type(a.atttypid, NULL), NOT a.attnotnull
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
        AND c.relname <> 'django_content_type' AND c.relname !~ '^(django|constance)_' AND pg_relation_size(c.oid) > 0
        AND EXISTS (SELECT FROM pg_attribute i WHERE i.attrelid = c.oid AND i.attname = 'id')
        AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype IN ('p', 'f')
                        AND a.attnum = ANY(k.conkey))
    ORDER BY c.relname, a.attnum
    """
)


@dataclass(frozen=True)
class Junk:
    """A value (None: NULL) for a column of one row; ``position`` says which, counted by its place in the table."""

    table: str
    column: str
    value: str | None
    position: int = 0

    def __str__(self) -> str:
        return f"{self.table}.{self.column} = {self.value!r} (row {self.position})"


def places(engine: Engine) -> list[tuple[str, str, Sequence[str | None]]]:
    """The columns of the tables that have rows, keys excepted, each with the junk to try."""
    with engine.connect() as connection:
        return [
            (table, column, (*VALUES[kind], *((None,) if optional else ())))
            for table, column, kind, optional in connection.execute(COLUMNS)
            if kind in VALUES
        ]


@contextmanager
def junk_in(engine: Engine, junk: Junk) -> Iterator[bool]:
    """Put it into its row, and what was there back afterwards; tells whether the schema takes it."""
    place = f'"{junk.table}"', f'"{junk.column}"'
    with engine.connect() as connection:
        rows = connection.execute(text(f"SELECT id, {place[1]}::text FROM {place[0]} ORDER BY id")).all()
    if not rows:
        yield False
        return
    row_id, before = rows[junk.position % len(rows)]
    write = text(
        f"UPDATE {place[0]} SET {place[1]} = CAST(CAST(:value AS text) AS {_type(engine, junk)}) WHERE id = :id"
    )
    try:
        with engine.begin() as connection:
            connection.execute(write, {"value": junk.value, "id": row_id})
    except DBAPIError:
        yield False
        return
    try:
        yield True
    finally:
        with engine.begin() as connection:
            connection.execute(write, {"value": before, "id": row_id})


def _type(engine: Engine, junk: Junk) -> str:
    kind = text(
        "SELECT format_type(atttypid, atttypmod) FROM pg_attribute "
        "WHERE attrelid = CAST(:t AS regclass) AND attname = :c"
    )
    with engine.connect() as connection:
        return str(connection.scalar(kind, {"t": junk.table, "c": junk.column}))


@dataclass(frozen=True)
class Usual:
    """What a job does without junk, and all statements that it needs for it."""

    outcome: Outcome
    statements: str


def usual_of(deployment: Deployment, job: Job) -> Usual:
    statements: list[str] = []
    with Site(deployment, dry_run=True) as site:
        event.listen(site.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
        with site.work(f"junk {job.name}", job.as_of) as work:
            job.do(work)
        return Usual(site.outcome, "\n".join(statements))


def words_of(engine: Engine, junk: Junk) -> set[str]:
    """By which a finding can name a row: its own names, those of what it belongs to, and of what belongs to it."""
    with engine.connect() as connection:
        keys = [tuple(row) for row in connection.execute(KEYS)]
        ids = connection.scalars(text(f'SELECT id FROM "{junk.table}" ORDER BY id')).all()
        row_id = ids[junk.position % len(ids)]
        seen: dict[tuple[str, int], Mapping[str, Any]] = {}
        _climb(connection, keys, junk.table, row_id, seen)
        for table, column, other in keys:
            if other == junk.table:
                hanging = text(f'SELECT to_jsonb(t) ->> \'id\' FROM "{table}" t WHERE "{column}" = :id')
                for id in connection.scalars(hanging, {"id": row_id}).all():
                    _climb(connection, keys, table, id, seen)
    values = [str(row[name]) for row in seen.values() for name in NAMING if row.get(name)]
    return {value.replace("-", "") if UUID.fullmatch(value) else value for value in values}


def _climb(
    connection: Connection,
    keys: Sequence[tuple[str, ...]],
    table: str,
    id: object,
    seen: dict[tuple[str, int], Mapping[str, Any]],
) -> None:
    if id is None or (table, int(str(id))) in seen:
        return
    row = connection.scalar(text(f'SELECT to_jsonb(t) FROM "{table}" t WHERE id = :id'), {"id": id})
    seen[table, int(str(id))] = row or {}
    for own, column, other in keys:
        if own == table and row:
            _climb(connection, keys, other, row[column], seen)
    if row and row.get("content_type_id") and row.get("object_id"):
        kind = text("SELECT app_label || '_' || model FROM django_content_type WHERE id = :id")
        _climb(connection, keys, connection.scalar(kind, {"id": row["content_type_id"]}), row["object_id"], seen)


def troubles(engine: Engine, deployment: Deployment, job: Job, usual: Usual, junk: Junk) -> list[str]:
    """What is wrong with a job that meets junk: it ends, does less than half, or tells of it without a name."""
    if junk.table not in usual.statements:
        return []  # it never looks there
    try:
        found = dry_run(deployment, job)
    except Exception as problem:  # that is what is looked for
        return [f"{job.name}: {junk}: {type(problem).__name__}: {str(problem).partition(chr(10))[0]}"]
    told = new_findings(usual.outcome, found)
    known = words_of(engine, junk) if told else set()
    nameless = [one for one in told if not any(word in f"{one.item} {one.problem}" for word in known)]
    return [f"{job.name}: {junk}: {one}" for one in (*missed(usual.outcome, found), *nameless)]


def new_findings(usual: Outcome, found: Outcome) -> list[Finding]:
    known = {*usual.warnings, *usual.failures}
    return [one for one in (*found.warnings, *found.failures) if one not in known]


def dry_run(deployment: Deployment, job: Job) -> Outcome:
    """What a job would do now. Raises what the job raises."""
    with Site(deployment, dry_run=True) as site:
        with site.work(f"junk {job.name}", job.as_of) as work:
            job.do(work)
        return site.outcome


def missed(usual: Outcome, found: Outcome) -> list[str]:
    """Tables of which less than half of the usual rows are done: more than one bad row can explain."""
    return [
        f"{table} {kind}: {found.rows[table][kind]} instead of {count}"
        for table, kinds in usual.rows.items()
        for kind, count in kinds.items()
        if count >= 6 and found.rows[table][kind] < count / 2
    ]
