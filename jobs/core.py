"""Operational jobs of the core family."""

from jobs.entry_job import entry_job, item_by_item_job
from waldur_dagster.notifications.broadcasts import mark_broadcasts_sent, put_broadcasts
from waldur_dagster.permissions.expiry import revoke_expired_roles
from waldur_dagster.structure.finished_updates import reset_updating_resources
from waldur_dagster.structure.permission_reviews import create_customer_permission_reviews
from waldur_dagster.structure.stuck_resources import set_stuck_resources_erred
from waldur_dagster.users.group_invitations import cancel_expired_group_invitations
from waldur_dagster.users.invitation_delivery import note_deliveries, release_project_invitations
from waldur_dagster.users.invitation_expiry import cancel_expired_invitations, remind_of_pending_invitations
from waldur_dagster.valimo.auth_results import delete_old_auth_results

WORK = {
    "cancel-expired-invitations": cancel_expired_invitations,
    "cancel_expired_group_invitations": cancel_expired_group_invitations,
    "send-reminder-for-pending-invitations": remind_of_pending_invitations,
    "create_customer_permission_reviews": create_customer_permission_reviews,
    "structure-set-erred-stuck-resources": set_stuck_resources_erred,
    "valimo-auth-cleanup-auth-results": delete_old_auth_results,
    "check-expired-permissions": revoke_expired_roles,
}

JOBS = {name: entry_job(name, do) for name, do in WORK.items()} | {
    "core-reset-updating-resources": item_by_item_job("core-reset-updating-resources", reset_updating_resources),
    "send-scheduled-broadcast-notifications": entry_job(
        "send-scheduled-broadcast-notifications", put_broadcasts, then=mark_broadcasts_sent
    ),
    "process-pending-project-invitations": entry_job(
        "process-pending-project-invitations", release_project_invitations, then=note_deliveries
    ),
}
