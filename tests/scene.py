"""Small scenes: rows of a Waldur site with everything filled in that a test does not care about."""

from __future__ import annotations

import itertools
import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, MetaData, Row, Table, insert, select

from waldur_dagster import schema
from waldur_dagster.billing import monthly as billing
from waldur_dagster.database.site_schema import SiteColumn, SiteSchema
from waldur_dagster.demo.rows import filled
from waldur_dagster.deployment import Deployment, parse_deployment
from waldur_dagster.outcome import Outcome
from waldur_dagster.platform.month import Month
from waldur_dagster.schema import core, django, invoices, marketplace, permissions, promotions, structure
from waldur_dagster.schema.neutral import neutral_value
from waldur_dagster.site import Site

BORN = datetime(2024, 1, 1, tzinfo=UTC)
CONTENT_TYPES = (
    ("structure", "customer"),
    ("structure", "project"),
    ("marketplace", "offering"),
    ("marketplace", "resource"),
    ("invoices", "invoice"),
    ("invoices", "projectcredit"),
    ("core", "user"),
    ("marketplace", "order"),
    ("openstack", "tenant"),
)


# Web hooks of tests stand on loopback, which a deployment has to allow.
LOOPBACK = {"private_networks": ["127.0.0.0/8"]}


# Tables by name and columns, the same for all scenes, so that what is compiled for one is for all.
_WHOLE: dict[tuple[str, Any], Table] = {}


