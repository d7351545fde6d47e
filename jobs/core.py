"""Operational jobs of the core family."""

from jobs.entry_job import entry_job, item_by_item_job
from waldur_dagster.functions import Function

WORK = {
    "cancel-expired-invitations": Function("waldur_dagster.users.invitation_expiry:cancel_expired_invitations"),
    "cancel_expired_group_invitations": Function(
        "waldur_dagster.users.group_invitations:cancel_expired_group_invitations"
    ),
    "send-reminder-for-pending-invitations": Function(
        "waldur_dagster.users.invitation_expiry:remind_of_pending_invitations"
    ),
    "create_customer_permission_reviews": Function(
        "waldur_dagster.structure.permission_reviews:create_customer_permission_reviews"
    ),
    "structure-set-erred-stuck-resources": Function(
        "waldur_dagster.plugin_operations.stuck_resources:set_stuck_resources_erred"
    ),
    "valimo-auth-cleanup-auth-results": Function("waldur_dagster.valimo.auth_results:delete_old_auth_results"),
    "check-expired-permissions": Function("waldur_dagster.permissions.expiry:revoke_expired_roles"),
}

JOBS = {name: entry_job(name, do) for name, do in WORK.items()} | {
    "core-reset-updating-resources": item_by_item_job(
        "core-reset-updating-resources",
        Function("waldur_dagster.plugin_operations.finished_updates:reset_updating_resources"),
    ),
    "send-scheduled-broadcast-notifications": entry_job(
        "send-scheduled-broadcast-notifications",
        Function("waldur_dagster.notifications.broadcasts:put_broadcasts"),
        then=Function("waldur_dagster.notifications.broadcasts:mark_broadcasts_sent"),
    ),
    "process-pending-project-invitations": entry_job(
        "process-pending-project-invitations",
        Function("waldur_dagster.users.invitation_delivery:release_project_invitations"),
        then=Function("waldur_dagster.users.invitation_delivery:note_deliveries"),
    ),
}
