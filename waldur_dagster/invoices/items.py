"""The items of new invoices: what each resource costs in the month (spec invoices 1.4; newer_billing 1.4 to 1.9).

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

from waldur_dagster.database.site_schema import SiteSchema
from waldur_dagster.invoices import rules
from waldur_dagster.invoices.components import TENANT, billing_type, has_resources_to_bill, measured_unit
from waldur_dagster.invoices.past_months import is_past
from waldur_dagster.invoices.term import Term
from waldur_dagster.platform.expressions import hex_of, json_object, merged, text_from
from waldur_dagster.schema import marketplace, structure
from waldur_dagster.schema.invoices import invoiceitem
from waldur_dagster.work import Work

# The columns hold quantities and unit prices below the first bound; with prices of items below the second one the
# totals of invoices fit too. An item beyond them would stop the billing of everybody.
COLUMN_BOUND, PRICE_BOUND = literal_column("1e12", Numeric), literal_column("1e15", Numeric)
# JSON allows smaller numbers than a double can hold; one of them would stop the billing of everybody too.
SMALLEST_LIMIT = literal_column("1e-300", Numeric)
# A site with a broken plan on every resource must not fill the log.
WARNINGS_SHOWN = 200

resource, offering, plan = marketplace.resource, marketplace.offering, marketplace.plan
priced, component = marketplace.plancomponent, marketplace.offeringcomponent
provider = structure.customer.alias("provider")
serviceprovider, project = marketplace.serviceprovider, structure.project


def add_fixed_items(
    work: Work, term: Term, new_invoice: Table, discounted: Table, only: ColumnElement[bool] | None = None
) -> int:
    """Items of components with a fixed price; ``discounted`` holds the prices that campaigns changed.

    ``only`` says for which resources, all of the customers by default.
    """
    schema, unit = work.schema, plan.c.unit
    rows = item_rows(
        schema,
        new_invoice,
        **discounted_values(schema, discounted, priced.c.price * priced.c.amount, priced.c.amount),
        unit=plan.c.unit,
        quantity=case(*((unit == name, amount) for name, amount in term.quantities()), else_=term.months),
        start=literal(term.start),
        end=literal(term.end),
    )
    source = rows.select_from(discounted_resources(new_invoice, discounted))
    fixed = source.where(*billed_at_start(work, term), billing_type(schema) == "fixed")
    return insert_items(work, fixed if only is None else fixed.where(only))


def discounted_resources(new_invoice: Table, discounted: Table) -> FromClause:
    """As ``priced_resources``, with the prices that campaigns changed."""
    return priced_resources(new_invoice).outerjoin(
        discounted, and_(discounted.c.resource_id == resource.c.id, discounted.c.plan_component_id == priced.c.id)
    )


def discounted_values(
    schema: SiteSchema, discounted: Table, full_price: ColumnElement[Any], counted: ColumnElement[Any]
) -> dict[str, Any]:
    """Name, details and price of an item that a campaign may have changed; ``counted`` as ``discount_usage`` says."""
    has_campaign = discounted.c.campaign_uuid.is_not(None)
    of_campaign = json_object(campaign_uuid=hex_of(discounted.c.campaign_uuid), unit_price=cast(full_price, Double))
    plain = merged(item_details(), *discount_usage(schema, counted))
    return {
        "name": item_name(suffix=case((has_campaign, " Discount."), else_="")),
        "details": case((has_campaign, merged(plain, of_campaign)), else_=plain),
        "unit_price": func.coalesce(discounted.c.unit_price, full_price),
    }


def priced_resources(new_invoice: Table) -> FromClause:
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


def billed_at_start(work: Work, term: Term) -> list[ColumnElement[bool]]:
    """Of which resources the items of a month are made; what was not there yet in a past month costs nothing in it."""
    there = [resource.c.created <= term.end] if is_past(work, term.month) and not term.of_all else []
    return [has_resources_to_bill(work.schema), *there]


def item_name(suffix: Any = "", template: str = "{resource} ({offering} / {plan}) / {label}{suffix}") -> Any:
    """The name of an item that its plan names; OpenStack's components have labels of their own."""
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
        template,
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


def discount_usage(schema: SiteSchema, amount: ColumnElement[Any]) -> list[ColumnElement[Any]]:
    """What an item counts for in the formula of its price's volume discount, as a part of its details."""
    return [json_object(discount_usage=cast(amount, Double))] if rules.has_volume_discounts(schema) else []


def item_rows(schema: SiteSchema, new_invoice: Any, **values: Any) -> Select[Any]:
    """The columns of an item: those given, and what all items have in common."""
    common: dict[str, Any] = {
        "uuid": func.gen_random_uuid(),
        "invoice_id": new_invoice.c.id,
        "resource_id": resource.c.id,
        "project_id": project.c.id,
        "project_name": project.c.name,
        "project_uuid": hex_of(project.c.uuid),
        "measured_unit": measured_unit(schema),
        "article_code": func.coalesce(func.nullif(component.c.article_code, ""), plan.c.article_code),
    }
    if rules.has_one_billing_service(schema):
        common["plan_component_id"] = priced.c.id
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


def insert_items(work: Work, rows: Select[Any]) -> int:
    """Items are numbered by invoice, then as Waldur lists resources and components; what does not fit is left out."""
    made = rows.selected_columns
    fitting = rows.where(fits(cast(made.unit_price, Numeric), cast(made.quantity, Numeric)))
    order = ("invoice_id", resource.c.created, resource.c.id, component.c.name, component.c.id)
    return work.execute(work.insert_from(invoiceitem, fitting.order_by(*order))).rowcount
