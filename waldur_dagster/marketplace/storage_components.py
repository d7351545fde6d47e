"""Components of offerings that sell storage by volume type (spec openstack 0.5, volume types)."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import func, select

from waldur_dagster.marketplace.catalogue_events import log_component_events
from waldur_dagster.platform.lengths import fitting
from waldur_dagster.platform.merge import Merge
from waldur_dagster.schema import marketplace, openstack
from waldur_dagster.work import Work

offering, component, kind = marketplace.offering, marketplace.offeringcomponent, openstack.volumetype
DYNAMIC = "dynamic"
SOLD = {"measured_unit": "GB", "billing_type": "limit", "limit_period": "month"}
KEPT = ("name", "type", "description", *SOLD)


def keep_storage_components(work: Work, settings: int, volume_types: Collection[int]) -> None:
    """Give the cloud's one offering with dynamic storage a component for each of these volume types, sold by limit.

    A cloud that several offerings stand for is reported: nobody could tell whose components they are.
    """
    if not volume_types:
        return
    of_cloud = work.connection.execute(
        select(offering.c.id, offering.c.name, offering.c.plugin_options["storage_mode"].astext.label("mode")).where(
            offering.c.content_type_id == work.content_types("structure", "servicesettings"),
            offering.c.object_id == settings,
        )
    ).all()
    dynamic = [row for row in of_cloud if row.mode == DYNAMIC]
    if not dynamic:
        return
    if len(of_cloud) > 1:
        work.outcome.warn(f"offering {dynamic[0].name}", "is not the only one of its cloud: it gets no components")
        return
    _merge(work, dynamic[0].id, volume_types)


def _merge(work: Work, offering_id: int, volume_types: Collection[int]) -> None:
    content_type = work.content_types("openstack", "volumetype")
    rows = [
        {
            "object_id": row.id,
            "name": fitting(work, component.c.name, f"Storage ({row.name})"),
            "type": fitting(work, component.c.type, f"gigabytes_{row.name}"),
            "description": fitting(work, component.c.description, row.description),
        }
        | SOLD
        for row in work.connection.execute(
            select(kind.c.id, kind.c.name, kind.c.description).where(kind.c.id.in_(volume_types)).order_by(kind.c.id)
        )
    ]
    made = Merge(
        work, component, rows, key=["object_id"], columns=KEPT, scope=component.c.content_type_id == content_type
    )
    changed = made.update(KEPT)
    new = made.insert(
        {name: made.pulled.c[name] for name in ("object_id", *KEPT)}
        | {"uuid": func.gen_random_uuid(), "content_type_id": content_type, "offering_id": offering_id}
    )
    log_component_events(work, [row.id for row in changed], "updated")
    log_component_events(work, [row.id for row in new], "created")
