"""Rows of a tenant that mirror what its cloud has: inserted, updated and deleted (spec openstack, subresources)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Table

from waldur_dagster.openstack.events import log_pull
from waldur_dagster.openstack.providers import Tenant
from waldur_dagster.openstack.rows import is_stable, new_row
from waldur_dagster.platform.merge import Merge
from waldur_dagster.platform.plugin_events import log_plugin_events
from waldur_dagster.platform.plugin_resources import CREATING, OK
from waldur_dagster.platform.plugin_rows import chosen_rows, count_rows, remove_rows
from waldur_dagster.work import Work


class Mirror:
    """One kind of a tenant's rows. Each method does one thing with its events and quotas; the caller has the order.

    Of ``columns`` those that the site has are pulled.
    """

    def __init__(
        self,
        work: Work,
        place: Tenant,
        table: Table,
        rows: Sequence[Mapping[str, Any]],
        columns: Sequence[str],
        *,
        key: Sequence[str] = ("backend_id",),
    ):
        self.work, self.place, self.table, self.key = work, place, table, key
        self.columns = [name for name in columns if work.schema.has(table.name, name)]
        self.merge = Merge(work, table, rows, key=key, columns=self.columns, scope=table.c.tenant_id == place.id)

    def stale(self, where: ColumnElement[bool] | None = None) -> list[int]:
        """Rows that are OK or erred and that the cloud does not have."""
        stable = is_stable(self.table)
        return self.merge.stale(stable if where is None else stable & where)

    def remove(self, ids: Sequence[int]) -> None:
        log_pull(self.work, self.table, ids, "cleaned")
        remove_rows(self.work, self.table, ids)

    def update(
        self, values: Mapping[str, ColumnElement[Any]], where: ColumnElement[bool] | None = None
    ) -> list[Row[Any]]:
        """Bring known rows in line with the cloud: the pulled columns, and ``values`` over them."""
        pulled = {name: self.merge.pulled.c[name] for name in self.columns}
        changed = self.merge.update(pulled | dict(values), also={"modified": self.work.as_of}, where=where)
        log_pull(self.work, self.table, [row.id for row in changed if self._is_pulled(row)], "pulled")
        made = [row.id for row in changed if (row.old_state, row.new_state) == (CREATING, OK)]
        if made:
            log_plugin_events(
                self.work,
                chosen_rows(self.work, self.table, made),
                event_type="resource_creation_succeeded",
                message="Resource {name} has been created.",
            )
        return changed

    def _is_pulled(self, row: Row[Any]) -> bool:
        """Whether the cloud's facts have changed, and not the state or the error of the row alone."""
        return any(getattr(row, f"old_{name}") != getattr(row, f"new_{name}") for name in self.columns)

    def insert(self, **values: Any) -> list[Row[Any]]:
        """Import what is new; ``values`` are what the pull does not give."""
        pulled = {name: self.merge.pulled.c[name] for name in (*self.key, *self.columns)}
        made = self.merge.insert(new_row(self.work, self.place, **values, **pulled))
        ids = [row.id for row in made]
        log_pull(self.work, self.table, ids, "imported")
        count_rows(self.work, self.table, ids, 1)
        return made
