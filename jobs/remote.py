"""Operational jobs of the remote family: other Waldurs."""

from jobs.entry_job import entry_job
from waldur_dagster.functions import Function

WORK = {
    "waldur-remote-notify-about-pending-project-update-requests": Function(
        "waldur_dagster.remote.update_requests:remind_of_update_requests"
    ),
}

JOBS = {name: entry_job(name, do) for name, do in WORK.items()}
