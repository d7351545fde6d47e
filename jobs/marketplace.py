"""Operational jobs of the marketplace family."""

from jobs.entry_job import entry_job
from waldur_dagster.marketplace.ending_notices import tell_of_ending_projects, tell_of_ending_resources
from waldur_dagster.marketplace.robot_accounts import remove_deleted_robot_accounts
from waldur_dagster.marketplace.stale_resources import tell_of_stale_resources
from waldur_dagster.marketplace.telemetry import send_telemetry
from waldur_dagster.script_offerings.dry_runs import remove_old_dry_runs

WORK = {
    "notification_about_project_ending": tell_of_ending_projects,
    "notification_about_resource_ending": tell_of_ending_resources,
    "notify_about_stale_resource": tell_of_stale_resources,
    "remove_deleted_robot_accounts": remove_deleted_robot_accounts,
    "send_telemetry": send_telemetry,
    "waldur-marketplace-script-remove-old-dry-runs": remove_old_dry_runs,
}

JOBS = {name: entry_job(name, do) for name, do in WORK.items()}
