"""Offerings, plans with their prices, resources with their orders, and their usage."""

from waldur_dagster.schema.marketplace.accounts import integrationstatus, offeringuser, userofferingconsent
from waldur_dagster.schema.marketplace.offerings import (
    category,
    categorycomponent,
    offering,
    offering_organization_groups,
    offeringaccessendpoint,
    offeringcomponent,
    offeringtermsofservice,
    plan,
    plancomponent,
    screenshot,
    serviceprovider,
)
from waldur_dagster.schema.marketplace.resources import (
    order,
    resource,
    resourceaccessendpoint,
    resourceplanperiod,
    resourceuser,
    robotaccount,
    robotaccount_users,
)
from waldur_dagster.schema.marketplace.usage import (
    categorycomponentusage,
    componentquota,
    componentusage,
    componentuserusage,
)

__all__ = [
    "category",
    "categorycomponent",
    "categorycomponentusage",
    "componentquota",
    "componentusage",
    "componentuserusage",
    "integrationstatus",
    "offering",
    "offering_organization_groups",
    "offeringaccessendpoint",
    "offeringcomponent",
    "offeringtermsofservice",
    "offeringuser",
    "order",
    "plan",
    "plancomponent",
    "resource",
    "resourceaccessendpoint",
    "resourceplanperiod",
    "resourceuser",
    "robotaccount",
    "robotaccount_users",
    "screenshot",
    "serviceprovider",
    "userofferingconsent",
]
