"""Operational jobs of the remote family: what talks to other Waldurs."""

import dagster as dg

from jobs.entry_job import entry_job, item_by_item_job
from waldur_dagster.functions import Function

WORK: dict[str, Function] = {
    "waldur-remote-notify-about-pending-project-update-requests": Function(
        "waldur_dagster.remote.update_requests:remind_of_update_requests"
    ),
}
ITEM_BY_ITEM: dict[str, Function] = {
    "waldur-remote-offerings-sync": Function("waldur_dagster.remote.offerings_sync:sync_offerings"),
    "waldur-remote-pull-offering-users": Function("waldur_dagster.remote.offering_users:pull_offering_users"),
    "waldur-remote-pull-offerings": Function("waldur_dagster.remote.offerings:pull_offerings"),
    "waldur-remote-pull-robot-accounts": Function("waldur_dagster.remote.robot_accounts:pull_robot_accounts"),
    "waldur-remote-push-project-data": Function("waldur_dagster.remote.project_data:push_project_data"),
    "waldur-remote-sync-remote-project-permissions": Function(
        "waldur_dagster.remote.project_permissions:sync_project_permissions"
    ),
    "waldur-remote-pull-erred-orders": Function("waldur_dagster.remote.orders:pull_erred_orders"),
    "waldur-remote-pull-orders": Function("waldur_dagster.remote.orders:pull_orders"),
    "waldur-remote-pull-resources": Function("waldur_dagster.remote.resources:pull_remote_resources"),
}

JOBS: dict[str, dg.JobDefinition] = {name: entry_job(name, do) for name, do in WORK.items()} | {
    name: item_by_item_job(name, do) for name, do in ITEM_BY_ITEM.items()
}
