"""The operational jobs: ops and jobs, one module for each family."""

import dagster as dg

from jobs.core import JOBS as CORE
from jobs.invoices import JOBS as INVOICES

OPERATIONAL_JOBS: dict[str, dg.JobDefinition] = {**CORE, **INVOICES}
