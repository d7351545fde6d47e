"""What becomes of invoice items that remotes have (spec remote 8, OURS)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID, uuid4

from pydantic import Field
from sqlalchemy import DateTime, Integer, Numeric, String, any_, literal, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from waldur_dagster.clients.waldur import Amount, Document, Instant, Uuid, Words
from waldur_dagster.invoices.new_invoices import create_invoices_of
from waldur_dagster.invoices.price_estimates import refresh_price_estimates
from waldur_dagster.invoices.states import CANCELED, PAID
from waldur_dagster.invoices.totals import refresh_totals
from waldur_dagster.platform.cascade import delete_with_dependants
from waldur_dagster.platform.expressions import given_ids, given_rows
from waldur_dagster.platform.month import Month
from waldur_dagster.policies import affected_by_resources, evaluate_policies
from waldur_dagster.remote.losses import loses_too_much
from waldur_dagster.remote.remotes import Resource
from waldur_dagster.schema import invoices, marketplace, structure
from waldur_dagster.work import Work

invoice, item = invoices.invoice, invoices.invoiceitem
resource, project = marketplace.resource, structure.project
SETTLED = (PAID, CANCELED)  # such invoices are nobody's to change any more
SCALE = Decimal("1e-10")
SHORT = 30  # characters of codes and units
# The columns of a known item that a pull owns; its name is not among them.
OWNED = ("start", "end", "measured_unit", "details", "quantity", "article_code", "unit_price", "unit")


class RemoteItem(Document):
    """An invoice item as its remote has it."""

    uuid: Uuid
    name: Words
    start: Instant
    end: Instant
    unit_price: Amount
    quantity: Amount
    unit: Words = ""
    measured_unit: Words = ""
    article_code: Words = ""
    details: dict[str, Any] = Field(default_factory=dict)

    @property
    def values(self) -> dict[str, Any]:
        return {
            "start": self.start,
            "end": self.end,
            "measured_unit": self.measured_unit[:SHORT],
            "details": self.details,
            "quantity": self.quantity.quantize(SCALE, ROUND_HALF_UP),
            "article_code": self.article_code[:SHORT],
            "unit_price": self.unit_price.quantize(SCALE, ROUND_HALF_UP),
            "unit": self.unit[:SHORT],
        }


Bills = Mapping[Month, Sequence[RemoteItem]]  # months that could not be read are not among them


@dataclass(frozen=True)
class _Bill:
    """The items of one resource in one month. ``invoice`` is None when there is none, and nothing to put on it."""

    place: Resource
    items: Sequence[RemoteItem]
    owner: Any
    invoice: Any


def keep_bills(work: Work, pulled: Sequence[tuple[Resource, Bills]]) -> None:
    """Make the items of these resources what their remotes have, with totals, estimates and policies.

    An invoice is made where the remote has items and there is none: as ever, all other resources of that customer are
    billed with it. Invoices that are paid or canceled are left alone, and told where they differ. Items of credits
    stay. When too much would go at once, nothing of these resources is changed.
    """
    owners = _owners(work, [place.id for place, _ in pulled])
    changed_invoices, changed_items = set[int](), set[int]()
    for month in sorted({month for _, bills in pulled for month in bills}, key=lambda month: month.number):
        bills = list(_bills(work, month, pulled, owners))
        for bill in _keep(work, month, bills):
            changed_invoices.add(bill.invoice.id)
            changed_items.add(bill.place.id)
    if changed_items:
        _follow(work, changed_invoices, changed_items, {owners[id].customer_id for id in changed_items})


def _owners(work: Work, ids: Collection[int]) -> dict[int, Any]:
    """The project and the customer of each resource."""
    found = work.connection.execute(
        select(
            resource.c.id,
            resource.c.project_id,
            project.c.name.label("project_name"),
            project.c.uuid.label("project_uuid"),
            project.c.customer_id,
        )
        .join(project, project.c.id == resource.c.project_id)
        .where(resource.c.id == any_(literal(list(ids), ARRAY(Integer))))
    )
    return {row.id: row for row in found}


def _bills(
    work: Work, month: Month, pulled: Sequence[tuple[Resource, Bills]], owners: Mapping[int, Any]
) -> Iterator[_Bill]:
    own = [(place, bills[month], owners[place.id]) for place, bills in pulled if month in bills and place.id in owners]
    customers = {owner.customer_id for _, _, owner in own}
    found = _invoices(work, month, customers)
    if billed := {owner.customer_id for _, items, owner in own if items} - found.keys():
        create_invoices_of(work, month, given_ids(billed))
        found = _invoices(work, month, customers)
    for place, items, owner in own:
        if (of_customer := found.get(owner.customer_id)) is not None:
            yield _Bill(place, items, owner, of_customer)


def _invoices(work: Work, month: Month, customers: Collection[int]) -> dict[int, Any]:
    found = work.connection.execute(
        select(invoice.c.id, invoice.c.state, invoice.c.customer_id).where(
            invoice.c.customer_id.in_(sorted(customers)), invoice.c.year == month.year, invoice.c.month == month.month
        )
    )
    return {row.customer_id: row for row in found}


def _keep(work: Work, month: Month, bills: Sequence[_Bill]) -> list[_Bill]:
    """Returns the bills that have changed."""
    known = _known(work, bills)
    stale, new, differing = list[int](), list[dict[str, Any]](), list[dict[str, Any]]()
    changed = list[_Bill]()
    mirrored = gone = 0
    for bill in bills:
        mine = known[bill.invoice.id, bill.place.id]
        wanted = {UUID(one.uuid): one for one in bill.items}
        old = {row.backend_uuid: row for row in mine if row.backend_uuid is not None}
        leaving = [row.id for row in mine if row.backend_uuid not in wanted]
        coming = [_new_item(bill, one) for uuid, one in wanted.items() if uuid not in old]
        other = [
            {"id": row.id} | wanted[uuid].values
            for uuid, row in old.items()
            if uuid in wanted and any(getattr(row, name) != value for name, value in wanted[uuid].values.items())
        ]
        if not (leaving or coming or other):
            mirrored += len(old)
        elif bill.invoice.state in SETTLED:
            work.outcome.warn(str(bill.place), f"the remote's items of {month} differ from an invoice that is settled")
        else:
            mirrored, gone = mirrored + len(old), gone + len(old.keys() - wanted.keys())
            stale, new, differing = stale + leaving, new + coming, differing + other
            changed.append(bill)
    if bills and loses_too_much(work, str(bills[0].place.offering), "invoice items", lost=gone, known=mirrored):
        return []
    delete_with_dependants(work, item, stale)
    _update(work, differing)
    work.insert(item, new)
    return changed


def _known(work: Work, bills: Sequence[_Bill]) -> dict[tuple[int, int], list[Any]]:
    """The items of the resources on their invoices, without those of credits."""
    invoice_ids, resource_ids = {bill.invoice.id for bill in bills}, {bill.place.id for bill in bills}
    rows = work.connection.execute(
        select(*(item.c[name] for name in ("id", "invoice_id", "resource_id", "backend_uuid", *OWNED)))
        .where(
            item.c.invoice_id == any_(literal(sorted(invoice_ids), ARRAY(Integer))),
            item.c.resource_id == any_(literal(sorted(resource_ids), ARRAY(Integer))),
            or_(item.c.backend_uuid.is_not(None), item.c.credit_id.is_(None)),
        )
        .order_by(item.c.id)
        .with_for_update(of=item)
    )
    found: dict[tuple[int, int], list[Any]] = defaultdict(list)
    for row in rows:
        found[row.invoice_id, row.resource_id].append(row)
    return found


def _new_item(bill: _Bill, one: RemoteItem) -> dict[str, Any]:
    return one.values | {
        "uuid": uuid4(),
        "backend_uuid": UUID(one.uuid),
        "name": one.name,
        "invoice_id": bill.invoice.id,
        "resource_id": bill.place.id,
        "project_id": bill.owner.project_id,
        "project_name": bill.owner.project_name,
        "project_uuid": bill.owner.project_uuid.hex,
        "credit_id": None,
    }


def _update(work: Work, differing: Sequence[Mapping[str, Any]]) -> None:
    if not differing:
        return
    texts = dict.fromkeys(("measured_unit", "article_code", "unit"), String)
    times = {name: DateTime(timezone=True) for name in ("start", "end")}
    numbers = dict.fromkeys(("quantity", "unit_price"), Numeric)
    rows = given_rows(differing, id=Integer, details=JSONB, **texts, **times, **numbers)
    values = {name: rows.c[name] for name in OWNED}
    work.execute(update(item).values(values).where(item.c.id == rows.c.id))


def _follow(work: Work, changed: Collection[int], resources: Collection[int], customers: Collection[int]) -> None:
    refresh_totals(work, given_ids(changed))
    refresh_price_estimates(work, Month.of(work.as_of, work.zone), given_ids(customers))
    evaluate_policies(work, affected_by_resources(resources))
