"""Operational jobs of the marketplace family."""

from jobs.entry_job import entry_job, item_by_item_job
from waldur_dagster.booking.past_bookings import reject_past_bookings
from waldur_dagster.booking.upcoming import remind_of_upcoming_bookings
from waldur_dagster.marketplace.ending_notices import tell_of_ending_projects, tell_of_ending_resources
from waldur_dagster.marketplace.expiry import end_projects, terminate_expired_resources
from waldur_dagster.marketplace.failed_creations import remove_failed_creations
from waldur_dagster.marketplace.pending_orders import process_pending_project_orders
from waldur_dagster.marketplace.robot_accounts import remove_deleted_robot_accounts
from waldur_dagster.marketplace.stale_resources import tell_of_stale_resources
from waldur_dagster.marketplace.telemetry import send_telemetry
from waldur_dagster.marketplace.timeouts import give_up_stale_orders
from waldur_dagster.script_offerings.dry_runs import remove_old_dry_runs
from waldur_dagster.script_offerings.pull import pull_script_resources

WORK = {
    "mark_resources_as_erred_after_timeout": give_up_stale_orders,
    "terminate_resources_in_state_erred_without_backend_id_and_failed_terminate_order": remove_failed_creations,
    "notification_about_project_ending": tell_of_ending_projects,
    "notification_about_resource_ending": tell_of_ending_resources,
    "notify_about_stale_resource": tell_of_stale_resources,
    "process_pending_project_orders": process_pending_project_orders,
    "remove_deleted_robot_accounts": remove_deleted_robot_accounts,
    "terminate_expired_resources": terminate_expired_resources,
    "terminate_resources_if_project_end_date_has_been_reached": end_projects,
    "waldur-marketplace-script-remove-old-dry-runs": remove_old_dry_runs,
    "waldur-mastermind-reject-past-bookings": reject_past_bookings,
    "waldur-mastermind-send-notifications-about-upcoming-bookings": remind_of_upcoming_bookings,
}

JOBS = {name: entry_job(name, do) for name, do in WORK.items()} | {
    "send_telemetry": item_by_item_job("send_telemetry", send_telemetry),
    "waldur-marketplace-script-pull-resources": item_by_item_job(
        "waldur-marketplace-script-pull-resources", pull_script_resources
    ),
}
