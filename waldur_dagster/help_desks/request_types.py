"""The job sync_request_types (spec rancher_support)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import exists, func, literal, or_, select

from waldur_dagster.clients.failures import ItemFailed
from waldur_dagster.database.site_schema import SiteSchema
from waldur_dagster.help_desks.desks import ATLASSIAN, HelpDesk, active_desk, jira_at
from waldur_dagster.platform.merge import Merge
from waldur_dagster.schema.support import requesttype
from waldur_dagster.site import Transactions
from waldur_dagster.visits import Stop, Visit, visit
from waldur_dagster.work import Work

MAPPING = "ATLASSIAN_USE_AUTOMATIC_REQUEST_MAPPING"
COLUMNS = ("name", "fields", "issue_type_name", "backend_name")
LARGEST_ID = 2**31 - 1


def sync_request_types(transaction: Transactions) -> None:
    """Make the site's request types those of its service desk in Jira. Other help desks have none to tell of."""
    desk = active_desk(transaction, ATLASSIAN)
    if desk is None:
        return
    with transaction() as work:
        fetch = fetch_names if go_by_name(work.schema) else fetch_whole
    visit(transaction, [Stop(str(desk), "request types", desk)], fetch, merge)


def go_by_name(schema: SiteSchema) -> bool:
    """In newer versions of Waldur a type's name stands for its issue type, it has no fields, and knows its back end."""
    return schema.has_column(requesttype.c.is_active)


def fetch_names(visiting: Visit, desk: HelpDesk) -> list[dict[str, Any]]:
    """All request types by their names alone."""
    jira = jira_at(visiting, desk)
    with _known_form():
        types = jira.request_types(jira.desk_of(desk.project))
        return [_row(item, issue_type=str(item["name"]), fields=[], backend=ATLASSIAN) for item in types]


def fetch_whole(visiting: Visit, desk: HelpDesk) -> list[dict[str, Any]]:
    """All request types with what they ask for, and the name of their issue type where types are mapped.

    The name of each issue type is asked for once.
    """
    jira = jira_at(visiting, desk)
    with _known_form():
        of_desk = jira.desk_of(desk.project)
        types = jira.request_types(of_desk)
        if types and "issueTypeId" not in types[0]:
            types = jira.old_request_types(desk.project, of_desk, desk.strange)
        mapped = MAPPING in desk.switches
        names = {issue_type: jira.issue_type_name(issue_type) for issue_type in _issue_types(types)} if mapped else {}
        return [
            _row(
                item,
                issue_type=names[str(item["issueTypeId"])] if mapped else "",
                fields=jira.request_fields(of_desk, str(item["id"])),
                backend=None,
            )
            for item in types
        ]


def merge(work: Work, desk: HelpDesk, rows: Sequence[dict[str, Any]]) -> None:
    """Rows of Jira and of no back end; where types are not mapped, none is deleted and their issue types stay.

    An id is unique over all back ends: what another one has under it stays, and is reported. Types without an id were
    made by hand: they stay, unless one of Jira's has the name. Nothing refers to a type: issues keep its name.
    """
    scope = or_(requesttype.c.backend_name == ATLASSIAN, requesttype.c.backend_name.is_(None))
    if not rows:
        if work.connection.scalar(select(exists().where(scope))):
            work.outcome.warn("request types", "Jira lists none: the known ones stay as they are")
        return
    others = _of_others(work)
    for row in rows:
        if row["backend_id"] in others:
            words = f"is not kept: {others[row['backend_id']]} has a request type with its id"
            work.outcome.warn(f"request type {row['name']}", words)
    own = [row for row in rows if row["backend_id"] not in others]
    made = Merge(work, requesttype, own, key=["backend_id"], columns=COLUMNS, scope=scope)
    mapped = MAPPING in desk.switches
    if mapped:
        has_name = requesttype.c.name.in_(select(made.pulled.c.name))
        made.delete(made.stale(requesttype.c.backend_id.is_not(None) | has_name))
    kept = {"issue_type_name": mapped, "backend_name": go_by_name(work.schema)}
    made.update([name for name in COLUMNS if kept.get(name, True)])
    values: dict[str, Any] = {name: made.pulled.c[name] for name in ("backend_id", *COLUMNS)}
    made.insert(values | {"uuid": func.gen_random_uuid()} | _shown(work))


def _of_others(work: Work) -> dict[int, str]:
    """The back ends other than Jira that have a type, by its id."""
    known = select(requesttype.c.backend_id, requesttype.c.backend_name).where(requesttype.c.backend_name != ATLASSIAN)
    return {row.backend_id: row.backend_name for row in work.connection.execute(known)}


def _shown(work: Work) -> dict[str, Any]:
    """In newer versions of Waldur a type may be hidden, and has a place: new ones are shown, as Waldur makes them."""
    wanted = {"is_active": literal(True), "order": literal(0)}
    return {name: value for name, value in wanted.items() if work.schema.has("support_requesttype", name)}


@contextmanager
def _known_form() -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise ItemFailed(f"Jira gave a request type of an unknown form: {type(error).__name__} {error}") from None


def _row(item: dict[str, Any], *, issue_type: str, fields: list[Any], backend: str | None) -> dict[str, Any]:
    return {
        "backend_id": _number(item["id"]),
        "name": str(item["name"])[:150],
        "issue_type_name": issue_type[:255],
        "fields": fields,
        "backend_name": backend,
    }


def _issue_types(types: Sequence[dict[str, Any]]) -> list[str]:
    return sorted({str(item["issueTypeId"]) for item in types})


def _number(value: Any) -> int:
    number = int(value)
    if not 0 <= number <= LARGEST_ID:
        raise ValueError(f"the id {number} is no number that Waldur can keep")
    return number
