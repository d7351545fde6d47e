"""Credits are applied to the invoices that are being closed (spec invoices, waldur-create-invoices step 2)."""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import FromClause, Select, select

from waldur_dagster.invoices.compensation import Rules
from waldur_dagster.invoices.credit_columns import rules_of
from waldur_dagster.invoices.credit_rows import load_credits, stream_invoices
from waldur_dagster.invoices.settlement import settle
from waldur_dagster.invoices.settlement_rows import SettlementWriter
from waldur_dagster.schema import invoices
from waldur_dagster.work import Work


def settle_credits(work: Work, closing: FromClause, writer: SettlementWriter) -> list[int]:
    """Apply the credits of all customers that have some to the invoices of ``closing`` (id, customer_id).

    ``writer`` is given what that does, to store it. Returns the ids of the customers whose credit cannot be settled:
    they are reported, and nothing of theirs changes.
    """
    unsettled: list[int] = []
    rules = rules_of(work.schema)
    credits = load_credits(work, select(closing.c.customer_id), lock=True)
    open_invoices = stream_invoices(work, _payable(closing, rules))
    for customer_id, group in groupby(open_invoices, key=attrgetter("customer_id")):
        credit, own = credits.get(customer_id), list(group)
        if credit is None:  # it came into being since the others were locked
            continue
        try:
            made = [settle(invoice, credit, work.today, rules) for invoice in own]
        except Exception as error:  # whatever one customer's rows hold, the others are billed
            unsettled.append(customer_id)
            name = own[0].customer_name
            work.outcome.fail(f"customer {name}", f"credit not settled, invoices stay open: {error}")
        else:
            writer.add(credit, [settlement for settlement in made if settlement])
    return unsettled


def _payable(closing: FromClause, rules: Rules) -> Select[Any]:
    """The invoices that a credit may have something to do with; where none are reopened, a used-up one has nothing."""
    credit = invoices.customercredit
    with_credit = closing.join(credit, credit.c.customer_id == closing.c.customer_id)
    chosen = select(closing.c.id).select_from(with_credit)
    return chosen if rules.reopens else chosen.where(credit.c.value != 0)
