"""The events of single items, which newer versions write (spec newer_billing 1.9)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, literal, select

from waldur_dagster.invoices import rules
from waldur_dagster.platform.contexts import customer_context, invoice_context
from waldur_dagster.platform.events import log_events
from waldur_dagster.platform.expressions import hex_of, json_list, json_object, merged, text_from
from waldur_dagster.schema import invoices, structure
from waldur_dagster.work import Work

invoice, item, customer = invoices.invoice, invoices.invoiceitem, structure.customer


def invoice_feeds(work: Work) -> ColumnElement[Any]:
    """The logs of an invoice and of its customer."""
    invoice_type, customer_type = work.content_types("invoices", "invoice"), work.content_types("structure", "customer")
    return json_list(json_list(invoice_type, invoice.c.id), json_list(customer_type, invoice.c.customer_id))


def log_new_items(work: Work, which: Select[Any]) -> None:
    """``which`` selects ids of items."""
    chosen = select(item.c.id, item.c.invoice_id, item.c.uuid, item.c.name).where(item.c.id.in_(which))
    _log(work, "invoice_item_created", "has been created.", chosen.subquery("new_item"))


def log_items_of(work: Work, made: FromClause) -> None:
    """All items of invoices that have just been made (``made.id``)."""
    chosen = select(item.c.id, item.c.invoice_id, item.c.uuid, item.c.name).join(made, made.c.id == item.c.invoice_id)
    _log(work, "invoice_item_created", "has been created.", chosen.subquery("new_item"))


def log_changed_quantities(work: Work, changed: FromClause) -> None:
    """``changed``: id, invoice_id, uuid, name, old_quantity, new_quantity of items."""
    _log(
        work,
        "invoice_item_updated",
        "has been updated. Details: quantity: {old} -> {new}.",
        changed,
        old=changed.c.old_quantity,
        new=changed.c.new_quantity,
    )


def log_removed_items(work: Work, removed: FromClause) -> None:
    """``removed``: id, invoice_id, uuid, name of items that are there no more."""
    _log(work, "invoice_item_deleted", "has been deleted.", removed)


def _log(work: Work, event_type: str, ending: str, items: FromClause, **values: Any) -> None:
    if not rules.has_one_billing_service(work.schema):
        return
    context = merged(
        json_object(invoice_item_uuid=hex_of(items.c.uuid)), invoice_context(invoice), customer_context(customer)
    )
    source = (
        select(
            literal(event_type).label("event_type"),
            text_from("Invoice item {name} " + ending, name=items.c.name, **values).label("message"),
            context.label("context"),
            invoice_feeds(work).label("feeds"),
        )
        .select_from(
            items.join(invoice, invoice.c.id == items.c.invoice_id).join(
                customer, customer.c.id == invoice.c.customer_id
            )
        )
        .order_by(items.c.id)
    )
    log_events(work, source)
