"""Waldur's tables in use, one module for each Waldur app: ``from waldur_dagster.schema import invoices``."""

from waldur_dagster.schema import (
    billing,
    constance,
    core,
    django,
    invoices,
    logging,
    marketplace,
    paypal,
    permissions,
    policy,
    promotions,
    structure,
)
from waldur_dagster.schema.base import OnDelete, create_all, metadata

__all__ = [
    "OnDelete",
    "billing",
    "constance",
    "core",
    "create_all",
    "django",
    "invoices",
    "logging",
    "marketplace",
    "metadata",
    "paypal",
    "permissions",
    "policy",
    "promotions",
    "structure",
]
