"""Whether the database's role may do what an entry does: read its tables, write those that it writes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, text

from waldur_dagster.own_schema import SCHEMA
from waldur_dagster.site import Site

# Rights on some columns only count too; an insert into a table that numbers its rows by a sequence needs that one.
_LACKING = text(
    """
    SELECT wanted.name, wanted.privilege
    FROM unnest(CAST(:names AS text[]), CAST(:privileges AS text[])) AS wanted (name, privilege)
    JOIN pg_namespace n ON n.nspname = split_part(wanted.name, '.', 1)
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = split_part(wanted.name, '.', 2)
    WHERE NOT has_schema_privilege(n.oid, 'USAGE')
    OR NOT has_table_privilege(c.oid, wanted.privilege)
        AND CASE wanted.privilege WHEN 'DELETE' THEN true
            ELSE NOT has_any_column_privilege(c.oid, wanted.privilege) END
    OR wanted.privilege = 'INSERT' AND EXISTS (
        SELECT FROM pg_depend d JOIN pg_class s ON s.oid = d.objid
        WHERE d.classid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.deptype = 'a'
        AND CASE s.relkind WHEN 'S' THEN NOT has_sequence_privilege(s.oid, 'USAGE') ELSE false END
    )
    ORDER BY wanted.name, wanted.privilege
    """
)
_WHOLE = text("SELECT current_user, has_database_privilege(current_database(), 'TEMPORARY')")
_OUTBOX = {
    f"{SCHEMA}.outbox_message": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    f"{SCHEMA}.last_commit": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    f"{SCHEMA}.alembic_version": ("SELECT",),
}


class NoRights(Exception):
    """The role of the deployment file may not do anything here; the text says what to do."""


def lacking_rights(site: Site, read: Iterable[str], written: Mapping[str, Iterable[str]]) -> list[str]:
    """What the role lacks to read and write these tables, and the outbox; empty when it lacks nothing.

    ``written`` says by table which of INSERT, UPDATE and DELETE is done. Tables that are not there are not looked at.
    Raises SiteUnreachable.
    """
    wanted = {(f"public.{name}", "SELECT") for name in read}
    wanted |= {(f"public.{name}", privilege) for name, kinds in written.items() for privilege in kinds}
    wanted |= {(name, privilege) for name, kinds in _OUTBOX.items() for privilege in kinds}
    with site.engine.connect() as connection:
        role, temporary = connection.execute(_WHOLE).one()
        withheld = _lacking(connection, wanted)
    lacking = defaultdict[str, list[str]](list)
    for name, privilege in withheld:
        lacking[name.removeprefix("public.")].append(privilege)
    found = [f"the right to {', '.join(kinds)} {name} (grant it to {role})" for name, kinds in lacking.items()]
    return found if temporary else [*found, f"the right TEMPORARY on the database (grant it to {role})"]


def require_some_rights(site: Site, read: Iterable[str]) -> None:
    """Raises NoRights when the role may read none of these tables that are there."""
    wanted = {(f"public.{name}", "SELECT") for name in read if site.schema.has(name)}
    with site.engine.connect() as connection:
        role, _ = connection.execute(_WHOLE).one()
        lacking = _lacking(connection, wanted)
    if wanted and len(lacking) == len(wanted):
        raise NoRights(
            f"{role} may read none of Waldur's tables in {site.engine.url.database}; "
            f'as their owner: GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO "{role}"'
        )


def _lacking(connection: Connection, wanted: set[tuple[str, str]]) -> list[tuple[str, str]]:
    names, privileges = zip(*sorted(wanted), strict=True) if wanted else ((), ())
    rows = connection.execute(_LACKING, {"names": list(names), "privileges": list(privileges)})
    return [(name, privilege) for name, privilege in rows]
