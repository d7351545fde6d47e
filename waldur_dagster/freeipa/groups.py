"""Which groups there are to be in FreeIPA, which are there, and what is to be changed (spec people, sync-groups).

FreeIPA keeps names in lower case, so names are compared without regard to case: all dictionaries here have them folded.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import String, cast, literal, null, select, union_all

from waldur_dagster.clients.freeipa import Change, Listing
from waldur_dagster.platform.expressions import hex_of
from waldur_dagster.schema import freeipa, permissions, quotas, structure
from waldur_dagster.work import Work

QUOTA = "freeipa_quota"
NO_LIMIT = "-1.0"  # as Waldur writes it where no limit was ever set; one of -1 is written -1

Names = dict[str, str]  # folded name -> name


@dataclass
class Group:
    """A group: its name, its description (None where it has none), its members, and the groups in it."""

    name: str
    description: str | None = None
    members: Names = field(default_factory=dict)
    children: Names = field(default_factory=dict)


@dataclass(frozen=True)
class Prefixes:
    """What the names of the site's own groups and accounts begin with; what begins otherwise is somebody else's."""

    group: str
    user: str

    def own_group(self, name: str) -> bool:
        return name.casefold().startswith(self.group.casefold())

    def own_user(self, name: str) -> bool:
        return name.casefold().startswith(self.user.casefold())


def wanted_groups(work: Work, prefixes: Prefixes) -> dict[str, Group]:
    """A group for each customer and each project that is not removed. Three statements.

    Members are the profiles of people with a role exactly there, whatever the state of role's expiry, profile or
    account; a project's group is in its customer's.
    """
    found: dict[str, Group] = {}
    for row in work.connection.execute(_scopes(work)):
        name = f"{prefixes.group}{row.kind}_{row.uuid}"
        found[name.casefold()] = Group(name, _description(row.name, row.limit))
        if row.customer:
            parent = f"{prefixes.group}org_{row.customer}".casefold()
            found[parent].children[name.casefold()] = name
    for row in work.connection.execute(_roles(work)):
        name = f"{prefixes.group}{row.kind}_{row.uuid}".casefold()
        if name in found:  # otherwise made since the groups were read
            found[name].members[row.username.casefold()] = row.username
    return found


def _scopes(work: Work) -> Any:
    """All customers, then all projects: kind, uuid, name, limit, and the uuid of a project's customer."""
    customer, project, limit = structure.customer, structure.project, quotas.quotalimit

    def limited(model: str, table: Any, source: Any) -> Any:
        of_scope = (
            (limit.c.content_type_id == work.content_types("structure", model))
            & (limit.c.object_id == table.c.id)
            & (limit.c.name == QUOTA)
        )
        return source.outerjoin(limit, of_scope)

    def columns(kind: str, order: int, table: Any, parent: Any) -> list[Any]:
        uuid = hex_of(table.c.uuid).label("uuid")
        return [
            literal(order).label("order"),
            literal(kind).label("kind"),
            uuid,
            table.c.name,
            limit.c.value.label("limit"),
            parent.label("customer"),
        ]

    customers = select(*columns("org", 1, customer, cast(null(), String))).select_from(
        limited("customer", customer, customer)
    )
    projects = (
        select(*columns("project", 2, project, hex_of(customer.c.uuid)))
        .select_from(limited("project", project, project.join(customer, customer.c.id == project.c.customer_id)))
        .where(~project.c.is_removed)
    )
    return union_all(customers, projects).order_by("order", "uuid")


def _roles(work: Work) -> Any:
    """Kind and uuid of the scope, and the profile's name, of every role in force."""
    held, profile = permissions.userrole, freeipa.profile
    parts = []
    for kind, model, table in (("org", "customer", structure.customer), ("project", "project", structure.project)):
        on_scope = (held.c.content_type_id == work.content_types("structure", model)) & (held.c.object_id == table.c.id)
        parts.append(
            select(literal(kind).label("kind"), hex_of(table.c.uuid).label("uuid"), profile.c.username)
            .select_from(held.join(table, on_scope).join(profile, profile.c.user_id == held.c.user_id))
            .where(held.c.is_active)
            .distinct()
        )
    return union_all(*parts)


def _description(name: str, limit: int | None) -> str:
    """One line of CSV: the name, and the limit of storage."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([name, NO_LIMIT if limit is None else limit])
    return line.getvalue()


def own_groups(listing: Listing, prefixes: Prefixes) -> tuple[dict[str, Group], bool]:
    """The site's own groups in FreeIPA's list, and whether the list tells of all of them."""
    found: dict[str, Group] = {}
    complete = listing.complete
    for entry in listing.entries:
        group = group_of(entry, prefixes)
        if group is None:
            complete = False
        elif prefixes.own_group(group.name):
            found[group.name.casefold()] = group
    return found, complete


def group_of(entry: Mapping[str, Any], prefixes: Prefixes) -> Group | None:
    """A group as FreeIPA shows it; None when it cannot be read."""
    names, descriptions = _texts(entry, "cn"), _texts(entry, "description")
    members, children = _texts(entry, "member_user"), _texts(entry, "member_group")
    if not names or descriptions is None or members is None or children is None:
        return None
    return Group(
        names[0], next(iter(descriptions), None), _folded(members), _folded(filter(prefixes.own_group, children))
    )


def _texts(entry: Mapping[str, Any], key: str) -> list[str] | None:
    """The values of an attribute, none where it is missing; None when they are no texts."""
    values = entry.get(key, [])
    values = [values] if isinstance(values, str) else values
    return values if isinstance(values, list) and all(isinstance(value, str) for value in values) else None


def _folded(names: Any) -> Names:
    return {name.casefold(): name for name in names}


def missing_groups(wanted: dict[str, Group], there: dict[str, Group]) -> list[Change]:
    return [
        Change("group_add", group.name, {"description": group.description})
        for name, group in wanted.items()
        if name not in there
    ]


def differences(wanted: dict[str, Group], there: dict[str, Group], prefixes: Prefixes) -> Iterator[list[Change]]:
    """What is to be changed in groups that are there, one kind of call after the other.

    Accounts without the site's prefix were added by somebody else and stay.
    """
    both = [(group, there[name]) for name, group in wanted.items() if name in there]
    yield [
        Change("group_mod", group.name, {"description": group.description})
        for group, known in both
        if group.description != known.description
    ]
    yield _members("group_add_member", "user", [(g, _without(g.members, k.members)) for g, k in both])
    surplus = [(g, list(filter(prefixes.own_user, _without(k.members, g.members)))) for g, k in both]
    yield _members("group_remove_member", "user", surplus)
    # A group that could not be made is no child either.
    children = [(g, {name: child for name, child in g.children.items() if name in there}, k.children) for g, k in both]
    yield _members("group_add_member", "group", [(g, _without(new, old)) for g, new, old in children])
    yield _members("group_remove_member", "group", [(g, _without(old, g.children)) for g, _, old in children])


def _without(names: Names, others: Names) -> list[str]:
    return [name for folded, name in names.items() if folded not in others]


def _members(command: str, kind: str, lists: list[tuple[Group, list[str]]]) -> list[Change]:
    """Adding or removing members; answers need not show who is in the group after that."""
    return [
        Change(command, group.name, {kind: sorted(names), "no_members": True, "all": False})
        for group, names in lists
        if names
    ]


def stale_groups(wanted: dict[str, Group], there: dict[str, Group]) -> list[Change]:
    """Groups with the site's prefix that nobody wants."""
    return [Change("group_del", group.name) for name, group in there.items() if name not in wanted]
