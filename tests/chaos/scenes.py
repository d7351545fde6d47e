"""The sites on which jobs are tried: the demo site for every entry, and sites with outside systems for their families.

An entry that is new is tried on the demo site by itself. A family that visits outside systems gets a scene of its own
here, with its servers on loopback; its entries are tried there then.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from sqlalchemy import Engine

from tests import scene as scenes
from tests.chaos.family_scenes import family_scenes
from tests.chaos.outside_state import Outside
from tests.chaos.places import Scene
from tests.docker_server import Container, Ended, docker_server
from tests.loopback import serving
from tests.openstack.cloud import LoopbackCloud, serving_cloud
from tests.openstack.scenes import ENTRIES as PULLS
from tests.openstack.scenes import NOW as CLOUD_NOW
from tests.openstack.scenes import port, project_id, server, snapshot, volume
from tests.result_store import folder_store
from tests.services.accounts import account
from tests.services.azure_server import OPTIONS, LoopbackAzure, serving_azure
from tests.services.test_amazon import described, site_with_images
from tests.services.tls import trusted
from waldur_dagster import clock
from waldur_dagster.availability.superseded import SUPERSEDED
from waldur_dagster.definitions import implemented_entries
from waldur_dagster.demo.home import fill
from waldur_dagster.deployment import Deployment
from waldur_dagster.schema import openstack
from waldur_dagster.schema.generations import Generation
from waldur_dagster.site import Site
from waldur_dagster.users.system_robot import system_robot

NOW = clock.now()
CLOUDS = Outside()
OF_CLOUDS = [*PULLS.values(), "pull-service-properties", "pull-service-resources"]


def of_demo() -> list[str]:
    """The entries that no other scene has."""
    elsewhere = {name for scene in all_scenes() if scene.name != "demo" for name in scene.entries()}
    return sorted(implemented_entries() - elsewhere)


def _demo_systems(parts: ExitStack) -> Mapping[str, Any]:
    def played(_: Container) -> Ended:
        return Ended(b"e30=")  # the last line of a script that reports nothing: {}

    store = parts.enter_context(folder_store({}))
    docker = parts.enter_context(docker_server(played))
    return {
        "celery": {"result_store_url": store},
        "reports": mkdtemp(prefix="waldur-chaos-reports-"),
        "waldur": {
            "WALDUR_MARKETPLACE_SCRIPT": {"DOCKER_CLIENT": {"base_url": docker.url}},
            "WALDUR_MARKETPLACE": {"ENABLE_STALE_RESOURCE_NOTIFICATIONS": True, "TELEMETRY_URL": ""},
            "WALDUR_INVOICES": {"SEND_CUSTOMER_INVOICES": True, "INVOICE_REPORTING": {"ENABLE": True}},
        },
    }


def _cloud_systems(parts: ExitStack) -> Mapping[str, Any]:
    _cloud().page = 3
    parts.enter_context(serving_cloud(_cloud()))
    images = described({"ami-1": "Debian 12"})
    # Amazon's address, and certificates that are trusted, are said in the environment.
    CLOUDS.environment["AWS_ENDPOINT_URL_EC2"] = parts.enter_context(
        serving({("POST", "/"): lambda **_: (200, images)})
    )
    tls = trusted(Path(mkdtemp(prefix="waldur-chaos-tls-")), CLOUDS.environment.__setitem__)
    azure = parts.enter_context(serving_azure(LoopbackAzure(), tls))
    return {"azure": {"login_url": azure.url, "api_url": azure.url}}


@cache
def _cloud() -> LoopbackCloud:
    return LoopbackCloud()


def _fill_clouds(engine: Engine, _: Deployment) -> None:
    """Two tenants of one cloud, of whose rows some have changed, some are new and some are gone; Amazon and Azure."""
    site, cloud = site_with_images(scenes.Scene(engine), "ami-1", "ami-gone"), _cloud()
    account(site, "Azure", options=OPTIONS)
    settings = site.cloud(cloud)
    for number in (1, 2):
        id = project_id(number)
        tenant, held = site.tenant(settings, id), cloud.data[id]
        held["servers"] += [server(f"s{number}-{n}") for n in range(3)]
        held["volumes"] += [volume(f"v{number}-{n}", name="renamed") for n in range(3)]
        held["snapshots"] += [snapshot(f"n{number}-{n}") for n in range(3)]
        held["ports"] += [port(f"p{number}-{n}") for n in range(3)]
        for n in range(1, 4):
            site.add(openstack.instance, tenant, settings, f"s{number}-{n}")
            site.add(openstack.volume, tenant, settings, f"v{number}-{n}", size=10240)
            site.add(openstack.snapshot, tenant, settings, f"n{number}-{n}", size=10240)
            fixed = {"fixed_ips": "[]", "allowed_address_pairs": "[]"}
            site.add(openstack.port, tenant, settings, f"p{number}-{n}", **fixed)


def _fill_demo(engine: Engine, deployment: Deployment) -> None:
    """With the robot, as every site has it sooner or later: once it is there, events tell of it."""
    fill(engine, deployment, NOW)
    with Site(deployment) as site, site.work("demo", NOW) as work:
        system_robot(work)


def all_scenes() -> list[Scene]:
    return [
        Scene(
            "demo",
            NOW,
            _fill_demo,
            of_demo,
            {"entries": {name: {"superseded": "run"} for name in SUPERSEDED}},
            _demo_systems,
        ),
        Scene(
            "clouds", CLOUD_NOW, _fill_clouds, lambda: OF_CLOUDS, {}, _cloud_systems, Generation.OCTOBER_2024, CLOUDS
        ),
        *family_scenes(),
    ]
