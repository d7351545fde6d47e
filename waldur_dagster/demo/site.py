"""The demo site: a national HPC and cloud service with its universities, small and the same at every start."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from sqlalchemy import Engine, update

from waldur_dagster.billing.monthly import ENTRY, make_new_invoices
from waldur_dagster.demo.credits import add_credits
from waldur_dagster.demo.licences import add_licences, use_support
from waldur_dagster.demo.policies import add_policies
from waldur_dagster.demo.rows import Rows
from waldur_dagster.deployment import Deployment
from waldur_dagster.platform.month import Month
from waldur_dagster.schema import core, invoices, marketplace, permissions, promotions, structure
from waldur_dagster.site import Site

SEED = 20241001
CONTENT_TYPES = (
    *(("structure", "customer"), ("structure", "project"), ("marketplace", "offering")),
    *(("marketplace", "resource"), ("invoices", "invoice"), ("invoices", "projectcredit")),
)
NOTIFICATIONS = ("invoices.notification", "invoices.upcoming_ends_notification")

CITIES = (
    *("Tallinn", "Tartu", "Narva", "Riga", "Vilnius", "Kaunas", "Oslo", "Bergen", "Trondheim", "Uppsala", "Lund"),
    *("Gothenburg", "Aarhus", "Odense", "Helsinki", "Oulu", "Turku", "Reykjavik", "Lisbon", "Porto", "Ghent"),
    *("Leuven", "Delft", "Leiden", "Graz"),
)
INSTITUTES = ("University of {}", "Institute of Physics, {}", "{} Institute of Technology")
PROJECTS = ("Ocean model", "Genome atlas", "Wind turbines", "Galaxy survey", "Protein folding", "Speech corpus")

# Name, type, plans with their unit, components: (type, name, unit, kind of billing, limit period, price, amount).
OFFERINGS: tuple[tuple[str, str, tuple[str, ...], tuple[tuple[Any, ...], ...]], ...] = (
    (
        "Cloud servers",
        "OpenStack.Tenant",
        ("day", "month"),
        (
            ("cores", "Cores", "cores", "limit", "month", "0.35", 1),
            ("ram", "RAM", "GB", "limit", "month", "0.05", 1),
            ("storage", "Storage", "GB", "limit", "month", "0.002", 1),
        ),
    ),
    (
        "Cluster time",
        "Marketplace.Slurm",
        ("month",),
        (
            ("cpu", "CPU hours", "hours", "usage", None, "0.012", 1),
            ("gpu", "GPU hours", "hours", "usage", None, "0.9", 1),
            ("account", "Account", "", "fixed", None, "5", 1),
        ),
    ),
    (
        "Object storage",
        "Marketplace.Basic",
        ("month", "half_month"),
        (("space", "Space", "TB", "limit", "annual", "4.2", 1), ("setup", "Set-up", "", "one", None, "25", 1)),
    ),
    (
        "Managed database",
        "Marketplace.Basic",
        ("hour", "month"),
        (
            ("node", "Node", "", "fixed", None, "0.11", 2),
            ("backup", "Backup space", "GB", "limit", None, "0.03", 1),
            ("switch", "Plan switch", "", "few", None, "10", 1),
        ),
    ),
    (
        "Consulting",
        "Support.OfferingTemplate",
        ("quantity",),
        (
            ("retainer", "Retainer", "", "fixed", None, "150", 1),
            ("volume", "Volume", "days", "limit", "total", "480", 1),
        ),
    ),
)


@dataclass
class Catalogue:
    """Ids of what the provider sells: plans of each offering and its components by type."""

    plans: list[list[int]] = field(default_factory=list)
    components: list[dict[str, int]] = field(default_factory=list)
    offerings: list[int] = field(default_factory=list)


def build_site(engine: Engine, deployment: Deployment, month: Month) -> None:
    """Fill empty tables with a site that is about to bill ``month``: the previous month's invoices are open."""
    random = Random(SEED)  # noqa: S311  the same site every time, nothing secret
    born = datetime(month.year - 2, 1, 5, 9, 0, tzinfo=UTC)
    with engine.begin() as connection:
        rows = Rows(connection, random, born)
        _platform(rows)
        provider = _customer(rows, "Nordic Research Cloud", 0)
        service_provider = rows.add(marketplace.serviceprovider, customer_id=provider)
        catalogue = _offerings(rows, provider)
        customers = [_customer(rows, INSTITUTES[n % 3].format(city), n) for n, city in enumerate(CITIES, 1)]
        resources = _resources(rows, random, catalogue, customers, month)
        _usages(rows, random, catalogue, resources, month)
        _campaign(rows, service_provider, [resource for _, resource, offering in resources if offering == 3][:6], month)
        connection.execute(
            update(structure.customer).where(structure.customer.c.id == customers[-1]).values(archived=True)
        )
        _contracts(rows, customers, month)
        licences = add_licences(rows, provider, customers[5:8], month)
        use_support(rows, licences, month.previous, hours=8)
    _bill(deployment, month.previous)
    with engine.begin() as connection:
        rows = Rows(connection, random, born)
        use_support(rows, licences, month, hours=6)
        add_credits(rows, connection, customers, month)
        _announce_price(connection, catalogue)
        add_policies(rows, connection, customers, month)


def _platform(rows: Rows) -> None:
    for app_label, model in CONTENT_TYPES:
        rows.content_type(app_label, model)
    for key in NOTIFICATIONS:
        rows.notification(key)
    rows.add(permissions.role, name="CUSTOMER.OWNER", is_system_role=True, is_active=True, content_type_id=1)


