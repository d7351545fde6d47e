"""Makes the data files beside this module from facts of Waldur's schemas.

    python -m waldur_dagster.schema.generations.make FOLDER

FOLDER holds ``schema.json`` and ``models.json`` of October 2024, ``schema-8.json`` of the newest version, and
``schema-8-upgraded.json`` of a site that came from 2024: for each table its columns, keys, checks and indexes as
PostgreSQL has them. A newer Waldur is one more file of this form and a line of ``SOURCES``; docs/waldur-versions.md
tells what else it takes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SOURCES = {"2024-10": "schema.json", "8": "schema-8.json"}
UPGRADED = "schema-8-upgraded.json"
LEFT_BEHIND = "8-left-behind"

# Keys of tables that 2024 has not whose rows go with the row they refer to, although they may be empty.
CASCADING = {
    "invoices_credittransaction.credit_id",
    "invoices_credittransaction.project_credit_id",
    "invoices_credittransaction.content_type_id",
    "policy_customercomponentusagepolicy.created_by_id",
    "permissions_role.template_id",
}
# Facts that a name repeats.
REPEATED = ("max_length", "precision", "scale")


def make(folder: Path) -> dict[str, dict[str, Any]]:
    """The content of each data file by its name."""
    models = json.loads((folder / "models.json").read_text(encoding="utf-8"))
    made = {
        name: {table: _table(table, facts, models) for table, facts in _read(folder / source).items()}
        for name, source in SOURCES.items()
    }
    upgraded = _read(folder / UPGRADED)
    made[LEFT_BEHIND] = {t: _table(t, facts, models) for t, facts in upgraded.items() if t not in made["8"]}
    return made


def written(tables: dict[str, Any]) -> str:
    """One line for each table, so that a newer version shows as a difference of lines."""
    lines = (f"{json.dumps(name)}: {json.dumps(tables[name])}" for name in sorted(tables))
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _read(path: Path) -> dict[str, Any]:
    tables: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return tables


def _table(name: str, facts: dict[str, Any], models: dict[str, Any]) -> dict[str, Any]:
    columns = [{key: value for key, value in column.items() if key not in REPEATED} for column in facts["columns"]]
    optional = {column["name"] for column in columns if column["nullable"]}
    keys = [key | {"rule": _rule(name, key["columns"][0], optional, models)} for key in facts["foreign_keys"]]
    return facts | {"columns": columns, "foreign_keys": keys}


def _rule(table: str, column: str, optional: set[str], models: dict[str, Any]) -> str:
    """What Waldur's code does with the row when the row that it refers to is deleted; PostgreSQL does nothing."""
    known = models.get(table, {}).get("columns", {}).get(column, {}).get("on_delete")
    if known:
        return str(known)
    return "set_null" if column in optional and f"{table}.{column}" not in CASCADING else "cascade"


def main() -> None:
    for name, tables in make(Path(sys.argv[1])).items():
        (HERE / f"{name}.json").write_text(written(tables), encoding="utf-8")


if __name__ == "__main__":
    main()
