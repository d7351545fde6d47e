"""What users may do in the scopes that a resource belongs to (spec core 1.5, marketplace 0.7)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field

from sqlalchemy import func, select

from waldur_dagster.schema import core, permissions
from waldur_dagster.work import Work

OWNER, MANAGER = "CUSTOMER.OWNER", "CUSTOMER.MANAGER"
TERMINATE, APPROVE, APPROVE_PRIVATE = "RESOURCE.TERMINATE", "ORDER.APPROVE", "ORDER.APPROVE_PRIVATE"

Scope = tuple[str, int]  # ("project", id), ("customer", id) or ("offering", id)


@dataclass
class Person:
    """A user with his active roles, and the permissions that they carry, by scope."""

    id: int
    username: str
    is_active: bool
    is_staff: bool
    is_support: bool
    roles: dict[Scope, set[str]] = field(default_factory=lambda: defaultdict(set))
    permissions: dict[Scope, set[str]] = field(default_factory=lambda: defaultdict(set))

    def may(self, permission: str, *scopes: Scope) -> bool:
        return self.is_staff or self.has(permission, *scopes)

    def has(self, permission: str, *scopes: Scope) -> bool:
        """Whether a role gives the permission; being staff does not count here."""
        return any(permission in self.permissions.get(scope, ()) for scope in scopes)

    def sees(self, *scopes: Scope) -> bool:
        return self.is_staff or self.is_support or any(self.roles.get(scope) for scope in scopes)

    def is_owner(self, customer: int) -> bool:
        return self.is_staff or OWNER in self.roles.get(("customer", customer), ())


def people(work: Work, user_ids: Collection[int]) -> dict[int, Person]:
    """These users by id, with their active roles on customers, projects and offerings; two queries."""
    if not user_ids:
        return {}
    user, held, role, granted = core.user, permissions.userrole, permissions.role, permissions.rolepermission
    kinds = {
        work.content_types(app_label, model): model
        for app_label, model in (("structure", "customer"), ("structure", "project"), ("marketplace", "offering"))
    }
    columns = (user.c.id, user.c.username, user.c.is_active, user.c.is_staff, user.c.is_support)
    found = {
        row.id: Person(**row._mapping)
        for row in work.connection.execute(select(*columns).where(user.c.id.in_(user_ids)))
    }
    carried = select(func.array_agg(granted.c.permission)).where(granted.c.role_id == role.c.id).scalar_subquery()
    rows = work.connection.execute(
        select(
            held.c.user_id,
            held.c.content_type_id,
            held.c.object_id,
            role.c.name,
            role.c.is_system_role,
            carried.label("permissions"),
        )
        .join(role, role.c.id == held.c.role_id)
        .where(held.c.is_active, held.c.user_id.in_(user_ids), held.c.content_type_id.in_(kinds))
    )
    for row in rows:
        person, scope = found[row.user_id], (kinds[row.content_type_id], row.object_id)
        person.roles[scope].add(row.name if row.is_system_role else f"custom {row.name}")  # newer sites copy names
        person.permissions[scope].update(row.permissions or ())
    return found
