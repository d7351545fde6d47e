"""Sites of any size, made by the database itself: one ``INSERT ... SELECT`` for each kind of row.

A benchmark that needs more kinds of rows adds a function to ``LAYERS``: it builds on the rows of the layers before it
and names only the columns it cares about. Offerings, plans and kinds of billing repeat in a fixed order, so that every
kind is there at every size.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, Table, text

from waldur_dagster.billing.monthly import ENTRY, make_new_invoices
from waldur_dagster.database.site_schema import SiteColumn, SiteSchema
from waldur_dagster.deployment import Deployment
from waldur_dagster.invoices import rules
from waldur_dagster.invoices.components import BILLED_TYPES
from waldur_dagster.outbox.migrate import migrate
from waldur_dagster.platform.month import Month
from waldur_dagster.schema import core, django, invoices, marketplace, permissions, promotions, quotas, structure
from waldur_dagster.schema.base import is_optional
from waldur_dagster.schema.generations import Generation, create_tables
from waldur_dagster.schema.neutral import neutral_value
from waldur_dagster.site import Site

# The month that the site is about to bill; the month before it is billed and open.
MONTH = Month(2025, 4, ZoneInfo("UTC"))
BORN = "timestamptz '2024-01-05 09:00+00'"

CONTENT_TYPES = (
    *(("structure", "customer"), ("structure", "project"), ("core", "user"), ("invoices", "invoice")),
    *(("marketplace", "offering"), ("marketplace", "resource"), ("marketplace", "order")),
)
ROLES = (("CUSTOMER.OWNER", "customer"), ("PROJECT.MANAGER", "project"), ("PROJECT.MEMBER", "project"))
PLAN_UNITS = ("month", "day", "hour", "half_month", "quantity")
# Kind of billing and limit period of the components that make an item in ``MONTH``, and of those that make none.
BILLED_KINDS = (("fixed", "month"), ("limit", "month"), ("usage", "month"), ("limit", None), ("fixed", "month"))
UNBILLED_KINDS = (("one", "month"), ("few", "month"), ("limit", "total"))
QUOTAS = ("nc_user_count", "nc_resource_count", "nc_volume_count", "storage")


@dataclass(frozen=True)
class Size:
    """How many of what: projects of a customer, resources of a project, items a month of a resource.

    ``ended`` resources of each project are terminated; they are read, and not billed.
    """

    customers: int = 10_000
    projects: int = 2
    resources: int = 5
    components: int = 3
    offerings: int = 40
    ended: int = 2

    @property
    def items(self) -> int:
        return self.customers * self.projects * self.resources * self.components


class Filler:
    """Inserts rows by SELECT; columns that must have a value and are not named get an empty one."""

    def __init__(self, connection: Connection, size: Size):
        self.size = size
        self._connection = connection
        self.schema = SiteSchema(connection)

    def add(self, table: Table, source: str, **columns: str) -> None:
        """One row of ``table`` for each row of the FROM clause ``source``; ``columns`` are SQL expressions.

        Columns that only older or newer versions have are given where the site has them.
        """
        gone = {c.name for c in table.columns if is_optional(c) and not self.schema.has_column(c)}
        had = {name: value for name, value in columns.items() if name not in gone}
        values = {c.name: _empty(table.name, c) for c in self.schema.demanded(table.name)} | had
        names = ", ".join(f'"{name}"' for name in values)
        self.run(f"INSERT INTO {table.name} ({names}) SELECT {', '.join(values.values())} FROM {source}")

    def run(self, statement: str) -> None:
        self._connection.exec_driver_sql(statement.replace("%", "%%"))


def build(
    engine: Engine,
    deployment: Deployment,
    size: Size,
    progress: Callable[[str], None] = lambda _: None,
    generation: Generation = Generation.NEWEST,
) -> None:
    """Make the tables and the rows of a site that is about to bill ``MONTH``; ``progress`` is told of each layer."""
    lay(engine, size, progress, generation=generation)
    progress("invoices of last month")
    with Site(deployment) as site, site.work(ENTRY, MONTH.previous.start) as work:
        make_new_invoices(work, MONTH.previous)
    with engine.begin() as connection:
        _announced_prices(Filler(connection, size))
    tidy(engine)


def lay(
    engine: Engine,
    size: Size,
    progress: Callable[[str], None] = lambda _: None,
    more: Iterable[Callable[[Filler], None]] = (),
    generation: Generation = Generation.NEWEST,
) -> None:
    """Make the tables and all rows but invoices; ``more`` are layers that only one benchmark needs."""
    progress("tables")
    with engine.begin() as connection:
        create_tables(connection, generation)
    migrate(engine)
    with engine.begin() as connection:
        for layer in (*LAYERS, *more):
            progress(layer.__name__.strip("_").replace("_", " "))
            layer(Filler(connection, size))
    tidy(engine)


def tidy(engine: Engine) -> None:
    """What autovacuum has done on a site that did not come into being a minute ago."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
        connection.execute(text("CHECKPOINT"))


