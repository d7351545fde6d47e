"""Values that a column takes and nobody expects, put into one row of a site, while a job does the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from tests.chaos.pairs import Job
from waldur_dagster.deployment import Deployment
from waldur_dagster.outcome import Outcome
from waldur_dagster.site import Site

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
