"""pull-service-properties and pull-service-resources: every provider by the way of its type (spec openstack)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table

from waldur_dagster.clients.failures import ItemFailed, NotInstalled, VisitFailed
from waldur_dagster.schema import aws as aws_tables
from waldur_dagster.schema import azure as azure_tables
from waldur_dagster.schema import digitalocean as do_tables
from waldur_dagster.schema import rancher as rancher_tables
from waldur_dagster.schema import slurm as slurm_tables
from waldur_dagster.schema import vmware as vmware_tables
from waldur_dagster.services import (
    amazon,
    azure,
    clouds,
    digitalocean,
    rancher,
    rancher_icons,
    rancher_rows,
    slurm,
    vmware,
)
from waldur_dagster.services.providers import Service, due_services, keep_failure, recover
from waldur_dagster.site import Transactions
from waldur_dagster.visits import Stop, Visit, visit
from waldur_dagster.work import Work

Fetch = Callable[[Visit, Service, Mapping[str, Any]], Any]
Merge = Callable[[Work, Service, Any], VisitFailed | None]


@dataclass(frozen=True)
class Way:
    """How one type of provider is pulled; ``merge`` gives a failure that is stored although it keeps what it wrote."""

    fetch: Fetch
    merge: Merge
    tables: tuple[Table, ...] = ()


PROPERTIES = {
    "Amazon": Way(amazon.fetch_offers, amazon.merge_offers, (aws_tables.region,)),
    "Azure": Way(azure.fetch_offers, azure.merge_offers, (azure_tables.location,)),
    "OpenStack": Way(clouds.fetch_figures, clouds.merge_figures),
    "DigitalOcean": Way(digitalocean.fetch_properties, digitalocean.merge_properties, (do_tables.region,)),
    "Rancher": Way(rancher.fetch_contents, rancher_rows.merge_contents, (rancher_tables.cluster,)),
    "VMware": Way(vmware.fetch_properties, vmware.merge_properties, (vmware_tables.folder,)),
}
RESOURCES = {
    "OpenStack": Way(clouds.fetch_projects, clouds.merge_projects),
    "DigitalOcean": Way(digitalocean.fetch_droplets, digitalocean.merge_droplets, (do_tables.droplet,)),
    "SLURM": Way(slurm.fetch_usage, slurm.merge_usage, (slurm_tables.allocation,)),
}


def pull_service_properties(transaction: Transactions) -> None:
    """Pull what providers offer. A provider that cannot be read is erred with the reason, the others go on."""
    _pull(transaction, PROPERTIES, lambda _, problem: str(problem))


def pull_service_resources(transaction: Transactions) -> None:
    """Pull what the site has directly at its providers. One that cannot be read is erred with the reason."""

    def text(service: Service, problem: VisitFailed) -> str:
        return f"{problem}, Service settings: {service.name}, {service.type}"

    _pull(transaction, RESOURCES, text)


def _pull(transaction: Transactions, ways: Mapping[str, Way], text: Callable[[Service, VisitFailed], str]) -> None:
    with transaction() as work:
        here = {type for type, way in ways.items() if all(work.schema.has(table.name) for table in way.tables)}
        services = due_services(work, here)
        facts: dict[str, Any] = {
            "digitalocean_url": work.deployment.digitalocean_url,
            "azure_urls": (work.deployment.azure.login_url, work.deployment.azure.api_url),
            "amazon": amazon.known_offers(work, services),
            "clusters": rancher.sound_clusters(work, services),
            "icons": rancher_icons.known_icons(work, services),
            "networks": work.deployment.web_hooks.private_networks,
            "settings": dict(work.settings),
            "accounts": slurm.due_accounts(work, services),
            "month": work.today,
        }
    stops = [Stop(str(service), str(service), service) for service in services]

    def failed(work: Work, service: Service, problem: VisitFailed) -> bool:
        return not isinstance(problem, NotInstalled) and keep_failure(work, service, text(service, problem))

    def fetch(visiting: Visit, service: Service) -> Any:
        try:
            return ways[service.type].fetch(visiting, service, facts)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            words = f"{service.type} gave an answer of an unknown form: {type(error).__name__} {error}"
            raise ItemFailed(words) from None

    def merge(work: Work, service: Service, fetched: Any) -> None:
        problem = ways[service.type].merge(work, service, fetched)
        if problem is None:
            recover(work, service)
        else:
            failed(work, service, problem)
            work.outcome.warn(str(service), str(problem))

    visit(transaction, stops, fetch, merge, failed=failed)
