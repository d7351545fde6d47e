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
RANDOM = {("authtoken_token", "key"), ("core_user", "password"), ("core_user", "slug"), ("core_user", "uuid")}
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
# Names that are drawn when a row is made.
DRAWN = re.compile(r"\beduteams_key_[0-9a-f]+\b")
# How messages name rows: by model, and orders in their keys.
NAMED = re.compile(r"\b(process order |([a-z_]+)\.([a-z]+):)(\d+)\b")
# The number that an invoice shows: its id, counted from 100000 on.
INVOICE_NUMBER = re.compile(r"\b1\d{5}\b")
INSTANT = re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d:\d\d|Z)?")


class Rows:
    """All rows of a site; ``known`` are the ids that its scene had, by table: newer rows are told by what they hold."""

    def __init__(self, engine: Engine, as_of: datetime, known: Mapping[str, set[int]] | None = None):
        self._as_of, self._known = as_of, known or {}
        with engine.connect() as connection:
            self._foreign = {(table, column): other for table, column, other in connection.execute(KEYS)}
            rows = {name: _rows(connection, schema, name) for schema, name in connection.execute(TABLES).all()}
        kinds = rows.get("django_content_type", [])
        self._kinds = {row["id"]: f"{row['app_label']}_{row['model']}" for row in kinds}
        self.ids = {name: {row["id"] for row in found if "id" in row} for name, found in rows.items()}
        # What a new row holds, but for what it points at: by that others point at it.
        self._content: dict[tuple[str, Any], str] = {}
        for name, found in rows.items():
            new = [row for row in found if "id" in row and self._is_new(name, row["id"])]
            self._content |= {(name, row["id"]): self._plain(name, row, deep=False) for row in new}
        self.counts = Counter(
            (name, self._plain(name, row, deep=True))
            for name, found in rows.items()
            if name not in PASSED_OVER
            for row in found
        )

    def _is_new(self, table: str, id: Any) -> bool:
        return id in self.ids.get(table, ()) and id not in self._known.get(table, ())

    def _plain(self, table: str, row: dict[str, Any], *, deep: bool) -> str:
        kept = {}
        for column, value in row.items():
            if (table == "outbox_message" and column in ATTEMPT) or (table, column) in RANDOM:
                continue
            if column == "id":
                kept[column] = "new" if self._is_new(table, value) else value
            elif other := self._foreign.get((table, column)):
                kept[column] = self._named(other, value, deep=deep)
            elif column == "object_id" and "content_type_id" in row:
                kept[column] = self._named(self._kinds.get(row["content_type_id"], ""), value, deep=deep)
            else:
                kept[column] = value
        words = DRAWN.sub("#", UUID.sub("#", json.dumps(kept, sort_keys=True)))
        if table == "outbox_message":
            words = INVOICE_NUMBER.sub(self._invoice, NAMED.sub(self._number, words))
        return INSTANT.sub(self._instant, words)

    def _named(self, table: str, id: Any, *, deep: bool) -> Any:
        if not self._is_new(table, id):
            return id
        return f"new {self._content[table, id]}" if deep else "new"

    def _number(self, match: re.Match[str]) -> str:
        """A run that was killed has taken numbers that the next one does not get."""
        table = f"{match[2]}_{match[3]}" if match[2] else "marketplace_order"
        return f"{match[1]}new" if self._is_new(table, int(match[4])) else match[0]

    def _invoice(self, match: re.Match[str]) -> str:
        return "new" if self._is_new("invoices_invoice", int(match[0]) - 100_000) else match[0]

    def _instant(self, match: re.Match[str]) -> str:
        """Those of the present, and of the instant that runs work for, differ from run to run."""
        try:
            instant = datetime.fromisoformat(match[0])
        except ValueError:
            return match[0]
        return "now" if instant.tzinfo and instant >= self._as_of else match[0]


def _rows(connection: Connection, schema: str, table: str) -> list[dict[str, Any]]:
    found = connection.execute(text(f'SELECT to_jsonb(t) FROM "{schema}"."{table}" t'))
    return [dict(row) for (row,) in found]


def differences(usual: Rows, found: Rows) -> list[str]:
    """What only one of two sites has, in words."""
    missing, more = usual.counts - found.counts, found.counts - usual.counts
    told = [(f"{table} lacks", row) for table, row in missing] + [(f"{table} has besides", row) for table, row in more]
    return [f"{what} {row[:400]}" for what, row in told]
