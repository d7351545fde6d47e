"""Service settings of archived offerings: on while a resource needs them (spec marketplace 0.5)."""

from __future__ import annotations

from sqlalchemy import Table, and_, exists, select, update

from waldur_dagster.marketplace.states import OfferingState, ResourceState
from waldur_dagster.schema import marketplace, structure
from waldur_dagster.work import Work

resource, offering, settings = marketplace.resource, marketplace.offering, structure.servicesettings


def follow(work: Work, changed: Table) -> None:
    """Switch settings for resources whose state has changed: resource_id, old_state, new_state.

    The last resource of an archived offering takes the offering's settings with it; a resource that comes to any
    state but Terminating and Terminated switches them on.
    """
    settings_type = work.content_types.get("structure", "servicesettings")
    if settings_type is None:
        return
    moved = changed.c.old_state != changed.c.new_state
    ended = and_(moved, changed.c.new_state == ResourceState.TERMINATED)
    living = and_(moved, changed.c.new_state.not_in([ResourceState.TERMINATING, ResourceState.TERMINATED]))
    of_offerings = (
        select(offering.c.object_id)
        .join(resource, resource.c.offering_id == offering.c.id)
        .join(changed, changed.c.resource_id == resource.c.id)
        .where(offering.c.content_type_id == settings_type)
    )
    other = resource.alias("other")
    has_living = exists().where(other.c.offering_id == offering.c.id, other.c.state != ResourceState.TERMINATED)
    emptied = of_offerings.where(ended, offering.c.state == OfferingState.ARCHIVED, ~has_living)
    for rows, active in ((emptied, False), (of_offerings.where(living), True)):
        work.execute(
            update(settings)
            .values(is_active=active)
            .where(settings.c.id.in_(rows), settings.c.is_active.is_not(active))
        )
