"""Operational jobs of the invoices family; billing itself is an asset (assets/invoices.py)."""

from jobs.entry_job import entry_job
from waldur_dagster.functions import Function

JOBS = {
    "send-notifications-about-upcoming-ends": entry_job(
        "send-notifications-about-upcoming-ends",
        Function("waldur_dagster.invoices.upcoming_ends:remind_of_upcoming_ends"),
    ),
}