def _platform(fill: Filler) -> None:
    fill.add(django.content_type, f"{_values(CONTENT_TYPES)} v(app, kind)", app_label="app", model="kind")
    fill.add(
        permissions.role,
        f"{_values(ROLES)} v(role, kind)",
        name="role",
        is_system_role="true",
        is_active="true",
        content_type_id=_content_type("v.kind"),
    )
    fill.add(core.notification, "(VALUES ('invoices.notification')) v(key)", key="v.key", enabled="true")


def _organizations(fill: Filler) -> None:
    fill.add(
        structure.customer,
        f"generate_series(0, {fill.size.customers}) n",
        name="CASE n WHEN 0 THEN 'Research cloud' ELSE 'University ' || md5(n::text) END",
        default_tax_percent="(ARRAY[0, 20, 22])[n % 3 + 1]",
        address="'Road ' || n",
        country="'EE'",
        email="'office' || n || '@example.org'",
    )
    fill.run(
        "CREATE TEMPORARY TABLE bench_customer ON COMMIT DROP AS"
        " SELECT * FROM structure_customer WHERE name LIKE 'University %'"
    )
    provider = "structure_customer c WHERE name = 'Research cloud'"
    fill.add(marketplace.serviceprovider, provider, customer_id="c.id")
    fill.add(
        structure.project,
        f"bench_customer c, generate_series(1, {fill.size.projects}) n",
        customer_id="c.id",
        name="'Project ' || n || ' of ' || c.name",
    )


def _offerings(fill: Filler) -> None:
    """Two plans for each offering; all offerings have all kinds of components, in different numbers.

    A tenth of the plans have a volume discount, where the site has that.
    """
    size = fill.size
    # A limit for longer than a month that is due in MONTH; older versions bill those of a year every month.
    longer = "quarterly" if rules.has_own_limit_periods(fill.schema) else "annual"
    periods = [period or longer for _, period in BILLED_KINDS]
    fill.add(marketplace.category, "(VALUES ('Compute')) v(title)", title="v.title")
    fill.add(
        marketplace.offering,
        f"generate_series(1, {size.offerings}) n, marketplace_serviceprovider s, marketplace_category t",
        name="'Offering ' || n",
        type=_nth(BILLED_TYPES, "n"),
        customer_id="s.customer_id",
        category_id="t.id",
        state="2",
        shared="true",
        billable="true",
    )
    kinds = (
        f"generate_series(1, {size.components}) n",
        f"(SELECT {_nth([k for k, _ in BILLED_KINDS], 'o.id + n')} AS kind, {_nth(periods, 'o.id + n')} AS period) k",
    )
    fill.add(
        marketplace.offeringcomponent,
        f"marketplace_offering o, {kinds[0]}, LATERAL {kinds[1]}",
        offering_id="o.id",
        type="coalesce((ARRAY['cores', 'ram', 'storage'])[n], 'component_' || n)",
        name="'Component ' || n",
        measured_unit="'GB'",
        article_code="'A_' || n",
        billing_type="k.kind",
        limit_period="k.period",
    )
    fill.add(
        marketplace.offeringcomponent,
        f"marketplace_offering o, {_values(UNBILLED_KINDS)} k(kind, period)",
        offering_id="o.id",
        type="k.kind || '_' || coalesce(k.period, '')",
        name="'Extra ' || k.kind",
        measured_unit="''",
        billing_type="k.kind",
        limit_period="k.period",
    )
    fill.add(
        marketplace.plan,
        "marketplace_offering o, generate_series(0, 1) n",
        offering_id="o.id",
        name="'Plan ' || n",
        unit=_nth(PLAN_UNITS, "o.id + n"),
    )
    fill.add(
        marketplace.plancomponent,
        "marketplace_plan p JOIN marketplace_offeringcomponent c USING (offering_id)",
        plan_id="p.id",
        component_id="c.id",
        price="0.01 * (1 + c.id % 90)",
        amount="1 + c.id % 3",
        discount_formula="CASE WHEN p.id % 10 = 0 THEN '10 if usage >= 1000 else 5 if usage >= 10 else 0' ELSE '' END",
        discount_aggregation="(ARRAY['customer', 'resource'])[1 + p.id / 10 % 2]",
    )


