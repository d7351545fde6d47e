"""What texts of operators are shown of offerings, plans, resources and orders (``platform/template_objects``)."""

from __future__ import annotations

from waldur_dagster.marketplace.states import OrderState, OrderType, ResourceState
from waldur_dagster.platform.template_objects import CUSTOMER, PROJECT, USER, Facts, Kind

OFFERING = Kind(
    "marketplace_offering",
    ("uuid", "name", "description", "full_description", "type", "slug", "created", "terms_of_service_link", "country"),
    {"customer": ("customer_id", CUSTOMER)},
)
PLAN = Kind("marketplace_plan", ("uuid", "name", "description", "unit", "article_code"))


def _resource(row: Facts) -> Facts:
    return {"get_state_display": _shown(ResourceState, row["state"])}


RESOURCE = Kind(
    "marketplace_resource",
    (
        *("uuid", "name", "description", "created", "modified", "state", "end_date", "cost", "limits", "attributes"),
        *("options", "current_usages", "backend_id", "slug", "error_message", "paused", "downscaled"),
    ),
    {"project": ("project_id", PROJECT), "offering": ("offering_id", OFFERING), "plan": ("plan_id", PLAN)},
    derived=_resource,
)


def _order(row: Facts) -> Facts:
    return {
        "get_state_display": _shown(OrderState, row["state"]),
        "get_type_display": _shown(OrderType, row["type"]),
    }


ORDER = Kind(
    "marketplace_order",
    (
        *("uuid", "created", "modified", "state", "type", "cost", "limits", "attributes", "start_date", "slug"),
        *("request_comment", "termination_comment", "consumer_reviewed_at", "provider_reviewed_at"),
    ),
    {
        "resource": ("resource_id", RESOURCE),
        "offering": ("offering_id", OFFERING),
        "plan": ("plan_id", PLAN),
        "project": ("project_id", PROJECT),
        "created_by": ("created_by_id", USER),
        "consumer_reviewed_by": ("consumer_reviewed_by_id", USER),
        "provider_reviewed_by": ("provider_reviewed_by_id", USER),
    },
    derived=_order,
)


def _shown(kind: type[ResourceState | OrderState | OrderType], code: int) -> str:
    return kind(code).shown if code in list(kind) else str(code)
