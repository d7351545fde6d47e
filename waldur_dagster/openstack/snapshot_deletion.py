"""Deleting snapshots at their cloud, and following them until they are gone (spec openstack, delete-expired-*)."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    TableValuedAlias,
    Text,
    cast,
    exists,
    func,
    literal,
    select,
    union_all,
    update,
)

from waldur_dagster.clients.failures import ItemFailed, LoginRefused, NotFound, VisitFailed
from waldur_dagster.clients.openstack import Cloud
from waldur_dagster.openstack.begun_deletions import begun_ids, forget, note_begun
from waldur_dagster.openstack.providers import NO_PROJECT, Sessions, Tenant, read_tenants
from waldur_dagster.openstack.rows import content_type_of
from waldur_dagster.platform.expressions import given_rows
from waldur_dagster.platform.plugin_events import log_plugin_events
from waldur_dagster.platform.plugin_resources import DELETING, DELETION_SCHEDULED, ERRED
from waldur_dagster.platform.plugin_rows import chosen_rows, remove_rows
from waldur_dagster.platform.quota_usage import add_deltas
from waldur_dagster.schema import openstack
from waldur_dagster.visits import Partly, Visit
from waldur_dagster.work import Work

KIND = "snapshot"
snapshot = openstack.snapshot
POLLED = 180.0  # seconds in a run; what is not gone by then is looked at by the next run
LONGEST_PAUSE = 5.0
# Answers after which the deletion may be tried again; others are the cloud's last word.
PASSING = frozenset({None, 429, 502, 503, 504})


class Fate(Enum):
    GONE = "gone"
    UNDER_WAY = "under way"
    REFUSED = "refused"


@dataclass(frozen=True)
class Doomed:
    """A snapshot that is to be deleted; ``begun`` by an earlier run that may have asked the cloud already."""

    id: int
    backend_id: str
    begun: bool


@dataclass(frozen=True)
class Batch:
    """What one visit deletes: snapshots of one tenant."""

    tenant: Tenant
    snapshots: tuple[Doomed, ...]

    def __str__(self) -> str:
        return f"{len(self.snapshots)} snapshots of {self.tenant}"


@dataclass
class Result:
    """What became of the snapshots, by their ids, and why some were refused."""

    fates: dict[int, Fate]
    reasons: dict[int, str]

    def of(self, fate: Fate) -> list[int]:
        return sorted(id for id, found in self.fates.items() if found is fate)


def begin(work: Work, ids: Sequence[int]) -> None:
    """Put snapshots into Deleting, and remember that this program did it."""
    if not ids:
        return
    work.execute(update(snapshot).where(snapshot.c.id.in_(ids)).values(state=DELETING, modified=work.as_of))
    note_begun(work, KIND, ids)
    tell_scheduled(work, snapshot, ids)


def tell_scheduled(work: Work, table: Any, ids: Sequence[int]) -> None:
    log_plugin_events(
        work,
        chosen_rows(work, table, ids),
        event_type="resource_deletion_scheduled",
        message="Resource {name} deletion has been scheduled.",
    )


def batches(work: Work, fresh: Collection[int], begun_before: Collection[int]) -> list[Batch]:
    """The snapshots by tenant. Those without an id at the cloud are gone already, and are removed here."""
    chosen = {*fresh, *begun_before}
    rows = work.connection.execute(
        select(snapshot.c.id, snapshot.c.backend_id, snapshot.c.tenant_id)
        .where(snapshot.c.id.in_(chosen))
        .order_by(snapshot.c.id)
    ).all()
    remove(work, [row.id for row in rows if not row.backend_id], used=False)
    tenants = {t.id: t for t in read_tenants(work, openstack.tenant.c.id.in_({row.tenant_id for row in rows}))}
    found: dict[int, list[Doomed]] = {}
    for row in rows:
        if row.backend_id and row.tenant_id in tenants:
            found.setdefault(row.tenant_id, []).append(Doomed(row.id, row.backend_id, row.id in begun_before))
    return [Batch(tenants[id], tuple(doomed)) for id, doomed in found.items()]


def left_behind(work: Work, *, of_backups: bool) -> list[int]:
    """Snapshots (of backups, or others) that an earlier run has put into Deleting and not seen the end of."""
    in_backup = exists().where(openstack.backup_snapshots.c.snapshot_id == snapshot.c.id)
    doing = snapshot.c.state.in_([DELETION_SCHEDULED, DELETING])
    found = select(snapshot.c.id).where(snapshot.c.id.in_(begun_ids(KIND)), doing)
    return list(work.connection.scalars(found.where(in_backup if of_backups else ~in_backup)))


def fetch(visiting: Visit, batch: Batch) -> Result:
    """Ask the cloud to delete each snapshot, then look until they are gone, for a few minutes.

    An answer that may pass (none, 429, 502, 503, 504) leaves what is not settled to the next run.
    """
    sessions = Sessions(visiting, batch.tenant)
    if reason := _shut_out(sessions):
        ids = [doomed.id for doomed in batch.snapshots]
        return Result(dict.fromkeys(ids, Fate.REFUSED), dict.fromkeys(ids, reason))
    result = Result({}, {})
    asked: list[Doomed] = []
    cloud = sessions.tenant
    try:
        for doomed in batch.snapshots:
            words = f"delete snapshot {doomed.backend_id} of {batch.tenant}"
            if visiting.change(words, partial(_ask, cloud, doomed, result)):
                asked.append(doomed)
        _follow(cloud, asked, result)
    except VisitFailed as problem:
        raise Partly(result, problem) from None
    return result


def _shut_out(sessions: Sessions) -> str:
    """Why nothing of the tenant can be deleted: it has no project, or its own login is refused; else an empty text.

    It is the tenant's own login only while the administrator may log in: a keystone that refuses everybody will come
    to itself again, and what is erred stays so.
    """
    if not sessions.place.backend_id:
        return NO_PROJECT
    try:
        sessions.tenant.logged_in()
    except ItemFailed as problem:
        try:
            sessions.admin.logged_in()
        except LoginRefused:
            raise problem from None
        return str(problem)
    return ""


def _ask(cloud: Cloud, doomed: Doomed, result: Result) -> bool:
    """Delete one snapshot; says whether it has to be followed."""
    try:
        if doomed.begun and _status(cloud, doomed) == "deleting":
            result.fates[doomed.id] = Fate.UNDER_WAY
            return True
        cloud.delete("block_storage", f"/snapshots/{doomed.backend_id}")
    except NotFound:
        result.fates[doomed.id] = Fate.GONE
        return False
    except VisitFailed as problem:
        if problem.status in PASSING:
            raise
        return _refused(cloud, doomed, result, problem)
    result.fates[doomed.id] = Fate.UNDER_WAY
    return True


def _refused(cloud: Cloud, doomed: Doomed, result: Result, problem: VisitFailed) -> bool:
    """A second DELETE is refused as well, after an answer that was lost: so look what has become of the snapshot."""
    try:
        under_way = problem.status == 400 and _status(cloud, doomed) == "deleting"
    except NotFound:
        result.fates[doomed.id] = Fate.GONE
        return False
    result.fates[doomed.id] = Fate.UNDER_WAY if under_way else Fate.REFUSED
    if not under_way:
        result.reasons[doomed.id] = str(problem)
    return under_way


def _status(cloud: Cloud, doomed: Doomed) -> str:
    return str(cloud.get("block_storage", f"/snapshots/{doomed.backend_id}")["snapshot"]["status"])


def _follow(cloud: Cloud, asked: list[Doomed], result: Result) -> None:
    """Look until the snapshots are gone. Any status but ``deleting`` means that the cloud could not delete them."""
    until, pause = time.monotonic() + POLLED, 0.25
    waiting = asked
    while waiting:
        waiting = [doomed for doomed in waiting if _is_under_way(cloud, doomed, result)]
        if not waiting or time.monotonic() + pause > until:
            return
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def _is_under_way(cloud: Cloud, doomed: Doomed, result: Result) -> bool:
    try:
        status = _status(cloud, doomed)
    except NotFound:
        result.fates[doomed.id] = Fate.GONE
        return False
    if status == "deleting":
        return True
    result.fates[doomed.id] = Fate.REFUSED
    result.reasons[doomed.id] = f"cinder could not delete the snapshot: its status is {status}"
    return False


def remove(work: Work, ids: Sequence[int], *, used: bool = True) -> None:
    """Take snapshots that are gone out of the database; ``used``: the tenant's own usage is given back as well."""
    if not ids:
        return
    if used:
        _give_back(work, ids)
    remove_rows(work, snapshot, ids)
    forget(work, KIND, ids)


