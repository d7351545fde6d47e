"""The events of single items, which newer versions write (spec newer_billing 1.9)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, DateTime, FromClause, Select, Text, case, cast, func, literal, or_, select

from waldur_dagster.invoices import rules
from waldur_dagster.platform.contexts import customer_context, invoice_context, python_time
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


def log_changed_items(work: Work, changed: FromClause) -> None:
    """``changed``: id, invoice_id, uuid, name, old and new quantity of items, and old and new end where that moves."""
    names = [name for name in ("quantity", "end") if f"old_{name}" in changed.c]
    pairs = {name: (changed.c[f"old_{name}"], changed.c[f"new_{name}"]) for name in names}
    differs = {name: old.is_distinct_from(new) for name, (old, new) in pairs.items()}
    told = [
        case((differs[name], text_from(name + ": {old} -> {new}", old=_shown(old), new=_shown(new))))
        for name, (old, new) in pairs.items()
    ]
    fields = func.concat_ws(", ", *told).label("fields")
    items = select(changed, fields).where(or_(*differs.values())).subquery("differing")
    _log(work, "invoice_item_updated", "has been updated. Details: {fields}.", items, fields=items.c.fields)


def _shown(value: ColumnElement[Any]) -> ColumnElement[str]:
    return python_time(value) if isinstance(value.type, DateTime) else cast(value, Text)


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