class Scene:
    """Makes rows; each method returns the id of what it made."""

    def __init__(self, engine: Engine, *, known: bool = False):
        """``known``: the database has had a scene before, and its schema was changed since."""
        self.engine = engine
        self.schema = SiteSchema(engine)
        self._whole: dict[str, Table] = {}
        self._numbers = itertools.count(1)
        if not known:
            rows = [dict(zip(("app_label", "model"), names, strict=True)) for names in CONTENT_TYPES]
            with engine.begin() as connection:
                connection.execute(insert(django.content_type).values(rows))

    def add(self, table: Table, **values: Any) -> int:
        """Insert a row; columns that must be given and are not are empty, those of other versions are left out."""
        row = values if table.schema else filled(self.schema, table, values, lambda column: _empty(table.name, column))
        whole = self.whole(table)
        with self.engine.begin() as connection:
            return connection.execute(insert(whole).values(row).returning(*whole.primary_key)).scalar_one()

    def whole(self, table: Table) -> Table:
        """The table with all the columns that the database has, whichever of them the program declares."""
        if table.name not in self._whole:
            columns = tuple(self.schema.tables[table.name].values()) if table.schema is None else table
            self._whole[table.name] = _WHOLE.setdefault((table.name, columns), self.schema.whole(table))
        return self._whole[table.name]

    def rows(self, table: Table, **where: Any) -> list[Row]:
        whole = self.whole(table)
        statement = select(whole).where(*(whole.c[name] == value for name, value in where.items()))
        with self.engine.connect() as connection:
            return list(connection.execute(statement.order_by(*whole.primary_key)))

    def one(self, table: Table, **where: Any) -> Row:
        (row,) = self.rows(table, **where)
        return row

    def customer(self, name: str = "Org", **values: Any) -> int:
        return self.add(structure.customer, name=name, **values)

    def group(self, name: str = "Group") -> int:
        """A group of organizations; older versions want it to have a type."""
        kind = Table("structure_organizationgrouptype", MetaData())
        typed = (
            {"type_id": self.add(kind, name="Type")}
            if self.schema.has("structure_organizationgroup", "type_id")
            else {}
        )
        return self.add(structure.organizationgroup, name=name, **typed)

    def member(self, group: int | None, name: str = "Org", **values: Any) -> int:
        """A customer that is in a group, or in none."""
        membership = structure.customer_organization_groups
        if not self.schema.has(membership.name):
            return self.customer(name, organization_group_id=group, **values)
        customer = self.customer(name, **values)
        if group is not None:
            self.add(membership, customer_id=customer, organizationgroup_id=group)
        return customer

    def project(self, customer: int, name: str = "Project", **values: Any) -> int:
        return self.add(structure.project, customer_id=customer, name=name, **values)

    def offering(self, provider: int, name: str = "Offering", type: str = "Marketplace.Basic", **values: Any) -> int:
        category = self.add(marketplace.category, title="Category")
        return self.add(
            marketplace.offering, customer_id=provider, category_id=category, name=name, type=type, **values
        )

    def plan(self, offering: int, name: str = "Plan", unit: str = "month", **values: Any) -> int:
        return self.add(marketplace.plan, offering_id=offering, name=name, unit=unit, **values)

    def price(self, plan: int, component: int | None, price: float | str, amount: int = 1, **values: Any) -> int:
        return self.add(
            marketplace.plancomponent, plan_id=plan, component_id=component, price=price, amount=amount, **values
        )

    def component(self, offering: int, type: str = "cpu", billing_type: str = "fixed", **values: Any) -> int:
        values = {"name": type.upper()} | values
        return self.add(
            marketplace.offeringcomponent, offering_id=offering, type=type, billing_type=billing_type, **values
        )

    def resource(self, project: int, offering: int, plan: int | None, name: str = "Resource", **values: Any) -> int:
        values = {"state": 2, "limits": {}} | values
        return self.add(
            marketplace.resource, project_id=project, offering_id=offering, plan_id=plan, name=name, **values
        )

    def invoice(self, customer: int, year: int, month: int, state: str = "pending", **values: Any) -> int:
        return self.add(invoices.invoice, customer_id=customer, year=year, month=month, state=state, **values)

    def item(self, invoice: int, price: float | str, **values: Any) -> int:
        values = {"name": "Item", "quantity": 1, "unit": "quantity", "start": BORN, "end": BORN} | values
        return self.add(invoices.invoiceitem, invoice_id=invoice, unit_price=price, **values)

    def campaign(self, provider: int, discount_type: str, discount: int, months: int) -> int:
        service_provider = self.add(marketplace.serviceprovider, customer_id=provider)
        return self.add(
            promotions.campaign,
            service_provider_id=service_provider,
            discount_type=discount_type,
            discount=discount,
            months=months,
        )

    def owner(self, customer: int, email: str, **values: Any) -> int:
        """An active user with the role CUSTOMER.OWNER of a customer."""
        user = self.user(email, **values)
        self.role(user, "CUSTOMER.OWNER", "customer", customer)
        return user

    def role(self, user: int, name: str, model: str, object_id: int, *, system: bool = True, **values: Any) -> int:
        """An active role of a user on a customer, a project, an offering ...; the kind of role is made when missing."""
        content_type = self.one(django.content_type, model=model).id
        known = self.rows(permissions.role, name=name)
        kind = (
            known[0].id
            if known
            else self.add(
                permissions.role, name=name, is_system_role=system, is_active=True, content_type_id=content_type
            )
        )
        held = {"is_active": True, "content_type_id": content_type, "object_id": object_id} | values
        return self.add(permissions.userrole, user_id=user, role_id=kind, **held)

    def user(self, email: str, **values: Any) -> int:
        defaults = {"is_active": True, "notifications_enabled": True, "username": f"user{next(self._numbers)}"}
        return self.add(core.user, **(defaults | {"email": email} | values))

    def deployment(self, **document: Any) -> Deployment:
        url = self.engine.url.render_as_string(hide_password=False)
        document = {"first_month": f"{BORN:%Y-%m}", "web_hooks": LOOPBACK} | document
        return parse_deployment({"database": {"url": url}} | document)

    def site(self, *, dry_run: bool = False, **document: Any) -> Site:
        return Site(self.deployment(**document), dry_run=dry_run)


def bill(site: Site, as_of: str, month: str | None = None) -> Outcome:
    """Do all steps of the monthly billing; ``month`` (2025-04) when it is not that of ``as_of``."""
    now = datetime.fromisoformat(as_of)
    billed = Month.of(now, site.deployment.zone)
    if month is not None:
        billed = Month(int(month[:4]), int(month[5:]), site.deployment.zone)
    for step in STEPS:
        with site.work(billing.ENTRY, now) as work:
            step(work, billed)
    return site.outcome


def _empty(table: str, column: SiteColumn) -> Any:
    return uuid.uuid4().hex[:8] if "slug" in column.name else neutral_value(table, column.name, column.type, BORN)


STEPS = (
    billing.switch_announced_prices,
    billing.close_past_invoices,
    billing.make_new_invoices,
    billing.try_held_again,
    billing.write_mails,
)

__all__ = ["BORN", "STEPS", "Scene", "bill", "schema"]
