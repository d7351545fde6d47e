"""What ``make demo`` tells at its end: a page that a person enjoys."""

from datetime import timedelta
from decimal import Decimal

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from sqlalchemy import Connection, func, select

from waldur_dagster.database.site_schema import SiteSchema
from waldur_dagster.demo.home import DemoHome
from waldur_dagster.deployment import Deployment
from waldur_dagster.invoices.money import item_price
from waldur_dagster.platform.month import Month
from waldur_dagster.schema import invoices, structure
from waldur_dagster.site import make_engine

SHOWN = 12
invoice, item, customer = invoices.invoice, invoices.invoiceitem, structure.customer


def summary(console: Console, deployment: Deployment, home: DemoHome, month: Month) -> None:
    """Print who was billed what, what was closed, which mails were written, and where to look next."""
    engine = make_engine(deployment.database)
    with engine.connect() as connection:
        console.print(_billed(connection, month))
        console.print(_closed(connection, month.previous))
        console.print(_credits(connection))
        console.print(by_rule(connection))
    engine.dispose()
    mails = sorted(home.mails.glob("*.eml")) if home.mails.exists() else []
    plot = home.reports / "plots" / f"cost_report-{month.first}.png"
    console.print(
        Panel.fit(
            f"Mails      {len(mails)} in {home.mails}/\n"
            f"Plot       {plot}\n"
            f"Reports    {home.reports}/cost_report/\n"
            f"Dagster UI [bold]make up[/] and http://127.0.0.1:3000",
            title="Where to look",
            title_align="left",
        )
    )


def _billed(connection: Connection, month: Month) -> Table:
    items = func.count(item.c.id)
    rows = connection.execute(
        select(customer.c.name, invoice.c.total_price, invoice.c.total_cost, items)
        .select_from(
            invoice.join(customer, customer.c.id == invoice.c.customer_id).outerjoin(
                item, item.c.invoice_id == invoice.c.id
            )
        )
        .where(invoice.c.year == month.year, invoice.c.month == month.month)
        .group_by(customer.c.name, invoice.c.id)
        .order_by(invoice.c.total_cost.desc(), customer.c.name)
    ).all()
    table = Table(title=f"Billed for {month}", title_justify="left", header_style="bold", show_footer=True)
    table.add_column("Organization", footer=f"{len(rows)} organizations")
    table.add_column("Items", justify="right", footer=str(sum(row[3] for row in rows)))
    table.add_column("EUR", justify="right", footer=f"{sum(row[1] for row in rows):,.2f}")
    table.add_column("with VAT", justify="right", footer=f"{sum(row[2] for row in rows):,.2f}")
    for name, price, cost, count in rows[:SHOWN]:
        table.add_row(name, str(count), f"{price:,.2f}", f"{cost:,.2f}")
    if len(rows) > SHOWN:
        rest = rows[SHOWN:]
        numbers = (sum(row[n] for row in rest) for n in (3, 1, 2))
        count, price, cost = numbers
        table.add_row(f"[dim]{len(rest)} more[/]", str(count), f"{price:,.2f}", f"{cost:,.2f}")
    return table


def _credits(connection: Connection) -> Table:
    """What is left of each credit, and what the ledger says it went for; older sites keep no ledger."""
    credit, booked = invoices.customercredit, invoices.credittransaction
    amounts: dict[tuple[int, str], Decimal] = {}
    if SiteSchema(connection).has(booked.name):
        rows = connection.execute(
            select(booked.c.credit_id, booked.c.transaction_type, func.sum(booked.c.amount))
            .where(booked.c.credit_id.is_not(None))
            .group_by(booked.c.credit_id, booked.c.transaction_type)
        )
        amounts = {(id, kind): amount for id, kind, amount in rows}
    table = Table("Organization", title="Credits", title_justify="left", header_style="bold")
    kinds = {"staff_grant": "granted", "compensation": "paid", "minimal_draw": "minimum", "": "left"}
    for heading in kinds.values():
        table.add_column(heading, justify="right")
    found = select(customer.c.name, credit.c.id, credit.c.value).join(credit, credit.c.customer_id == customer.c.id)
    for name, id, value in connection.execute(found.order_by(customer.c.name)):
        shown = [value if not kind else amounts.get((id, kind)) for kind in kinds]
        table.add_row(name, *("-" if amount is None else f"{amount:,.2f}" for amount in shown))
    return table


def _closed(connection: Connection, month: Month) -> Table:
    price = func.coalesce(-func.sum(item.c.unit_price).filter(item.c.credit_id.is_not(None)), 0)
    per_invoice = (
        select(invoice.c.state, invoice.c.total_cost, price.label("credit"))
        .select_from(invoice.outerjoin(item, item.c.invoice_id == invoice.c.id))
        .where(invoice.c.year == month.year, invoice.c.month == month.month)
        .group_by(invoice.c.id)
        .subquery()
    )
    rows = connection.execute(
        select(per_invoice.c.state, func.count(), func.sum(per_invoice.c.total_cost), func.sum(per_invoice.c.credit))
        .group_by(per_invoice.c.state)
        .order_by(per_invoice.c.state)
    )
    table = Table("State", title=f"Invoices of {month}", title_justify="left", header_style="bold")
    for heading in ("Invoices", "with VAT", "paid by credit"):
        table.add_column(heading, justify="right")
    words = {"created": "closed", "paid": "closed, fixed price contract", "pending": "open"}
    for state, count, total, credit in rows:
        table.add_row(words.get(state, state), str(count), f"{total:,.2f}", f"{credit:,.2f}")
    return table


def by_rule(connection: Connection) -> Table:
    """What the rules of newer versions came to, in all invoices of the demo."""
    rules = {
        "volume discounts of closed months": item.c.details["is_discount"].astext == "true",
        "limits by quarter or year": item.c.end - item.c.start > timedelta(days=80),
        "use beyond what is prepaid": item.c.details["is_overage"].astext == "true",
    }
    table = Table("Rule", title="By rule", title_justify="left", header_style="bold")
    for heading in ("Items", "EUR"):
        table.add_column(heading, justify="right")
    for name, chosen in rules.items():
        price = func.coalesce(func.sum(item_price(item)), 0)
        count, total = connection.execute(select(func.count(), price).where(chosen)).one()
        table.add_row(name, str(count), f"{total:,.2f}")
    return table
