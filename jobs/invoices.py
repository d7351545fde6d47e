"""Operational jobs of the invoices family; billing itself is an asset (assets/invoices.py)."""

from jobs.entry_job import entry_job
from waldur_dagster.invoices.upcoming_ends import remind_of_upcoming_ends

JOBS = {
    "send-notifications-about-upcoming-ends": entry_job(
        "send-notifications-about-upcoming-ends", remind_of_upcoming_ends
    ),
}
