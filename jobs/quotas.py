"""Operational jobs of the quotas family."""

from jobs.entry_job import entry_job
from waldur_dagster.policies import check_policies

JOBS = {
    "check-polices": entry_job("check-polices", check_policies, changes="policies"),
}
