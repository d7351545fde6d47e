"""Operational jobs of the remote family: what talks to other Waldurs."""

import dagster as dg

from jobs.entry_job import entry_job, item_by_item_job
from waldur_dagster.functions import Function

WORK: dict[str, Function] = {}
ITEM_BY_ITEM: dict[str, Function] = {
    "waldur-remote-pull-erred-orders": Function("waldur_dagster.remote.orders:pull_erred_orders"),
    "waldur-remote-pull-orders": Function("waldur_dagster.remote.orders:pull_orders"),
    "waldur-remote-pull-resources": Function("waldur_dagster.remote.resources:pull_remote_resources"),
}

JOBS: dict[str, dg.JobDefinition] = {name: entry_job(name, do) for name, do in WORK.items()} | {
    name: item_by_item_job(name, do) for name, do in ITEM_BY_ITEM.items()
}