def _resources(fill: Filler) -> None:
    """Of every project the running ones, then the ended ones; plans in turn."""
    size = fill.size
    fill.run(
        """
        CREATE TEMPORARY TABLE bench_sold ON COMMIT DROP AS
        SELECT row_number() OVER (ORDER BY p.id) - 1 AS position, p.id AS plan_id, p.offering_id,
               (SELECT coalesce(jsonb_object_agg(c.type, 2048 * (1 + c.id % 8)), '{}')
                FROM marketplace_offeringcomponent c
                WHERE c.offering_id = p.offering_id AND c.billing_type = 'limit') AS limits
        FROM marketplace_plan p
        """
    )
    fill.add(
        marketplace.resource,
        f"structure_project p CROSS JOIN generate_series(1, {size.resources + size.ended}) n"
        f" JOIN bench_sold s ON s.position = (p.id * 7 + n) % {2 * size.offerings}",
        project_id="p.id",
        offering_id="s.offering_id",
        plan_id="s.plan_id",
        limits="s.limits",
        name="'resource-' || p.id || '-' || n",
        state=f"CASE WHEN n <= {size.resources} THEN 2 ELSE 6 END",
        created=f"{BORN} + p.id * interval '1 minute' + n * interval '1 hour'",
    )


def _usages(fill: Filler) -> None:
    """Last month's usage of every running resource, reported once and repeating itself since."""
    fill.add(
        marketplace.resourceplanperiod,
        "marketplace_resource r",
        resource_id="r.id",
        plan_id="r.plan_id",
        start=BORN,
        end=f"CASE r.state WHEN 6 THEN {BORN} + interval '100 days' END",
    )
    fill.add(
        marketplace.componentusage,
        "marketplace_resource r JOIN marketplace_resourceplanperiod d ON d.resource_id = r.id"
        " JOIN marketplace_offeringcomponent c ON c.offering_id = r.offering_id AND c.billing_type = 'usage'"
        " WHERE r.state = 2",
        resource_id="r.id",
        component_id="c.id",
        plan_period_id="d.id",
        usage="10 + r.id % 500",
        date="timestamptz '2025-03-20 10:00+00'",
        billing_period="date '2025-03-01'",
        recurring="true",
        missing_usage_policy="'reuse'",
    )


def _people(fill: Filler) -> None:
    """An owner for each customer, a manager and two members for each project."""
    fill.add(
        core.user,
        "(SELECT 'owner' AS kind, id FROM bench_customer UNION ALL SELECT 'manager', id FROM structure_project"
        " UNION ALL SELECT 'member' || n, id FROM structure_project, generate_series(1, 2) n) v",
        username="v.kind || v.id",
        email="v.kind || v.id || '@example.org'",
        first_name="initcap(v.kind)",
        last_name="v.id::text",
        is_active="true",
        notifications_enabled="true",
    )
    for kind, role, scope in (
        ("owner", "CUSTOMER.OWNER", "bench_customer"),
        ("manager", "PROJECT.MANAGER", "structure_project"),
        ("member1", "PROJECT.MEMBER", "structure_project"),
        ("member2", "PROJECT.MEMBER", "structure_project"),
    ):
        fill.add(
            permissions.userrole,
            f"{scope} s JOIN core_user u ON u.username = '{kind}' || s.id JOIN permissions_role r ON r.name = '{role}'",
            user_id="u.id",
            role_id="r.id",
            content_type_id="r.content_type_id",
            object_id="s.id",
            is_active="true",
        )


