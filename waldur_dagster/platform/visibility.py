"""Who may see an event: whoever may see one of the objects whose log shows it (spec core 1.7)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from sqlalchemy import text

from waldur_dagster.work import Work

# Whether the user ``u`` sees the event ``e``. Staff sees every object; what no log shows, nobody sees. A customer is
# for its owners; what is in customers and projects is for all who have a role there. Everybody sees himself.
_IS_SEEN = """(
    EXISTS (
        SELECT FROM logging_feed f
        LEFT JOIN permissions_userrole r ON r.user_id = u.id AND r.is_active
        LEFT JOIN permissions_role role ON role.id = r.role_id
        WHERE f.event_id = e.id AND (
            u.is_staff OR u.is_support
            OR f.content_type_id = :user AND f.object_id = u.id
            OR f.content_type_id = :customer AND r.content_type_id = :customer AND r.object_id = f.object_id
                AND role.name = 'CUSTOMER.OWNER' AND role.is_system_role))
    OR EXISTS (
        SELECT FROM ({places}) AS place (project_id, customer_id)
        JOIN permissions_userrole r ON r.user_id = u.id AND r.is_active AND (
            r.content_type_id = :project AND r.object_id = place.project_id
            OR r.content_type_id = :customer AND r.object_id = place.customer_id)))"""

_PLACE = (
    "SELECT {place} FROM logging_feed f JOIN {table} o ON o.id = f.object_id {joined} "
    "WHERE f.event_id = e.id AND f.content_type_id = {type}"
)

_NOWHERE = "SELECT NULL::int, NULL::int WHERE false"
_SHOWN = text("SELECT DISTINCT content_type_id FROM logging_feed WHERE event_id = ANY(:events)")

# In which project and customer the objects of a table are, and what has to be joined to tell it.
_IN_PROJECT = ("o.project_id, p.customer_id", "JOIN structure_project p ON p.id = o.project_id")
_AT_OFFICE = "JOIN proposal_callmanagingorganisation m ON m.id = {}.manager_id"
_OF_ROUND = "JOIN proposal_round d ON d.id = o.round_id JOIN proposal_call c ON c.id = d.call_id"
_HOLDS = "JOIN permissions_userrole h ON h.user_id = o.id AND h.is_active AND NOT o.is_staff AND h.content_type_id ="
_PROJECTS_OF_CUSTOMER = "LEFT JOIN structure_project p ON p.customer_id = h.object_id"
# Objects that are in a log only together with their project need no line of their own.
_PLACES = (
    ("structure", "project", "o.id, o.customer_id", ""),
    ("marketplace", "resource", *_IN_PROJECT),
    ("marketplace", "offering", "o.project_id, o.customer_id", ""),
    *(("openstack", model, *_IN_PROJECT) for model in ("tenant", "network", "subnet", "securitygroup", "servergroup")),
    ("proposal", "call", "NULL::int, m.customer_id", _AT_OFFICE.format("o")),
    ("proposal", "proposal", "NULL::int, m.customer_id", f"{_OF_ROUND} {_AT_OFFICE.format('c')}"),
    # Users are where they have roles; staff is hidden from others.
    ("core", "user", "p.id, p.customer_id", f"{_HOLDS} :project JOIN structure_project p ON p.id = h.object_id"),
    ("core", "user", "p.id, h.object_id", f"{_HOLDS} :customer {_PROJECTS_OF_CUSTOMER}"),
)


def is_seen(work: Work, events: Sequence[int]) -> str:
    """The condition that a user ``u`` may see one of these events, ``e``; it has the ``parameters`` of this module."""
    shown = work.connection.scalars(_SHOWN, {"events": list(events)}).all()
    return _IS_SEEN.format(places=" UNION ALL ".join(_places(work, shown)) or _NOWHERE)


def parameters(work: Work) -> dict[str, int]:
    named = (("structure", "customer"), ("structure", "project"), ("core", "user"))
    return {model: work.content_types(app_label, model) for app_label, model in named}


def _places(work: Work, shown: Collection[int]) -> Iterator[str]:
    """Only the tables of objects that the log shows the events of are asked."""
    for app_label, model, place, joined in _PLACES:
        content_type = work.content_types.get(app_label, model)
        if content_type in shown:
            yield _PLACE.format(place=place, table=f"{app_label}_{model}", joined=joined, type=content_type)
