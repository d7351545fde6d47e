"""What the OpenStack jobs find to do on the demo site without any cloud: lost machines, hanging and expired rows."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from sqlalchemy import Engine, select

from waldur_dagster.demo.rows import Rows
from waldur_dagster.marketplace.states import OfferingState, ResourceState
from waldur_dagster.platform.plugin_resources import DELETING, OK
from waldur_dagster.schema import marketplace, openstack

SEED = 20250910


def add_cloud_rows(engine: Engine, now: datetime) -> None:
    """Give a demo site that has tenants a machine and a disk that nobody sells, and what is over or hangs.

    That is a machine that the marketplace knows under an old name, a tenant whose deletion takes days, and a snapshot
    and a backup whose time is over.
    """
    with engine.begin() as connection:
        rows = Rows(connection, Random(SEED), now - timedelta(days=2))  # noqa: S311  the same every time
        tenant = rows.first(openstack.tenant)
        tenant_type = rows.content_type("openstack", "tenant")
        category = connection.scalar(select(marketplace.offering.c.category_id).limit(1))
        provider = connection.scalar(select(marketplace.offering.c.customer_id).limit(1))
        offerings = {
            kind: rows.add(
                marketplace.offering,
                name=f"{word} in {tenant.name}",
                type=f"OpenStack.{kind}",
                state=OfferingState.ACTIVE,
                customer_id=provider,
                category_id=category,
                content_type_id=tenant_type,
                object_id=tenant.id,
            )
            for kind, word in (("Instance", "Virtual machine"), ("Volume", "Volume"))
        }
        place = {"project_id": tenant.project_id, "service_settings_id": tenant.service_settings_id}
        at = place | {"tenant_id": tenant.id}
        machine = at | {"action_details": "{}", "runtime_state": "ACTIVE", "state": OK, "cores": 2, "ram": 4096}
        rows.add(openstack.instance, name="lost machine", backend_id="demo-lost", **machine)
        known = rows.add(openstack.instance, name="renamed machine", backend_id="demo-renamed", **machine)
        rows.add(
            marketplace.resource,
            name="old name",
            state=ResourceState.OK,
            project_id=tenant.project_id,
            offering_id=offerings["Instance"],
            content_type_id=rows.content_type("openstack", "instance"),
            object_id=known,
            limits={},
        )
        disk = at | {"action_details": "{}", "state": OK, "metadata": "{}", "image_metadata": "{}", "size": 20480}
        lost = rows.add(openstack.volume, name="lost disk", backend_id="demo-disk", **disk)
        over = {"kept_until": now - timedelta(hours=6), "state": OK, "metadata": "{}"}
        rows.add(
            openstack.snapshot,
            name="nightly",
            action_details="{}",
            size=20480,
            source_volume_id=lost,
            **at,
            **over,
        )
        rows.add(openstack.backup, name="weekly", instance_id=known, **at, **over)
        rows.add(openstack.tenant, name="hanging tenant", state=DELETING, action_details="{}", **place)
