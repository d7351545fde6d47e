"""Types of events that newer versions of Waldur call otherwise (spec newer 0.4).

Jobs name an event as Waldur of October 2024 does; the log gets the name that the site's own hooks and filters know.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Text, case, cast, literal

from waldur_dagster.database.site_schema import SiteSchema

RESOURCE_CHANGED = "marketplace_resource_has_been_changed"

# The old name, the new one, and the column by which a site shows that it uses the new one.
RENAMED: tuple[tuple[str, str, tuple[str, str]], ...] = (
    (RESOURCE_CHANGED, "marketplace_resource_update_succeeded", ("marketplace_resource", "last_sync")),
    (
        "reduction_of_credit",
        "reduction_of_customer_credit",
        ("invoices_customercredit", "expected_consumption"),
    ),
    (
        "reduction_of_credit_due_to_minimal_consumption",
        "reduction_of_customer_credit_due_to_minimal_consumption",
        ("invoices_customercredit", "expected_consumption"),
    ),
)


def name_on_site(schema: SiteSchema, event_type: ColumnElement[Any]) -> ColumnElement[str]:
    """The name that a type of event has on this site."""
    renamed = {old: literal(new, Text) for old, new, column in RENAMED if schema.has(*column)}
    return case(renamed, value=event_type, else_=event_type) if renamed else cast(event_type, Text)
