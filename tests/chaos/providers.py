"""What the outbox sends to, and the providers of clouds: how each is reached on a small site."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any

import pytest

from tests.chaos.faults import OF_MAIL, OF_WEB
from tests.chaos.systems import ON_WEB, ON_WIRE, SECRET, Prepare, System, at
from tests.openstack.cloud import LoopbackCloud
from tests.openstack.scenes import CloudSite, project_id
from tests.outbox.messages import LETTER, wait
from tests.rancher.rancher_server import LoopbackRancher
from tests.raw_server import raw_server, relay
from tests.scene import LOOPBACK, Scene
from tests.services.accounts import account
from tests.services.azure_server import OPTIONS, LoopbackAzure, serving_azure
from tests.services.test_amazon import site_with_images
from tests.services.test_rancher import Site as RancherMirror
from tests.services.tls import trusted
from waldur_dagster.functions import Function
from waldur_dagster.schema import azure, core, digitalocean, openstack, rancher, structure, vmware

# An answer of any status says that a hook's server has the call; the rest of it is not read.
ANSWERED = ("endless", "dripping inside", "junk inside", "echo", *(fault for fault in OF_WEB if fault.isdigit()))
# Addresses of Amazon, and certificates that are trusted, are the whole process's.
ENVIRONMENT = Lock()


def _message(payload: dict[str, Any], **document: Any) -> Prepare:
    @contextmanager
    def prepare(scene: Scene, port: int) -> Iterator[dict[str, Any]]:
        own = json.loads(json.dumps(payload).replace("PORT", str(port)))
        wait(scene, "first", own)
        wait(scene, "second", own)
        yield json.loads(json.dumps(document).replace('"PORT"', str(port)).replace("PORT", str(port)))

    return prepare


@contextmanager
def _cloud(scene: Scene, port: int) -> Iterator[dict[str, Any]]:
    site = CloudSite(scene)
    settings = site.cloud(LoopbackCloud(url=at(port)))
    tenant = site.tenant(settings, project_id(1))
    for table in (openstack.instance, openstack.volume, openstack.snapshot):
        site.add(table, tenant, settings, f"known-{table.name}")
    fixed = {"fixed_ips": "[]", "allowed_address_pairs": "[]"}
    site.add(openstack.port, tenant, settings, "known-port", **fixed)
    yield {}


@contextmanager
def _digitalocean(scene: Scene, port: int) -> Iterator[dict[str, Any]]:
    values = {"type": "DigitalOcean", "state": 3, "is_active": True, "token": SECRET, "options": "{}"}
    settings = scene.add(structure.servicesettings, name="droplets", **values)
    project = scene.project(scene.customer())
    scene.add(digitalocean.region, name="Region", backend_id="r")
    scene.add(
        digitalocean.droplet, name="known", backend_id="1", state=3, service_settings_id=settings, project_id=project
    )
    yield {"digitalocean_url": f"{at(port)}/v2/"}


@contextmanager
def _vmware(scene: Scene, port: int) -> Iterator[dict[str, Any]]:
    values = {"type": "VMware", "state": 3, "is_active": True, "username": "u", "password": SECRET, "options": "{}"}
    url = at(port)
    settings = scene.add(structure.servicesettings, name="vcenter", backend_url=url, **values)
    scene.add(vmware.folder, name="Folder", backend_id="f", settings_id=settings)
    yield {}


@contextmanager
def _amazon(scene: Scene, port: int) -> Iterator[dict[str, Any]]:
    site_with_images(scene, "ami-1", "ami-2")
    with ENVIRONMENT, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_EC2", at(port))
        yield {}


def _azure(*broken: str) -> Prepare:
    """These addresses of Azure lead to the port, the others to what is well."""

    @contextmanager
    def prepare(scene: Scene, port: int) -> Iterator[dict[str, Any]]:
        account(CloudSite(scene), "Azure", options=OPTIONS)
        settings = scene.one(structure.servicesettings).id
        scene.add(azure.location, name="Place", backend_id="place", settings_id=settings)
        with ENVIRONMENT, pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
            tls = trusted(Path(folder), patch.setenv)
            with serving_azure(LoopbackAzure(), tls) as well, raw_server(relay(port), tls) as ill:
                urls = dict.fromkeys(("login_url", "api_url"), well.url)
                yield {"azure": urls | dict.fromkeys(broken, f"https://127.0.0.1:{ill.port}")}

    return prepare


@contextmanager
def _rancher(scene: Scene, port: int) -> Iterator[dict[str, Any]]:
    site = RancherMirror(scene, LoopbackRancher(url=at(port)))
    scene.add(rancher.project, name="known", backend_id="c-1:p-1", settings_id=site.settings, cluster_id=site.cluster)
    yield {}


@contextmanager
def _telemetry(scene: Scene, port: int) -> Iterator[dict[str, Any]]:
    scene.add(core.feature, key="telemetry.send_metrics", value=True)
    yield {"waldur": {"WALDUR_MARKETPLACE.TELEMETRY_URL": f"{at(port)}/"}}


# Where a failure is kept.
SETTINGS = {"structure_servicesettings": 1}
TENANT = {"openstack_tenant": 1}


def _service(kind: str, prepare: Prepare, name: str) -> System:
    entry, place = f"pull-service-{kind}", f"waldur_dagster.services.pull:pull_service_{kind}"
    return System(name, prepare, ON_WEB, entry, Function(place), changes=SETTINGS)


def _tenant(entry: str, place: str, name: str) -> System:
    do = Function(f"waldur_dagster.openstack.{place}")
    return System(f"OpenStack, {name}", _cloud, ON_WEB, entry, do, changes=TENANT)


HOOK = {"kind": "webhook", "url": "http://127.0.0.1:PORT/in", "fields": {"event_type": "x"}}
FREEIPA = {"WALDUR_FREEIPA": {"HOSTNAME": "http://127.0.0.1:PORT", "USERNAME": "w", "PASSWORD": SECRET}}
TASK = {"kind": "handover", "task": "waldur_mastermind.marketplace.tasks.process_order", "args": ["x"]}
OUTBOX = (
    System(
        "mail server",
        _message(
            LETTER | {"to": ["a@x.org"]},
            mail={"host": "127.0.0.1", "port": "PORT", "timeout": 1, "answer_timeout": 1},
        ),
        (*ON_WIRE, *OF_MAIL),
    ),
    System("web hook", _message(HOOK, web_hooks=LOOPBACK | {"timeout": 1}), taken=ANSWERED),
    System(
        "Waldur's API",
        _message(
            {"kind": "api_call", "path": "/api/x/"},
            waldur_api={"url": "http://127.0.0.1:PORT", "token": SECRET, "timeout": 1},
        ),
        taken=("endless", "dripping inside"),
    ),
    System(
        "invitations' web hook",
        _message(
            {"kind": "invitation", "fields": {"email": "guest@x.org"}},
            waldur={
                "WALDUR_CORE.INVITATION_WEBHOOK_URL": "http://127.0.0.1:PORT/hook",
                "WALDUR_CORE.INVITATION_WEBHOOK_TOKEN_URL": "http://127.0.0.1:PORT/token",
                "WALDUR_CORE.INVITATION_WEBHOOK_TOKEN_SECRET": SECRET,
            },
        ),
    ),
    System(
        "FreeIPA, accounts",
        _message({"kind": "account", "user_id": 1, "username": "guest", "password": "pass-of-guest"}, waldur=FREEIPA),
    ),
    System("RabbitMQ", _message(TASK, celery={"broker_url": f"amqp://w:{SECRET}@127.0.0.1:PORT//"}), ON_WIRE),
    System("Redis as broker", _message(TASK, celery={"broker_url": f"redis://:{SECRET}@127.0.0.1:PORT/0"}), ON_WIRE),
)
PROVIDERS = (
    System(
        "telemetry",
        _telemetry,
        ON_WEB,
        "send_telemetry",
        Function("waldur_dagster.marketplace.telemetry:send_telemetry"),
        taken=("endless", "dripping inside", "junk inside"),
    ),
    _tenant("openstack-tenant-resources-list-pull-task", "pull_resources:pull_tenant_resources", "servers"),
    _tenant("openstack-tenant-subresources-list-pull-task", "pull_subresources:pull_tenant_subresources", "networks"),
    _tenant("openstack-tenant-properties-list-pull-task", "pull_properties:pull_tenant_properties", "flavors"),
    _tenant("openstack-tenant-pull-quotas", "quotas:pull_quotas", "quotas"),
    _service("resources", _cloud, "OpenStack, projects"),
    _service("properties", _cloud, "OpenStack, figures"),
    _service("resources", _digitalocean, "droplets"),
    _service("properties", _digitalocean, "regions"),
    _service("properties", _vmware, "vCenter"),
    _service("properties", _amazon, "Amazon"),
    _service("properties", _azure("api_url"), "Azure"),
    _service("properties", _azure("login_url"), "Azure, login"),
    _service("properties", _rancher, "Rancher, what runs there"),
)
