"""Azure resources."""

from waldur_dagster.schema.azure.compute import resourcegroup, storageaccount, virtualmachine
from waldur_dagster.schema.azure.databases import sqldatabase, sqlserver
from waldur_dagster.schema.azure.networks import network, networkinterface, publicip, securitygroup, subnet
from waldur_dagster.schema.azure.offers import image, location, size, sizeavailabilityzone

__all__ = [
    "image",
    "location",
    "network",
    "networkinterface",
    "publicip",
    "resourcegroup",
    "securitygroup",
    "size",
    "sizeavailabilityzone",
    "sqldatabase",
    "sqlserver",
    "storageaccount",
    "subnet",
    "virtualmachine",
]
