"""Copies of closed invoices for PayPal, on sites that take payments with it (spec invoices 1.8)."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Date, Integer, Numeric, Table, Text, case, cast, func, literal, or_, select
from sqlalchemy.dialects.postgresql import JSONB, distinct_on

from waldur_dagster.invoices.accounting_lines import invoice_number
from waldur_dagster.invoices.money import HUNDREDTH, item_price
from waldur_dagster.platform.contexts import customer_context
from waldur_dagster.platform.events import log_events
from waldur_dagster.platform.expressions import hex_of, json_list, json_object, merged, text_from
from waldur_dagster.schema import invoices, paypal, structure
from waldur_dagster.temporary import temporary_returned
from waldur_dagster.work import Work

NAME_LENGTH = 255
# What the columns of PayPal's items hold: numeric(9, 2) and integer.
AMOUNT_BOUND, QUANTITY_BOUND = 10**7, 2**31
invoice, item, customer = invoices.invoice, invoices.invoiceitem, structure.customer
PRICE = item_price(item)
TAX = PRICE * invoice.c.tax_percent * HUNDREDTH


def copy_to_paypal(work: Work, closing: Table) -> None:
    """Copy the invoices that became billed, and cost something, with their items; they are sent by another job.

    An invoice of which an item is too large for PayPal's tables is reported and not copied: a payment request without
    that item would ask for the wrong sum.
    """
    costs = (
        select(item.c.invoice_id)
        .join(closing, closing.c.id == item.c.invoice_id)
        .where(closing.c.state == "created", closing.c.id.not_in(_report_too_large(work, closing)))
        .group_by(item.c.invoice_id)
        .having(func.sum(item_price(item)) != 0)
    )
    issuer = json.dumps(work.settings["WALDUR_INVOICES.ISSUER_DETAILS"], separators=(",", ":"))
    end_date = work.today + timedelta(days=work.settings["WALDUR_INVOICES.PAYMENT_INTERVAL"])
    rows = (
        select(
            func.gen_random_uuid().label("uuid"),
            literal("DRAFT").label("state"),
            literal(work.today, Date).label("invoice_date"),
            literal(end_date, Date).label("end_date"),
            literal("").label("pdf"),
            literal("").label("number"),
            literal("").label("backend_id"),
            invoice.c.tax_percent,
            invoice.c.year,
            invoice.c.month,
            invoice.c.customer_id,
            literal(issuer, Text).label("issuer_details"),
            _payment_details().label("payment_details"),
        )
        .join(customer, customer.c.id == invoice.c.customer_id)
        .where(invoice.c.id.in_(costs))
        .order_by(invoice.c.id)
    )
    copies = work.insert_from(paypal.invoice, rows).returning(
        *(paypal.invoice.c[name] for name in ("id", "uuid", "customer_id", "year", "month", "end_date"))
    )
    copied = temporary_returned(work, "paypal_copy", copies)
    _copy_items(work, copied)
    _log_copies(work, copied)


def _report_too_large(work: Work, closing: Table) -> list[int]:
    """Report the invoices with an item that does not fit, and give their ids."""
    amounts = (PRICE, TAX, item.c.unit_price)
    found = work.connection.execute(
        select(invoice.c.id, customer.c.name, item.c.name.label("item_name"), item.c.unit_price, item.c.quantity)
        .ext(distinct_on(invoice.c.id))
        .select_from(
            closing.join(invoice, invoice.c.id == closing.c.id)
            .join(customer, customer.c.id == invoice.c.customer_id)
            .join(item, item.c.invoice_id == invoice.c.id)
        )
        .where(
            closing.c.state == "created",
            or_(
                *(func.abs(func.round(amount, 2)) >= AMOUNT_BOUND for amount in amounts),
                item.c.quantity <= -1,
                item.c.quantity >= QUANTITY_BOUND,
            ),
        )
        .order_by(invoice.c.id, item.c.id)
    ).all()
    for row in found:
        work.outcome.fail(
            f"invoice {invoice_number(row.id)} of {row.name}",
            f"is closed, but not copied to PayPal: its tables cannot hold the item {row.item_name} "
            f"({row.quantity.normalize():f} at {row.unit_price.normalize():f}); ask for the payment in another way",
        )
    return [row.id for row in found]


def _copy_items(work: Work, copied: Table) -> None:
    rows = (
        select(
            copied.c.id.label("invoice_id"),
            PRICE.label("price"),
            TAX.label("tax"),
            cast(item.c.unit_price, Numeric(9, 2)).label("unit_price"),
            cast(func.trunc(item.c.quantity), Integer).label("quantity"),
            case((item.c.unit == "quantity", "QUANTITY"), else_="AMOUNT").label("unit_of_measure"),
            func.left(item.c.name, NAME_LENGTH).label("name"),
            item.c.start,
            item.c.end,
        )
        .select_from(
            copied.join(
                invoice,
                (invoice.c.customer_id == copied.c.customer_id)
                & (invoice.c.year == copied.c.year)
                & (invoice.c.month == copied.c.month),
            ).join(item, item.c.invoice_id == invoice.c.id)
        )
        .order_by(copied.c.id, item.c.id)
    )
    work.execute(work.insert_from(paypal.invoiceitem, rows))


def _log_copies(work: Work, copied: Table) -> None:
    dates = f"{work.today}-" + "{end}. Invoice for customer {customer} has been created."
    context = merged(
        customer_context(customer),
        json_object(
            invoice_uuid=hex_of(copied.c.uuid),
            invoice_total=0.0,  # the items come after the event
            invoice_invoice_date=work.today.isoformat(),
            invoice_end_date=cast(copied.c.end_date, Text),
        ),
    )
    source = (
        select(
            cast("invoice_creation_succeeded", Text).label("event_type"),
            text_from(dates, end=copied.c.end_date, customer=customer.c.name).label("message"),
            context.label("context"),
            json_list(json_list(work.content_types("structure", "customer"), customer.c.id)).label("feeds"),
        )
        .join(customer, customer.c.id == copied.c.customer_id)
        .order_by(copied.c.id)
    )
    log_events(work, source)


def _payment_details() -> ColumnElement[str]:
    """JSON text without blanks, its keys in this order; jsonb would keep neither."""
    import pycountry

    countries = {country.alpha_2: country.name for country in pycountry.countries} | {"EU": "European Union"}
    known_name = cast(literal(json.dumps(countries), Text), JSONB).op("->>", return_type=Text())(customer.c.country)
    values: dict[str, Any] = {
        "name": customer.c.name,
        "address": customer.c.address,
        "country": customer.c.country,
        # An unknown country has an empty name; a customer without a country has null.
        "country_name": case((func.coalesce(customer.c.country, "") != "", func.coalesce(known_name, ""))),
        "email": customer.c.email,
        "postal": customer.c.postal,
        "phone_number": customer.c.phone_number,
        "bank_name": customer.c.bank_name,
        "bank_account": customer.c.bank_account,
    }
    pairs = [
        func.concat(f'"{key}":', func.coalesce(cast(func.to_json(cast(value, Text)), Text), "null"))
        for key, value in values.items()
    ]
    return func.concat("{", func.concat_ws(",", *pairs), "}")
