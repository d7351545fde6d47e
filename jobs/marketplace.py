"""Operational jobs of the marketplace family."""

from jobs.entry_job import entry_job, item_by_item_job
from waldur_dagster.functions import Function

WORK = {
    "mark_resources_as_erred_after_timeout": Function("waldur_dagster.marketplace.timeouts:give_up_stale_orders"),
    "terminate_resources_in_state_erred_without_backend_id_and_failed_terminate_order": Function(
        "waldur_dagster.marketplace.failed_creations:remove_failed_creations"
    ),
    "notification_about_project_ending": Function("waldur_dagster.marketplace.ending_notices:tell_of_ending_projects"),
    "notification_about_resource_ending": Function(
        "waldur_dagster.marketplace.ending_notices:tell_of_ending_resources"
    ),
    "notify_about_stale_resource": Function("waldur_dagster.marketplace.stale_resources:tell_of_stale_resources"),
    "process_pending_project_orders": Function(
        "waldur_dagster.marketplace.pending_orders:process_pending_project_orders"
    ),
    "remove_deleted_robot_accounts": Function(
        "waldur_dagster.marketplace.robot_accounts:remove_deleted_robot_accounts"
    ),
    "terminate_expired_resources": Function("waldur_dagster.marketplace.expiry:terminate_expired_resources"),
    "terminate_resources_if_project_end_date_has_been_reached": Function(
        "waldur_dagster.marketplace.expiry:end_projects"
    ),
    "waldur-marketplace-script-remove-old-dry-runs": Function(
        "waldur_dagster.script_offerings.dry_runs:remove_old_dry_runs"
    ),
    "waldur-mastermind-reject-past-bookings": Function("waldur_dagster.booking.past_bookings:reject_past_bookings"),
    "waldur-mastermind-send-notifications-about-upcoming-bookings": Function(
        "waldur_dagster.booking.upcoming:remind_of_upcoming_bookings"
    ),
}

JOBS = {name: entry_job(name, do) for name, do in WORK.items()} | {
    "send_telemetry": item_by_item_job(
        "send_telemetry", Function("waldur_dagster.marketplace.telemetry:send_telemetry")
    ),
    "waldur-marketplace-script-pull-resources": item_by_item_job(
        "waldur-marketplace-script-pull-resources",
        Function("waldur_dagster.script_offerings.pull:pull_script_resources"),
    ),
}
