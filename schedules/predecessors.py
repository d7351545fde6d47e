"""Whether a run is there already that does a tick's work (design section 2.9).

Only a run of the same entry and the same partition counts, and no dry run. What Dagster calls started is at work only
while it holds its lock on the site's database: a run that died with its host stays started for ever.
"""

from __future__ import annotations

import time
from datetime import UTC
from typing import TYPE_CHECKING

import dagster as dg

from waldur_dagster.resources import is_dry_run

if TYPE_CHECKING:  # the code location loads nothing that only a tick needs
    from waldur_dagster.site import Site

# Between Dagster's word that a run begins and the run's first hold of its lock, in seconds.
BEGINNING = 300
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def predecessor(instance: dg.DagsterInstance, site: Site, entry: str, partition: str | None) -> dg.DagsterRun | None:
    """The run that waits or is at work for an entry and a partition. Raises SiteUnreachable."""
    filters = dg.RunsFilter(tags={"waldur/entry": entry}, statuses=UNFINISHED)
    found = [
        record
        for record in instance.get_run_records(filters)
        if record.dagster_run.tags.get("dagster/partition") == partition and not is_dry_run(record.dagster_run)
    ]
    at_work = site.at_work(record.dagster_run.run_id for record in found)
    return next((one.dagster_run for one in found if one.dagster_run.run_id in at_work or is_expected(one)), None)


def is_expected(record: dg.RunRecord) -> bool:
    """Whether a run is yet to take its lock: it waits in the queue, or has begun a moment ago."""
    since = record.start_time or record.update_timestamp.replace(tzinfo=UTC).timestamp()
    return record.dagster_run.status == dg.DagsterRunStatus.QUEUED or time.time() - since < BEGINNING
