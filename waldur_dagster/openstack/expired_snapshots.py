"""openstack-delete-expired-snapshots: snapshots past their retention (spec openstack)."""

from __future__ import annotations

from sqlalchemy import exists, select

from waldur_dagster.openstack import snapshot_deletion
from waldur_dagster.openstack.snapshot_deletion import Batch, Fate, Result
from waldur_dagster.platform.plugin_resources import OK
from waldur_dagster.schema import openstack
from waldur_dagster.site import Transactions
from waldur_dagster.visits import Stop, visit
from waldur_dagster.work import Work

snapshot, in_backup = openstack.snapshot, openstack.backup_snapshots


def delete_expired_snapshots(transaction: Transactions) -> None:
    """Delete snapshots whose time is over, at their cloud and then here. Those of backups go with their backup.

    What a run cannot finish, because the cloud takes long or does not answer, the next one continues.
    """
    with transaction() as work:
        begun = snapshot_deletion.left_behind(work, of_backups=False)
        expired = _expired(work)
        snapshot_deletion.begin(work, expired)
        batches = snapshot_deletion.batches(work, expired, begun)
    stops = [Stop(str(batch.tenant.provider), str(batch), batch) for batch in batches]
    visit(transaction, stops, snapshot_deletion.fetch, _merge)


def _expired(work: Work) -> list[int]:
    of_backup = exists().where(in_backup.c.snapshot_id == snapshot.c.id)
    over = select(snapshot.c.id).where(snapshot.c.state == OK, snapshot.c.kept_until < work.as_of, ~of_backup)
    return list(work.connection.scalars(over.order_by(snapshot.c.id).with_for_update(skip_locked=True)))


def _merge(work: Work, _: Batch, result: Result) -> None:
    snapshot_deletion.remove(work, result.of(Fate.GONE))
    snapshot_deletion.mark_refused(work, result.reasons)
    if waiting := result.of(Fate.UNDER_WAY):
        work.outcome.figures["snapshots still being deleted"] += len(waiting)
