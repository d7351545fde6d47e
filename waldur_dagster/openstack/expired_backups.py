"""openstack-delete-expired-backups: backups past their retention, with their snapshots (spec openstack)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import exists, select, update
from sqlalchemy.dialects.postgresql import distinct_on

from waldur_dagster.openstack import snapshot_deletion
from waldur_dagster.openstack.begun_deletions import begun_ids, forget, note_begun
from waldur_dagster.openstack.rows import STABLE
from waldur_dagster.openstack.snapshot_deletion import Batch, Fate, Result, given_reasons, refusal, tell_scheduled
from waldur_dagster.platform.plugin_resources import DELETING, DELETION_SCHEDULED, ERRED, OK
from waldur_dagster.platform.plugin_rows import remove_rows
from waldur_dagster.schema import openstack
from waldur_dagster.site import Transactions
from waldur_dagster.visits import Stop, visit
from waldur_dagster.work import Work

KIND = "backup"
backup, snapshot, links = openstack.backup, openstack.snapshot, openstack.backup_snapshots


def delete_expired_backups(transaction: Transactions) -> None:
    """Delete backups whose time is over: their snapshots at the cloud and here, then the backups.

    A backup with a snapshot that somebody else is changing waits for the next run. When the cloud refuses a snapshot
    its backup is erred with the reason; the schedule that made it goes on.
    """
    with transaction() as work:
        begun = snapshot_deletion.left_behind(work, of_backups=True)
        fresh = _begin(work)
        batches = snapshot_deletion.batches(work, fresh, begun)
        _remove_emptied(work)
    stops = [Stop(str(batch.tenant.provider), str(batch), batch) for batch in batches]
    visit(transaction, stops, snapshot_deletion.fetch, _merge)


def _begin(work: Work) -> Sequence[int]:
    """Put expired backups and their snapshots into Deleting; returns the snapshots."""
    busy = exists().where(
        links.c.backup_id == backup.c.id, snapshot.c.id == links.c.snapshot_id, snapshot.c.state.not_in(STABLE)
    )
    over = select(backup.c.id).where(backup.c.state == OK, backup.c.kept_until < work.as_of, ~busy)
    expired = list(work.connection.scalars(over.order_by(backup.c.id).with_for_update(skip_locked=True)))
    if not expired:
        return []
    snapshots = _snapshots_of(work, select(backup.c.id).where(backup.c.id.in_(expired)))
    snapshot_deletion.begin(work, snapshots)
    work.execute(update(backup).where(backup.c.id.in_(expired)).values(state=DELETING, modified=work.as_of))
    note_begun(work, KIND, expired)
    tell_scheduled(work, backup, expired)
    return snapshots


def _merge(work: Work, _: Batch, result: Result) -> None:
    """Remove what is gone; a backup is erred with the first of its snapshots that was refused."""
    if result.reasons:
        _mark_refused(work, result.reasons)
    snapshot_deletion.mark_refused(work, result.reasons, told=False)
    snapshot_deletion.remove(work, result.of(Fate.GONE))
    if waiting := result.of(Fate.UNDER_WAY):
        work.outcome.figures["snapshots still being deleted"] += len(waiting)
    _remove_emptied(work)


def _mark_refused(work: Work, reasons: Mapping[int, str]) -> None:
    """Backups that are being deleted; another that has such a snapshot too is not meant to go."""
    given = given_reasons(reasons)
    first = select(links.c.backup_id, given.c.reason).join(given, given.c.id == links.c.snapshot_id)
    refused = first.ext(distinct_on(links.c.backup_id)).order_by(links.c.backup_id, given.c.id).subquery("refused")
    values = {"state": ERRED, "modified": work.as_of} | refusal(refused.c.reason)
    written = update(backup).where(backup.c.id == refused.c.backup_id, _is_ours()).values(values)
    forget(work, KIND, list(work.execute(written.returning(backup.c.id)).scalars()))


def _remove_emptied(work: Work) -> None:
    """Backups in deletion whose last snapshot has gone."""
    emptied = ~exists().where(links.c.backup_id == backup.c.id)
    gone = list(work.connection.scalars(select(backup.c.id).where(_is_ours(), emptied).order_by(backup.c.id)))
    remove_rows(work, backup, gone)
    forget(work, KIND, gone)


def _is_ours() -> Any:
    return backup.c.id.in_(begun_ids(KIND)) & backup.c.state.in_([DELETION_SCHEDULED, DELETING])


def _snapshots_of(work: Work, backups: Any) -> Sequence[int]:
    found = (
        select(links.c.snapshot_id)
        .join_from(links, snapshot, snapshot.c.id == links.c.snapshot_id)
        .where(links.c.backup_id.in_(backups))
        .distinct()
        .order_by(links.c.snapshot_id)
    )
    return list(work.connection.scalars(found))
