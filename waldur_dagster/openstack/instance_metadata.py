"""marketplace-openstack.refresh-instance-backend-metadata: what the marketplace knows of virtual machines."""

from __future__ import annotations

from waldur_dagster.marketplace.instance_facts import import_instances
from waldur_dagster.work import Work


def refresh_instance_metadata(work: Work) -> None:
    """Bring the resources of all instances in line with the database; no cloud is asked."""
    import_instances(work)
