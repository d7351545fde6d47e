"""Tenants whose deletion hangs (spec openstack, openstack_mark_as_erred_old_tenants_in_deleting_state)."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import update

from waldur_dagster.platform.plugin_resources import DELETING, ERRED
from waldur_dagster.schema import openstack
from waldur_dagster.work import Work

PATIENCE = timedelta(days=1)
MESSAGE = "Deletion error. Deleting took more than a day."


def give_up_deleting_tenants(work: Work) -> int:
    """Tenants that are being deleted, and were not touched, for a day are erred; returns how many.

    Their resources and orders stay as they are, and so does the time of their last change.
    """
    tenant = openstack.tenant
    hanging = update(tenant).where(tenant.c.state == DELETING, tenant.c.modified <= work.as_of - PATIENCE)
    return work.execute(hanging.values(state=ERRED, error_message=MESSAGE)).rowcount
