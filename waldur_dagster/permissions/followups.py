"""What the end of a role means outside the database; Waldur's own workers do it (spec core, check-expired-permissions).

They hold the credentials of the clouds and the rules of each back end. A task is put into the outbox with the role's
end, and sent after the commit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Table, exists, literal_column, or_, select, union_all

from waldur_dagster.outbox import Handover, put
from waldur_dagster.platform.freeipa_groups import sync_freeipa_groups
from waldur_dagster.platform.roles import is_built_in
from waldur_dagster.schema import core, freeipa, openstack, permissions, structure
from waldur_dagster.work import Work

BACKEND_METHOD = "waldur_core.core.tasks.BackendMethodTask"
LEAVE_SLURM = "waldur_slurm.process_role_revoked"
REMOTE_PERMISSIONS = "waldur_mastermind.marketplace_remote.update_remote_{}_permissions"
EDUTEAMS, OWNER = "eduteams", "CUSTOMER.OWNER"

held, role, user, project = permissions.userrole, permissions.role, core.user, structure.project


def hand_over_to_workers(work: Work, revoked: Table) -> None:
    """Ask for what follows the end of the roles of ``revoked`` (see ``revoke_roles``) in the site's other systems."""
    for messages in (_ssh_keys, _freeipa_groups, _slurm_users, _remote_roles):
        put(work, messages(work, revoked))


def _ssh_keys(work: Work, revoked: Table) -> Iterator[Handover]:
    """Each key pair of a user is deleted in each tenant that he may no longer use."""
    if not work.schema.has("openstack_tenant"):
        return
    tenant, key = openstack.tenant, core.sshpublickey
    left = union_all(
        select(revoked.c.user_id, project.c.id.label("project_id"))
        .join(project, project.c.id == revoked.c.object_id)
        .where(revoked.c.content_type_id == work.content_types("structure", "project")),
        select(revoked.c.user_id, project.c.id)
        .join(project, project.c.customer_id == revoked.c.object_id)
        .where(revoked.c.content_type_id == work.content_types("structure", "customer")),
    ).subquery("left_project")
    lost = (
        select(tenant.c.id.label("tenant_id"), key.c.id.label("key_id"), key.c.name, key.c.fingerprint_md5)
        .select_from(left)
        .join(project, project.c.id == left.c.project_id)
        .join(user, user.c.id == left.c.user_id)
        .join(tenant, tenant.c.project_id == project.c.id)
        .join(key, key.c.user_id == user.c.id)
        .where(~user.c.is_staff, ~_may_use_tenants(work))
        .distinct()
        .order_by("tenant_id", "key_id")
    )
    for row in work.connection.execute(lost):
        yield Handover(
            key=f"remove ssh key {row.key_id} from tenant {row.tenant_id} at {work.as_of.isoformat()}",
            task=BACKEND_METHOD,
            args=[f"openstack.tenant:{row.tenant_id}", "remove_ssh_key_from_tenant", row.name, row.fingerprint_md5],
        )


def _may_use_tenants(work: Work) -> ColumnElement[bool]:
    """Whether ``user`` is still administrator or manager of ``project``, or owner of its customer."""
    kept, kept_role = held.alias("kept"), role.alias("kept_role")
    in_project = (
        (kept.c.content_type_id == work.content_types("structure", "project"))
        & (kept.c.object_id == project.c.id)
        & is_built_in(kept_role, "PROJECT.ADMIN", "PROJECT.MANAGER")
    )
    in_customer = (
        (kept.c.content_type_id == work.content_types("structure", "customer"))
        & (kept.c.object_id == project.c.customer_id)
        & is_built_in(kept_role, OWNER)
    )
    return (
        exists()
        .where(
            kept.c.user_id == user.c.id,
            kept.c.is_active,
            kept_role.c.id == kept.c.role_id,
            or_(in_project, in_customer),
        )
        .correlate(user, project)
    )


def _freeipa_groups(work: Work, revoked: Table) -> Iterator[Handover]:
    if work.connection.scalar(select(exists(select(literal_column("1")).select_from(revoked)))):
        yield from sync_freeipa_groups(work)


def _slurm_users(work: Work, revoked: Table) -> Iterator[Handover]:
    """A user with a FreeIPA profile leaves the SLURM allocations of the customer or project."""
    if not (work.settings["WALDUR_SLURM.ENABLED"] and work.schema.has("waldur_freeipa_profile")):
        return
    profile = freeipa.profile
    for model, scope in _STRUCTURE:
        left = (
            select(profile.c.id.label("profile_id"), scope.c.id.label("scope_id"))
            .select_from(revoked)
            .join(role, (role.c.id == revoked.c.role_id) & role.c.is_system_role)
            .join(profile, profile.c.user_id == revoked.c.user_id)
            .join(scope, _held_on(work, revoked, model, scope))
            .distinct()
            .order_by("scope_id", "profile_id")
        )
        for row in work.connection.execute(left):
            yield Handover(
                key=f"profile {row.profile_id} leaves SLURM of {model} {row.scope_id} at {work.as_of.isoformat()}",
                task=LEAVE_SLURM,
                args=[f"waldur_freeipa.profile:{row.profile_id}", f"structure.{model}:{row.scope_id}"],
            )


def _remote_roles(work: Work, revoked: Table) -> Iterator[Handover]:
    """People who came through eduTEAMS lose the role in remote Waldurs too; of a customer's roles, only owners have."""
    if not work.settings["WALDUR_AUTH_SOCIAL.ENABLE_EDUTEAMS_SYNC"]:
        return
    for model, scope in _STRUCTURE:
        lost = (
            select(revoked.c.userrole_id, scope.c.id.label("scope_id"), revoked.c.user_id, role.c.name)
            .select_from(revoked)
            .join(role, (role.c.id == revoked.c.role_id) & role.c.is_system_role)
            .join(user, user.c.id == revoked.c.user_id)
            .join(scope, _held_on(work, revoked, model, scope))
            .where(or_(user.c.registration_method == EDUTEAMS, user.c.identity_source == EDUTEAMS))
            .order_by(revoked.c.userrole_id)
        )
        if model == "customer":
            lost = lost.where(is_built_in(role, OWNER))
        for row in work.connection.execute(lost):
            end = work.as_of.isoformat()
            yield Handover(
                key=f"role {row.userrole_id} ends in remote Waldurs at {end}",
                task=REMOTE_PERMISSIONS.format(model),
                args=[f"structure.{model}:{row.scope_id}", f"core.user:{row.user_id}", row.name, False, end],
            )


_STRUCTURE: tuple[tuple[str, Any], ...] = (("customer", structure.customer), ("project", structure.project))


def _held_on(work: Work, revoked: Table, model: str, scope: Any) -> ColumnElement[bool]:
    return (revoked.c.content_type_id == work.content_types("structure", model)) & (revoked.c.object_id == scope.c.id)
