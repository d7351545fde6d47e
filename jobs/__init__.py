"""The operational jobs: ops and jobs, one module for each family."""

import dagster as dg

from jobs.core import JOBS as CORE
from jobs.invoices import JOBS as INVOICES
from jobs.marketplace import JOBS as MARKETPLACE
from jobs.openstack import JOBS as OPENSTACK
from jobs.people import JOBS as PEOPLE
from jobs.quotas import JOBS as QUOTAS
from jobs.rancher_support import JOBS as RANCHER_SUPPORT
from jobs.remote import JOBS as REMOTE

OPERATIONAL_JOBS: dict[str, dg.JobDefinition] = {
    **CORE,
    **INVOICES,
    **MARKETPLACE,
    **OPENSTACK,
    **PEOPLE,
    **QUOTAS,
    **REMOTE,
    **RANCHER_SUPPORT,
}