def mark_refused(work: Work, reasons: Mapping[int, str], *, told: bool = True) -> None:
    """Snapshots that the cloud does not delete are erred; ``told``: with the reason."""
    if not reasons:
        return
    given = given_reasons(reasons)
    values = {"state": ERRED, "modified": work.as_of} | (refusal(given.c.reason) if told else {})
    work.execute(update(snapshot).where(snapshot.c.id == given.c.id).values(values))
    forget(work, KIND, list(reasons))


def given_reasons(reasons: Mapping[int, str]) -> TableValuedAlias:
    """Snapshots that the cloud does not delete, by id, with the reason."""
    rows = [{"id": id, "reason": reason} for id, reason in reasons.items()]
    return given_rows(rows, id=Integer, reason=Text)


def refusal(reason: ColumnElement[str]) -> dict[str, ColumnElement[str]]:
    """What a snapshot or backup says that the cloud does not delete."""
    return {"error_message": reason, "error_traceback": literal("DeletionRefused: ", Text) + reason}


def _give_back(work: Work, ids: Sequence[int]) -> None:
    content_type = cast(literal(content_type_of(work, openstack.tenant)), Integer)
    parts = [
        select(
            content_type.label("content_type_id"),
            snapshot.c.tenant_id.label("object_id"),
            literal(name, Text).label("name"),
            cast(-func.sum(amount), BigInteger).label("delta"),
        )
        .where(snapshot.c.id.in_(ids))
        .group_by(snapshot.c.tenant_id)
        for name, amount in (("snapshots", literal(1)), ("snapshots_size", snapshot.c.size))
    ]
    add_deltas(work, select(union_all(*parts).subquery("given_back")))
