"""How a component is billed under a plan (spec invoices 1.4; newer_billing 1.5, 1.7).

Plans of newer versions may bill some of their offering's components in another way than the components say.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Numeric, and_, case, cast, false, func, literal, literal_column
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.database.site_schema import SiteSchema
from waldur_dagster.invoices import rules
from waldur_dagster.platform.state_codes import ResourceState
from waldur_dagster.schema import marketplace

CREATING, OK, TERMINATED = ResourceState.CREATING, ResourceState.OK, ResourceState.TERMINATED

# Offering types that older versions bill locally, in the order in which Waldur's registrators run.
TENANT, SLURM_PACKAGE = "OpenStack.Tenant", "SlurmInvoices.SlurmPackage"
BILLED_TYPES = (
    "Marketplace.Booking",
    "Marketplace.Basic",
    TENANT,
    "Marketplace.Rancher",
    "Marketplace.Script",
    SLURM_PACKAGE,
    "Marketplace.Slurm",
    "Support.OfferingTemplate",
)

resource, offering, plan = marketplace.resource, marketplace.offering, marketplace.plan
component = marketplace.offeringcomponent


def is_billed_here(schema: SiteSchema) -> ColumnElement[bool]:
    """Whether the resources of an offering are billed by the monthly run."""
    return offering.c.billable if rules.has_one_billing_service(schema) else offering.c.type.in_(BILLED_TYPES)


def has_resources_to_bill(schema: SiteSchema) -> ColumnElement[bool]:
    return and_(is_billed_here(schema), resource.c.state.not_in((CREATING, TERMINATED)))


def billing_type(schema: SiteSchema, plan: Any = plan) -> ColumnElement[str]:
    """``fixed``, ``usage``, ``limit``, ``one`` or ``few``."""
    own = component.c.billing_type
    return case((_mode_holds(plan), plan.c.billing_mode), else_=own) if rules.has_billing_modes(schema) else own


def limit_period(schema: SiteSchema, plan: Any = plan) -> ColumnElement[str]:
    own = component.c.limit_period
    if not rules.has_billing_modes(schema):
        return own
    return case((and_(_mode_holds(plan), plan.c.billing_mode == "limit"), "month"), else_=own)


def is_prepaid(schema: SiteSchema, plan: Any = plan) -> ColumnElement[bool]:
    if not rules.has_prepaid_components(schema):
        return false()
    if not rules.has_billing_modes(schema):
        return component.c.is_prepaid
    return and_(component.c.is_prepaid, ~_mode_holds(plan))


def limit_in(limits: ColumnElement[Any]) -> ColumnElement[Any]:
    """The JSON value that a resource's limits have for the component; NULL where they have none, or are no object."""
    return limits.op("->", return_type=JSONB())(component.c.type)


def measured_unit(schema: SiteSchema, plan: Any = plan) -> ColumnElement[str]:
    """The unit that items name; OpenStack's follows the plan, since usage is counted in hours."""
    own = component.c.measured_unit
    if not rules.has_billing_modes(schema):
        return own
    cores, by_usage = component.c.type == "cores", plan.c.billing_mode == "usage"
    of_plan = case((and_(by_usage, cores), "core-hours"), (by_usage, "GB-hours"), (cores, "cores"), else_="GB")
    return case((and_(_mode_holds(plan), offering.c.type == TENANT), of_plan), else_=own)


def _mode_holds(plan: Any) -> ColumnElement[bool]:
    return and_(component.c.billed_per_plan, plan.c.billing_mode.in_(("limit", "usage")))


def tenant_limit(schema: SiteSchema, limit: ColumnElement[Any]) -> ColumnElement[Any]:
    """OpenStack counts MiB, prices are for GiB; what is finer than a limit may be is not billed."""
    decimals = component.c.limit_decimal_places
    places = decimals if schema.has_column(decimals) else literal(0)
    in_mib = component.c.type.in_(("ram", "storage"))
    return case((in_mib, func.trunc(limit / 1024, places)), else_=func.trunc(limit, places))


def tenant_usage(schema: SiteSchema, used: ColumnElement[Any]) -> ColumnElement[Any]:
    """As ``tenant_limit``; newer versions bill hundredths, ties to the even one."""
    in_mib = component.c.type.in_(("ram", "storage"))
    if not rules.has_billing_modes(schema):
        return case((in_mib, func.trunc(used / 1024)), else_=func.trunc(used))
    return case((in_mib, half_even(used / 1024)), else_=half_even(used))


def half_even(amount: ColumnElement[Any]) -> ColumnElement[Any]:
    """To 2 places; a tie goes to the even hundredth."""
    hundreds = cast(amount, Numeric) * 100
    floor = func.floor(hundreds)
    is_tie = hundreds - floor == literal_column("0.5", Numeric)
    return case((is_tie, floor + func.mod(func.abs(floor), 2)), else_=func.round(hundreds)) / 100


def package_amount(schema: SiteSchema, amount: ColumnElement[Any]) -> ColumnElement[Any]:
    """SLURM counts minutes and MiB-minutes, prices are for hours and GiB-hours; begun hours count."""
    memory = ("ram", "mem") if rules.has_one_billing_service(schema) else ("ram",)
    in_mib = component.c.type.in_(memory)
    return case((in_mib, func.ceil(amount / 1024 / 60)), else_=func.ceil(amount / 60))


def billed_usage(schema: SiteSchema, used: ColumnElement[Any]) -> ColumnElement[Any]:
    """A reported usage in the unit that is billed."""
    return case(
        (offering.c.type == TENANT, tenant_usage(schema, used)),
        (offering.c.type == SLURM_PACKAGE, package_amount(schema, used)),
        else_=used,
    )
