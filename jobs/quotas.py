"""Operational jobs of the quotas family."""

from jobs.entry_job import entry_job
from waldur_dagster.functions import Function

JOBS = {
    "check-polices": entry_job(
        "check-polices", Function("waldur_dagster.policies.evaluation:check_policies"), changes="policies"
    ),
}