def _customer(rows: Rows, name: str, number: int) -> int:
    customer = rows.add(
        structure.customer,
        name=name,
        abbreviation="" if number % 4 else name.rsplit(maxsplit=1)[-1],
        default_tax_percent=(0, 20, 24)[number % 3],
        country=("EE", "LV", "NO", "SE", "FI")[number % 5],
        email=f"accounts{number}@example.org",
        agreement_number=1000 + number,
    )
    for person in range(1 + number % 2):
        user = rows.add(
            core.user,
            username=f"owner{number}-{person}",
            first_name=("Mari", "Jonas", "Ingrid", "Erik", "Aino")[(number + person) % 5],
            last_name=("Tamm", "Berg", "Lind", "Virtanen")[number % 4],
            email=f"owner{number}.{person}@example.org",
            is_active=number != 7,
            notifications_enabled=number != 5,
        )
        rows.add(permissions.userrole, user_id=user, role_id=1, content_type_id=1, object_id=customer, is_active=True)
    return customer


def _offerings(rows: Rows, provider: int) -> Catalogue:
    catalogue = Catalogue()
    category = rows.add(marketplace.category, title="Research infrastructure")
    for name, kind, units, components in OFFERINGS:
        offering = rows.add(
            marketplace.offering,
            name=name,
            type=kind,
            customer_id=provider,
            category_id=category,
            plugin_options={"supports_pausing": True, "supports_downscaling": True},
        )
        made = {
            type_: rows.add(
                marketplace.offeringcomponent,
                offering_id=offering,
                type=type_,
                name=label,
                measured_unit=unit,
                billing_type=billing,
                limit_period=period,
                article_code=f"{type_[:3].upper()}_{1000 + offering}",
            )
            for type_, label, unit, billing, period, _, _ in components
        }
        plans = []
        for unit in units:
            plans.append(
                rows.add(marketplace.plan, offering_id=offering, name=f"By {unit.replace('_', ' ')}", unit=unit)
            )
            for type_, *_, price, amount in components:
                rows.add(
                    marketplace.plancomponent, plan_id=plans[-1], component_id=made[type_], price=price, amount=amount
                )
        catalogue.offerings.append(offering)
        catalogue.plans.append(plans)
        catalogue.components.append(made)
    return catalogue


def _resources(
    rows: Rows, random: Random, catalogue: Catalogue, customers: list[int], month: Month
) -> list[tuple[int, int, int]]:
    """(plan, resource, number of the offering) of every resource."""
    made = []
    for number, customer in enumerate(customers, 1):
        for name in random.sample(PROJECTS, 1 + number % 3):
            project = rows.add(structure.project, customer_id=customer, name=name)
            for position in range(random.randint(3, 8)):
                offering = random.randrange(len(OFFERINGS))
                plan = random.choice(catalogue.plans[offering])
                limits = {
                    component[0]: random.choice((2, 4, 8, 16)) * (1024 if component[0] in ("ram", "storage") else 1)
                    for component in OFFERINGS[offering][3]
                    if component[3] == "limit"
                }
                resource = rows.add(
                    marketplace.resource,
                    project_id=project,
                    offering_id=catalogue.offerings[offering],
                    plan_id=plan,
                    name=f"{name.split()[0].lower()}-{position + 1}",
                    state=random.choices((2, 3, 6, 1), (90, 4, 4, 2))[0],
                    limits=limits,
                    created=month.start - timedelta(days=random.randint(70, 600)),
                )
                made.append((plan, resource, offering))
    return made


def _usages(
    rows: Rows, random: Random, catalogue: Catalogue, resources: list[tuple[int, int, int]], month: Month
) -> None:
    """Last month's usage of the cluster; every other report repeats itself."""
    cluster = 1
    for number, (plan, resource, offering) in enumerate(resources):
        if offering != cluster:
            continue
        period = rows.add(marketplace.resourceplanperiod, resource_id=resource, plan_id=plan)
        for type_ in ("cpu", "gpu"):
            rows.add(
                marketplace.componentusage,
                resource_id=resource,
                component_id=catalogue.components[cluster][type_],
                plan_period_id=period,
                usage=random.randint(20, 4000),
                date=month.previous.end,
                billing_period=month.previous.first,
                recurring=number % 2 == 0,
                missing_usage_policy="none" if number % 2 else "reuse",
            )


def _campaign(rows: Rows, service_provider: int, resources: list[int], month: Month) -> None:
    campaign = rows.add(
        promotions.campaign,
        name="Autumn offer",
        state=2,
        discount_type="discount",
        discount=20,
        months=6,
        service_provider_id=service_provider,
    )
    for resource in resources:
        rows.add(
            promotions.discountedresource,
            campaign_id=campaign,
            resource_id=resource,
            created=month.previous.start,
        )


def _contracts(rows: Rows, customers: list[int], month: Month) -> None:
    """Two customers with a fixed price; one contract ends in two weeks' time."""
    for customer, days in ((customers[3], 14), (customers[9], 400)):
        rows.add(
            invoices.paymentprofile,
            organization_id=customer,
            name="Framework contract",
            payment_type="fixed_price",
            is_active=True,
            attributes={
                "end_date": (month.first + timedelta(days=days)).isoformat(),
                "contract_number": f"FW-{customer}",
                "contract_sum": 12000,
            },
        )


def _bill(deployment: Deployment, last: Month) -> None:
    """Last month, and before it the first month of this quarter, in which limits by quarter are billed."""
    months = [last.previous, last] if last.month % 3 == 2 else [last]
    for month in months:
        with Site(deployment) as site, site.work(ENTRY, month.start) as work:
            make_new_invoices(work, month)


def _announce_price(connection: Any, catalogue: Catalogue) -> None:
    """GPU hours cost a little more from this month on."""
    priced = marketplace.plancomponent
    connection.execute(
        update(priced).where(priced.c.component_id == catalogue.components[1]["gpu"]).values(future_price="0.95")
    )
