"""The items of new invoices: what each resource costs in the month (spec invoices 1.4).

Everything is one ``INSERT ... SELECT`` for each kind of item over the invoices that were just made.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Double,
    FromClause,
    Numeric,
    Select,
    Table,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.invoices.past_months import is_past
from waldur_dagster.invoices.term import Term
from waldur_dagster.platform.expressions import hex_of, json_list, json_object, merged, text_from
from waldur_dagster.schema import marketplace, structure
from waldur_dagster.schema.invoices import invoiceitem
from waldur_dagster.work import Work

CREATING, TERMINATED = 1, 6
# The columns hold quantities and unit prices below the first bound; with prices of items below the second one the
# totals of invoices fit too. An item beyond them would stop the billing of everybody.
COLUMN_BOUND, PRICE_BOUND = literal_column("1e12", Numeric), literal_column("1e15", Numeric)
# JSON allows smaller numbers than a double can hold; one of them would stop the billing of everybody too.
SMALLEST_LIMIT = literal_column("1e-300", Numeric)
# A site with a broken plan on every resource must not fill the log.
WARNINGS_SHOWN = 200

# Offering types that are billed locally, in the order in which Waldur's registrators run.
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
priced, component = marketplace.plancomponent, marketplace.offeringcomponent
provider = structure.customer.alias("provider")
serviceprovider, project = marketplace.serviceprovider, structure.project


def add_fixed_items(work: Work, term: Term, new_invoice: Table, discounted: Table) -> int:
    """Items of components with a fixed price; ``discounted`` holds the prices that campaigns changed."""
    unit = plan.c.unit
    source = _sources(new_invoice).outerjoin(
        discounted, and_(discounted.c.resource_id == resource.c.id, discounted.c.plan_component_id == priced.c.id)
    )
    full_price = priced.c.price * priced.c.amount
    details = case(
        (
            discounted.c.campaign_uuid.is_not(None),
            merged(
                item_details(),
                json_object(campaign_uuid=hex_of(discounted.c.campaign_uuid), unit_price=cast(full_price, Double)),
            ),
        ),
        else_=item_details(),
    )
    rows = item_rows(
        new_invoice,
        name=_name(suffix=case((discounted.c.campaign_uuid.is_not(None), " Discount."), else_="")),
        details=details,
        unit_price=func.coalesce(discounted.c.unit_price, full_price),
        unit=plan.c.unit,
        quantity=case(*((unit == name, amount) for name, amount in term.quantities()), else_=term.months),
        start=literal(term.start),
        end=literal(term.end),
    )
    return _insert(
        work, rows.select_from(source).where(*_billed_at_start(work, term), component.c.billing_type == "fixed")
    )


def add_limit_items(work: Work, term: Term, new_invoice: Table) -> int:
    """Items of components that are billed by the resource's limit, except for limits on the resource's whole life."""
    limit = _converted_limit()
    whole = limit.regexp_match(r"^-?\d+$")
    # Whole numbers multiply exactly; fractions are doubles in JSON, and multiply as such.
    by_days = case(
        (whole, cast(cast(limit, Numeric) * term.days, Text)), else_=cast(cast(limit, Double) * term.days, Text)
    )
    period = json_object(
        start=term.start.isoformat(),
        end=term.end.isoformat(),
        quantity=cast(limit, JSONB),
        billing_periods=term.days,
        # The text that Python prints for the product: that of a float keeps its ".0".
        total=case(
            (and_(~whole, by_days.regexp_match(r"^-?\d+$")), func.concat(by_days, ".0")),
            else_=by_days,
        ),
    )
    quantity = case((plan.c.unit == "day", cast(by_days, Numeric)), else_=cast(limit, Numeric))
    rows = item_rows(
        new_invoice,
        name=_name(),
        details=merged(item_details(), json_object(resource_limit_periods=json_list(period))),
        unit_price=priced.c.price,
        unit=plan.c.unit,
        quantity=quantity,
        start=literal(term.start),
        end=literal(term.end),
    )
    source = rows.select_from(_sources(new_invoice))
    return _insert(work, source.where(*_billed_at_start(work, term), has_billable_limit()))


def has_billable_limit() -> ColumnElement[bool]:
    """A limit component of which the resource has some: a number that is neither 0 nor -1 (unlimited)."""
    raw = resource.c.limits.op("->", return_type=JSONB())(component.c.type)
    number = case((func.jsonb_typeof(raw) == "number", cast(raw, Numeric)))
    return and_(
        component.c.billing_type == "limit",
        component.c.limit_period.is_distinct_from("total"),
        number.not_in((0, -1)),
        func.abs(number) >= SMALLEST_LIMIT,
    )


def _converted_limit() -> ColumnElement[str]:
    """The limit in the unit that is billed, as the text of a number."""
    text = resource.c.limits.op("->>", return_type=Text())(component.c.type)
    number = cast(text, Numeric)
    return case(
        (offering.c.type == TENANT, cast(tenant_amount(number), Text)),
        (offering.c.type == SLURM_PACKAGE, cast(package_amount(number), Text)),
        else_=text,
    )


def tenant_amount(amount: ColumnElement[Any]) -> ColumnElement[Any]:
    """OpenStack counts MiB, prices are for GiB; parts of a unit are not billed."""
    in_mib = component.c.type.in_(("ram", "storage"))
    return case((in_mib, func.trunc(amount / 1024)), else_=func.trunc(amount))


def package_amount(amount: ColumnElement[Any]) -> ColumnElement[Any]:
    """SLURM counts minutes and MiB-minutes, prices are for hours and GiB-hours; begun hours count."""
    return case((component.c.type == "ram", func.ceil(amount / 1024 / 60)), else_=func.ceil(amount / 60))


def _sources(new_invoice: Table) -> FromClause:
    """Every price of every resource of the customers that got an invoice; removed projects are billed too."""
    return (
        new_invoice.join(project, project.c.customer_id == new_invoice.c.customer_id)
        .join(resource, resource.c.project_id == project.c.id)
        .join(offering, offering.c.id == resource.c.offering_id)
        .join(plan, plan.c.id == resource.c.plan_id)
        .join(priced, priced.c.plan_id == plan.c.id)
        .join(component, component.c.id == priced.c.component_id)
        .join(provider, provider.c.id == offering.c.customer_id)
        .outerjoin(serviceprovider, serviceprovider.c.customer_id == provider.c.id)
    )


def _billed_at_start(work: Work, term: Term) -> list[ColumnElement[bool]]:
    there = [resource.c.created <= term.end] if is_past(work, term.month) else []
    return [offering.c.type.in_(BILLED_TYPES), resource.c.state.not_in((CREATING, TERMINATED)), *there]


def _name(suffix: Any = "") -> ColumnElement[str]:
    label = case(
        (
            offering.c.type == TENANT,
            case(
                (component.c.type == "cores", "CPU"),
                (component.c.type == "ram", "RAM"),
                (component.c.type == "storage", "storage"),
                (
                    component.c.type.startswith("gigabytes_", autoescape=True),
                    func.concat(func.substr(component.c.type, len("gigabytes_") + 1), " storage"),
                ),
                else_=component.c.name,
            ),
        ),
        else_=component.c.name,
    )
    return text_from(
        "{resource} ({offering} / {plan}) / {label}{suffix}",
        resource=resource.c.name,
        offering=offering.c.name,
        plan=plan.c.name,
        label=label,
        suffix=suffix if suffix != "" else literal("", Text),
    )


def item_details(shown_plan: Any = plan) -> ColumnElement[Any]:
    return json_object(
        resource_name=resource.c.name,
        resource_uuid=hex_of(resource.c.uuid),
        plan_name=func.coalesce(shown_plan.c.name, ""),
        plan_uuid=func.coalesce(hex_of(shown_plan.c.uuid), ""),
        offering_type=offering.c.type,
        offering_name=offering.c.name,
        offering_uuid=hex_of(offering.c.uuid),
        service_provider_name=provider.c.name,
        service_provider_uuid=func.coalesce(hex_of(serviceprovider.c.uuid), ""),
        plan_component_id=priced.c.id,
        offering_component_type=component.c.type,
        offering_component_name=component.c.name,
    )


def item_rows(new_invoice: Table, **values: Any) -> Select[Any]:
    """The columns of an item: those given, and what all items have in common."""
    common: dict[str, Any] = {
        "uuid": func.gen_random_uuid(),
        "invoice_id": new_invoice.c.id,
        "resource_id": resource.c.id,
        "project_id": project.c.id,
        "project_name": project.c.name,
        "project_uuid": hex_of(project.c.uuid),
        "measured_unit": component.c.measured_unit,
        "article_code": func.coalesce(func.nullif(component.c.article_code, ""), plan.c.article_code),
    }
    return select(
        *(
            value.label(name) if hasattr(value, "label") else literal(value).label(name)
            for name, value in (common | values).items()
        )
    )


def fits(unit_price: ColumnElement[Any], quantity: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether an invoice can hold an item of that price and quantity."""
    return and_(
        func.abs(unit_price) < COLUMN_BOUND,
        func.abs(quantity) < COLUMN_BOUND,
        func.abs(unit_price * quantity) < PRICE_BOUND,
    )


def _insert(work: Work, rows: Select[Any]) -> int:
    """Items are numbered by invoice, then as Waldur lists resources and components; what does not fit is left out."""
    made = rows.selected_columns
    fitting = rows.where(fits(cast(made.unit_price, Numeric), cast(made.quantity, Numeric)))
    statement = work.insert_from(invoiceitem, fitting.order_by("invoice_id", resource.c.created, component.c.name))
    return work.execute(statement).rowcount