def _quotas(fill: Filler) -> None:
    """A few changes of usage and a limit for each quota of each customer and project."""
    for table, model in (("structure_customer", "customer"), ("structure_project", "project")):
        scopes = f"{table} s, {_values([(name,) for name in QUOTAS])} v(name)"
        given = {"name": "v.name", "object_id": "s.id", "content_type_id": _content_type(f"'{model}'")}
        fill.add(quotas.quotausage, f"{scopes}, generate_series(1, 3) n", **given, delta="n + s.id % 5")
        fill.add(quotas.quotalimit, scopes, **given, value="100 + s.id % 50")


def _agreements(fill: Filler) -> None:
    """Credits for a tenth of the customers, half of them for projects too; contracts for 2 %, a campaign for 5 %."""
    fill.add(
        invoices.customercredit,
        "bench_customer c WHERE c.id % 10 = 0",
        customer_id="c.id",
        value="200 + c.id % 5000",
        minimal_consumption="c.id % 3 * 50",
        expected_consumption="c.id % 3 * 50",
        minimal_consumption_logic="(ARRAY['fixed', 'linear'])[c.id / 10 % 2 + 1]",
        end_date="date '2025-12-31'",
    )
    fill.add(
        invoices.projectcredit,
        "structure_project p JOIN invoices_customercredit c USING (customer_id) WHERE p.customer_id % 20 = 0",
        project_id="p.id",
        value="50",
        use_organisation_credit="true",
    )
    fill.add(
        invoices.paymentprofile,
        "bench_customer c WHERE c.id % 50 = 7",
        organization_id="c.id",
        payment_type="'fixed_price'",
        is_active="true",
        name="'Framework contract'",
        attributes="""'{"end_date": "2026-01-31"}'""",
    )
    fill.add(
        promotions.campaign,
        "marketplace_serviceprovider s",
        service_provider_id="s.id",
        name="'Autumn offer'",
        state="2",
        discount_type="'discount'",
        discount="20",
        months="12",
    )
    fill.add(
        promotions.discountedresource,
        "promotions_campaign g, marketplace_resource r WHERE r.id % 20 = 0 AND r.state = 2",
        campaign_id="g.id",
        resource_id="r.id",
        created="timestamptz '2025-01-10 10:00+00'",
    )


def _announced_prices(fill: Filler) -> None:
    fill.run("UPDATE marketplace_plancomponent SET future_price = price + 1 WHERE id % 10 = 0")


LAYERS: tuple[Callable[[Filler], None], ...] = (
    *(_platform, _organizations, _offerings, _resources, _usages, _people, _quotas, _agreements),
)


def _values(rows: Iterable[tuple[str | None, ...]]) -> str:
    return f"(VALUES {', '.join('(' + ', '.join(map(_quoted, row)) + ')' for row in rows)})"


def _nth(words: Iterable[str | None], position: str) -> str:
    words = list(words)
    return f"(ARRAY[{', '.join(map(_quoted, words))}]::text[])[({position}) % {len(words)} + 1]"


def _quoted(word: str | None) -> str:
    return "NULL" if word is None else f"'{word}'"


def _content_type(model: str) -> str:
    return f"(SELECT t.id FROM django_content_type t WHERE t.model = {model})"


def _empty(table: str, column: SiteColumn) -> str:
    """A value for a column that is not named: new where it must be unique, else what Waldur itself gives it."""
    if column.name == "slug":
        return "substr(md5(random()::text), 1, 8)"
    match column.type:
        case "uuid":
            return "gen_random_uuid()"
        case "timestamp with time zone":
            return BORN
        case "date":
            return f"CAST({BORN} AS date)"
    value = neutral_value(table, column.name, column.type, MONTH.start)
    return f"'{json.dumps(value) if isinstance(value, dict | list) else value}'"
