"""Availability zones: one row for each cloud and name, whichever tenant sees it (spec openstack, properties 2, 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Table, func

from waldur_dagster.openstack.providers import Sessions, Tenant
from waldur_dagster.platform.lengths import fitting
from waldur_dagster.platform.merge import Merge
from waldur_dagster.schema import openstack
from waldur_dagster.work import Work

DEFAULT = "nova"  # the zone of those who did not choose one
EXTENSION = "AvailabilityZones"


def fetch_volume_zones(sessions: Sessions, _: Mapping[str, Any]) -> dict[str, bool] | None:
    """Zones and whether they are available; None where this cinder has no zones."""
    extensions = sessions.shared(
        "extensions", lambda: {e["name"] for e in sessions.admin.get("block_storage", "/extensions")["extensions"]}
    )
    return _zones(sessions.tenant.get("block_storage", "/os-availability-zone")) if EXTENSION in extensions else None


def fetch_instance_zones(sessions: Sessions, _: Mapping[str, Any]) -> dict[str, bool]:
    return _zones(sessions.tenant.get("compute", "/os-availability-zone"))


@dataclass
class ZonesSeen:
    """The zones of one kind, by cloud, that the tenants read in this run have seen."""

    table: Table
    seen: dict[int, dict[str, tuple[int, bool]]] = field(default_factory=dict)
    read: dict[int, set[int]] = field(default_factory=dict)

    def note(self, place: Tenant, zones: Mapping[str, bool] | None) -> None:
        """A zone belongs to the first tenant, by id, that sees it, and is as available as that one says."""
        if zones is None:
            return
        cloud = self.seen.setdefault(place.provider.id, {})
        self.read.setdefault(place.provider.id, set()).add(place.id)
        for name, available in zones.items():
            cloud[name] = min(cloud.get(name, (place.id, available)), (place.id, available))

    def merge(self, work: Work) -> None:
        """Make the clouds' zones what was seen; a zone goes when its tenant was read and nobody has seen it."""
        for settings, zones in self.seen.items():
            rows = [
                {"name": fitting(work, self.table.c.name, name), "tenant_id": id, "available": is_up}
                for name, (id, is_up) in sorted(zones.items())
            ]
            made = Merge(
                work,
                self.table,
                rows,
                key=["name"],
                columns=["tenant_id", "available"],
                scope=self.table.c.settings_id == settings,
            )
            made.delete(made.stale(self.table.c.tenant_id.in_(self.read[settings])))
            made.update(["available"])
            values = {name: made.pulled.c[name] for name in ("name", "tenant_id", "available")}
            made.insert(values | {"settings_id": settings, "uuid": func.gen_random_uuid()})


def volume_zones() -> ZonesSeen:
    return ZonesSeen(openstack.volumeavailabilityzone)


def instance_zones() -> ZonesSeen:
    return ZonesSeen(openstack.instanceavailabilityzone)


def _zones(answer: Mapping[str, Any]) -> dict[str, bool]:
    found = {zone["zoneName"]: bool(zone["zoneState"]["available"]) for zone in answer["availabilityZoneInfo"]}
    found.pop(DEFAULT, None)
    return found
