"""Disks of the demo site on which work has stopped: some were never finished, one is still said to be updated."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from celery import Celery
from pydantic import SecretStr
from sqlalchemy import Engine, select

from waldur_dagster.demo.rows import Rows
from waldur_dagster.marketplace.states import OrderState, OrderType, ResourceState
from waldur_dagster.platform.plugin_resources import CREATING, CREATION_SCHEDULED, PLUGIN_RESOURCES, UPDATING
from waldur_dagster.schema import core, marketplace, openstack

SEED = 20250404
ENDED_TASK = "5f3c9f8e-demo-resize"


def add_stuck_disks(engine: Engine, now: datetime, result_store: SecretStr) -> None:
    """Give a demo site that has clouds two disks that nobody has worked on since yesterday, one of them ordered.

    A third is being updated by a task that has ended, as the store of Celery's results tells.
    """
    with Celery(backend=result_store.get_secret_value(), set_as_current=False) as app:
        app.backend.store_result(ENDED_TASK, None, "SUCCESS")
    with engine.begin() as connection:
        rows = Rows(connection, Random(SEED), now - timedelta(days=1))  # noqa: S311  the same every time
        tenant = rows.first(openstack.tenant)
        plugins = [(plugin.app_label, plugin.model) for plugin in PLUGIN_RESOURCES]
        for app_label, model in (*plugins, ("marketplace", "order"), ("marketplace", "resource")):
            rows.content_type(app_label, model)
        place = {"tenant_id": tenant.id, "project_id": tenant.project_id}
        at = place | {"service_settings_id": tenant.service_settings_id, "action_details": "{}", "size": 40960}
        ordered = rows.add(openstack.volume, name="archive", state=CREATING, **at)
        rows.add(openstack.volume, name="scratch", state=CREATION_SCHEDULED, **at)
        rows.add(openstack.volume, name="backup", state=UPDATING, task_id=ENDED_TASK, **at)
        offering = connection.scalar(select(marketplace.offering.c.id).order_by(marketplace.offering.c.id).limit(1))
        author = connection.scalar(select(core.user.c.id).order_by(core.user.c.id).limit(1))
        bought = {"project_id": tenant.project_id, "offering_id": offering, "limits": {}}
        resource = rows.add(
            marketplace.resource,
            name="archive",
            state=ResourceState.CREATING,
            content_type_id=rows.content_type("openstack", "volume"),
            object_id=ordered,
            **bought,
        )
        rows.add(
            marketplace.order,
            resource_id=resource,
            type=OrderType.CREATE,
            state=OrderState.EXECUTING,
            created_by_id=author,
            **bought,
        )
