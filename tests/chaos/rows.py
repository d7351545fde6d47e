"""What a site holds, in a form in which two sites that went through the same work are equal."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, text

# Of the outbox nothing but what is to be sent, and whether it was.
ATTEMPT = {
    *("attempts", "next_attempt", "finished", "last_error", "unknown", "claimed_by", "claim_lock", "claimed_until"),
    *("run_id", "origin", "created"),
}
PASSED_OVER = {"outbox_system", "alembic_version"}
TABLES = text(
    """
    SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('public', 'waldur_dagster') AND c.relkind = 'r' AND pg_relation_size(c.oid) > 0 ORDER BY 1, 2
    """
)
KEYS = text(
    """
    SELECT k.conrelid::regclass::text, a.attname, k.confrelid::regclass::text FROM pg_constraint k
    JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
    WHERE k.contype = 'f' AND cardinality(k.conkey) = 1
    """
)
UUID = re.compile(r"\b[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}\b")
INSTANT = re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d:\d\d|Z)?")


class Rows:
    """All rows of a site; ``known`` are the ids that its scene had, by table: newer ones are told by their order."""

    def __init__(self, engine: Engine, as_of: datetime, known: Mapping[str, set[int]] | None = None):
        self._as_of = as_of
        with engine.connect() as connection:
            self._foreign = {(table, column): other for table, column, other in connection.execute(KEYS)}
            rows = {name: _rows(connection, schema, name) for schema, name in connection.execute(TABLES).all()}
            self._kinds = {
                row["id"]: f"{row['app_label']}_{row['model']}" for row in rows.get("django_content_type", [])
            }
        self.ids = {name: {row["id"] for row in found if "id" in row} for name, found in rows.items()}
        old = known or {}
        self._new = {
            name: {id: f"new {n}" for n, id in enumerate(sorted(ids - old.get(name, set()), key=str), 1)}
            for name, ids in self.ids.items()
        }
        self.counts = Counter(
            (name, self._plain(name, row)) for name, found in rows.items() if name not in PASSED_OVER for row in found
        )

    def _plain(self, table: str, row: dict[str, Any]) -> str:
        kept = {}
        for column, value in row.items():
            if table == "outbox_message" and column in ATTEMPT:
                continue
            if column == "id":
                value = self._new[table].get(value) and "new"  # noqa: PLW2901
            elif other := self._foreign.get((table, column)):
                value = self._named(other, value)  # noqa: PLW2901
            elif column == "object_id" and "content_type_id" in row:
                value = self._named(self._kinds.get(row["content_type_id"], ""), value)  # noqa: PLW2901
            kept[column] = value
        words = UUID.sub("#", json.dumps(kept, sort_keys=True))
        return INSTANT.sub(self._instant, words)

    def _named(self, table: str, id: Any) -> Any:
        return self._new.get(table, {}).get(id, id)

    def _instant(self, match: re.Match[str]) -> str:
        """Those of the present differ from run to run."""
        try:
            instant = datetime.fromisoformat(match[0])
        except ValueError:
            return match[0]
        return "now" if instant.tzinfo and instant > self._as_of else match[0]


def _rows(connection: Connection, schema: str, table: str) -> list[dict[str, Any]]:
    found = connection.execute(text(f'SELECT to_jsonb(t) FROM "{schema}"."{table}" t'))
    return [dict(row) for (row,) in found]


def differences(usual: Rows, found: Rows) -> list[str]:
    """What only one of two sites has, in words."""
    missing, more = usual.counts - found.counts, found.counts - usual.counts
    told = [(f"{table} lacks", row) for table, row in missing] + [(f"{table} has besides", row) for table, row in more]
    return [f"{what} {row[:400]}" for what, row in told]
