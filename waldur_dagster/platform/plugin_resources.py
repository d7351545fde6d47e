"""What the plugins make in their clouds: every table of such resources, and how Waldur names them (spec core 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Subquery,
    Table,
    Text,
    Uuid,
    cast,
    literal,
    null,
    select,
    union_all,
)

from waldur_dagster.schema import aws, azure, digitalocean, firecrest, openstack, rancher, slurm, vmware
from waldur_dagster.work import Work

# State codes of all these tables.
UPDATE_SCHEDULED, UPDATING, OK, ERRED, CREATION_SCHEDULED, CREATING, DELETION_SCHEDULED, DELETING = range(1, 9)
STATE_NAMES = {
    UPDATE_SCHEDULED: "Update Scheduled",
    UPDATING: "Updating",
    OK: "OK",
    ERRED: "Erred",
    CREATION_SCHEDULED: "Creation Scheduled",
    CREATING: "Creating",
    DELETION_SCHEDULED: "Deletion Scheduled",
    DELETING: "Deleting",
}


@dataclass(frozen=True)
class PluginResource:
    """One table: its content type, its type in events, and whether the marketplace follows its state."""

    table: Table
    app_label: str
    type: str
    in_marketplace: bool = False

    @property
    def model(self) -> str:
        return self.table.name.removeprefix(f"{self.app_label}_")

    @property
    def words(self) -> str:
        """What stands before its name in full: ``OpenStack Instance``."""
        return self.type.replace(".", " ")


def _plugin(app_label: str, name: str, tables: dict[str, Table], in_marketplace: Sequence[str] = ()) -> Any:
    return (PluginResource(t, app_label, f"{name}.{model}", model in in_marketplace) for model, t in tables.items())


PLUGIN_RESOURCES: tuple[PluginResource, ...] = (
    *_plugin("waldur_aws", "Amazon", {"Instance": aws.instance, "Volume": aws.volume}),
    *_plugin(
        "waldur_azure",
        "Azure",
        {
            "ResourceGroup": azure.resourcegroup,
            "StorageAccount": azure.storageaccount,
            "Network": azure.network,
            "SubNet": azure.subnet,
            "SecurityGroup": azure.securitygroup,
            "NetworkInterface": azure.networkinterface,
            "PublicIP": azure.publicip,
            "VirtualMachine": azure.virtualmachine,
            "SQLServer": azure.sqlserver,
            "SQLDatabase": azure.sqldatabase,
        },
        in_marketplace=("VirtualMachine", "SQLServer", "SQLDatabase"),
    ),
    *_plugin("waldur_digitalocean", "DigitalOcean", {"Droplet": digitalocean.droplet}),
    *_plugin(
        "openstack",
        "OpenStack",
        {
            "Tenant": openstack.tenant,
            "ServerGroup": openstack.servergroup,
            "SecurityGroup": openstack.securitygroup,
            "FloatingIP": openstack.floatingip,
            "Router": openstack.router,
            "Network": openstack.network,
            "SubNet": openstack.subnet,
            "Port": openstack.port,
            "Volume": openstack.volume,
            "Snapshot": openstack.snapshot,
            "Instance": openstack.instance,
            "Backup": openstack.backup,
            "BackupSchedule": openstack.backupschedule,
            "SnapshotSchedule": openstack.snapshotschedule,
        },
        in_marketplace=("Tenant", "Volume", "Instance"),
    ),
    *_plugin(
        "waldur_rancher",
        "Rancher",
        {
            "Cluster": rancher.cluster,
            "Application": rancher.application,
            "Ingress": rancher.ingress,
            "Service": rancher.service,
        },
        in_marketplace=("Cluster",),
    ),
    *_plugin("waldur_slurm", "SLURM", {"Allocation": slurm.allocation}, in_marketplace=("Allocation",)),
    *_plugin(
        "waldur_vmware",
        "VMware",
        {"VirtualMachine": vmware.virtualmachine, "Port": vmware.port, "Disk": vmware.disk},
        in_marketplace=("VirtualMachine",),
    ),
    *_plugin("waldur_firecrest", "SLURM", {"Job": firecrest.job}),
)


def existing(work: Work) -> list[PluginResource]:
    """Those whose table this site has; plugins that are not installed have none."""
    return [found for found in PLUGIN_RESOURCES if work.schema.has(found.table.name)]


def backends(work: Work) -> Subquery:
    """(content_type_id, object_id, uuid, type) of every plugin resource: what a marketplace resource may stand for."""
    parts: list[Select[Any]] = [
        select(
            literal(content_type, Integer).label("content_type_id"),
            found.table.c.id.label("object_id"),
            found.table.c.uuid,
            literal(found.type, Text).label("type"),
        )
        for found in existing(work)
        if (content_type := work.content_types.get(found.app_label, found.model)) is not None
    ]
    if not parts:
        columns = {"content_type_id": Integer, "object_id": Integer, "uuid": Uuid, "type": Text}
        nothing: list[ColumnElement[Any]] = [cast(null(), kind).label(name) for name, kind in columns.items()]
        parts = [select(*nothing).where(literal(value=False))]
    return union_all(*parts).subquery("backends")
