"""Azure resources."""

from waldur_dagster.schema.azure.compute import resourcegroup, storageaccount, virtualmachine
from waldur_dagster.schema.azure.databases import sqldatabase, sqlserver
from waldur_dagster.schema.azure.networks import network, networkinterface, publicip, securitygroup, subnet

__all__ = [
    "network",
    "networkinterface",
    "publicip",
    "resourcegroup",
    "securitygroup",
    "sqldatabase",
    "sqlserver",
    "storageaccount",
    "subnet",
    "virtualmachine",
]
