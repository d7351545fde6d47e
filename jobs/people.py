"""Operational jobs of the people family."""

from jobs.entry_job import item_by_item_job
from waldur_dagster.functions import Function

ITEM_BY_ITEM = {
    "waldur-firecrest-pull-jobs": Function("waldur_dagster.firecrest.pull_jobs:pull_jobs"),
    "waldur-freeipa-sync-groups": Function("waldur_dagster.freeipa.entries:sync_groups"),
    "waldur-freeipa-sync-names": Function("waldur_dagster.freeipa.name_sync:sync_names"),
    "waldur-pull-remote-eduteams-ssh-keys": Function("waldur_dagster.eduteams.entries:pull_ssh_keys"),
    "waldur-pull-remote-eduteams-users": Function("waldur_dagster.eduteams.entries:pull_users"),
}

JOBS = {name: item_by_item_job(name, do) for name, do in ITEM_BY_ITEM.items()}
