"""What Waldur itself gives columns that a row does not name: newer versions add columns that must have a value."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Any

# Columns of JSON (or of text that holds JSON) whose empty value is a list (spec newer 0.6).
LISTS = frozenset(
    {
        "active_isds",
        "affiliations",
        "allowed_domains",
        "eduperson_assurance",
        "external_fixed_ips",
        "managed_isds",
        "nationalities",
        "processing_log",
        "user_affiliations",
        "user_assurance_levels",
        "user_email_patterns",
        "user_identity_sources",
        "user_nationalities",
        "user_organization_types",
    }
)

# Defaults of Waldur that are not the empty value of their type.
GIVEN: dict[tuple[str, str], Any] = {
    ("invoices_customercredit", "apply_as_minimal_consumption"): True,
    ("invoices_customercredit", "minimal_consumption_logic"): "fixed",
    ("invoices_projectcredit", "apply_as_minimal_consumption"): True,
    ("invoices_projectcredit", "minimal_consumption_logic"): "fixed",
    ("marketplace_componentusage", "missing_usage_policy"): "none",
    ("marketplace_offering", "billable"): True,
    ("marketplace_offering", "citation_count"): -1,
    ("marketplace_offeringcomponent", "limit_period"): "month",
    ("marketplace_offeringcomponent", "unit_factor"): 1,
    ("marketplace_offeringuser", "runtime_state"): "Active",
    ("marketplace_plan", "billing_mode"): "inherit",
    ("marketplace_plancomponent", "discount_aggregation"): "customer",
    ("policy_projectestimatedcostpolicy", "use_credit"): True,
    ("structure_customer", "display_billing_info_in_projects"): True,
    ("structure_project", "kind"): "default",
    ("waldur_rancher_cluster", "is_available"): True,
}
MANAGED = frozenset({"can_be_managed", "is_managed"})

_EMPTY: dict[str, Any] = {
    "boolean": False,
    "character varying": "",
    "text": "",
    "smallint": 0,
    "integer": 0,
    "bigint": 0,
    "numeric": 0,
    "real": 0.0,
    "double precision": 0.0,
    "inet": "0.0.0.0",  # noqa: S104  a value of a column, nothing listens there
    "bytea": b"",
}


class NoNeutralValue(Exception):
    """No value is known that Waldur would give a column of this type."""


def neutral_value(table: str, name: str, kind: str, at: datetime) -> Any:
    """The value for a column by its table, its name, and PostgreSQL's name of its type without sizes.

    ``at`` is what stamps of time get; a uuid is a new one. Raises NoNeutralValue.
    """
    if (table, name) in GIVEN:
        return GIVEN[table, name]
    if name in MANAGED:
        return True
    match kind:
        case "json" | "jsonb":
            return [] if name in LISTS else {}
        case "text" if name in LISTS:
            return "[]"
        case "uuid":
            return uuid.uuid4()
        case "timestamp with time zone":
            return at
        case "date":
            return date(at.year, at.month, at.day)
        case _ if kind.endswith("[]"):
            return []
    if kind not in _EMPTY:
        raise NoNeutralValue(f"{table}.{name} ({kind})")
    return _EMPTY[kind]
