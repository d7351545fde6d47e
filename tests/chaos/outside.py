"""Outside systems that break, each with every fault of the table: nothing is lost, it ends in time, and it is told.

A family that visits a system gets a line here: how a small site with it is made, and what visits it. Those of remote
Waldurs, people and Rancher have their faults in their own tests so far.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from sqlalchemy import URL, create_engine, text

from tests.chaos.faults import OF_ALL, OF_MAIL, OF_WEB, REFUSED, faulty
from tests.chaos.sizes import Size
from tests.databases import Databases
from tests.openstack.cloud import LoopbackCloud
from tests.openstack.scenes import NOW, CloudSite, project_id
from tests.outbox.messages import LETTER, wait
from tests.scene import LOOPBACK, Scene
from waldur_dagster.clients import broker, http, patience
from waldur_dagster.demo import server
from waldur_dagster.functions import Function
from waldur_dagster.outbox.delivery import deliver
from waldur_dagster.outbox.migrate import migrate
from waldur_dagster.outbox.tables import message
from waldur_dagster.schema import core, digitalocean, openstack, structure, vmware
from waldur_dagster.schema.generations import Generation, create_tables

# Seconds that a visit may take with the short time-outs below; on a busy machine too.
LONGEST = 60.0
WAITS = {"waiting", "perhaps delivered"}
REFUSES = ("400", "404", "redirect", "5xx")
KEPT = text(
    "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' "
    "AND pg_relation_size(c.oid) > 0"
)


@dataclass(frozen=True)
class System:
    """``prepare`` makes rows of a site whose system is at a port, and returns what its deployment file says.

    ``do``: visits it, item by item; None: the outbox delivers. ``taken``: faults after which a message is delivered.
    """

    name: str
    prepare: Callable[[Scene, int], dict[str, Any]]
    faults: tuple[str, ...]
    entry: str = ""
    do: Function | None = None
    taken: tuple[str, ...] = ()


ON_WEB = (REFUSED, *OF_ALL, *OF_WEB)
ON_WIRE = (REFUSED, *OF_ALL)


# An answer of any status says that a hook's server has the call; the rest of it is not read.
ANSWERED = ("endless", "junk inside", *(fault for fault in OF_WEB if fault.isdigit()))


def _message(payload: dict[str, Any], **document: Any) -> Callable[[Scene, int], dict[str, Any]]:
    def prepare(scene: Scene, port: int) -> dict[str, Any]:
        own = json.loads(json.dumps(payload).replace("PORT", str(port)))
        wait(scene, "first", own)
        wait(scene, "second", own)
        found: dict[str, Any] = json.loads(json.dumps(document).replace('"PORT"', str(port)).replace("PORT", str(port)))
        return found

    return prepare


def _cloud(scene: Scene, port: int) -> dict[str, Any]:
    site = CloudSite(scene)
    settings = site.cloud(LoopbackCloud(url=f"http://127.0.0.1:{port}"))
    tenant = site.tenant(settings, project_id(1))
    for table in (openstack.instance, openstack.volume, openstack.snapshot):
        site.add(table, tenant, settings, f"known-{table.name}")
    fixed = {"fixed_ips": "[]", "allowed_address_pairs": "[]"}
    site.add(openstack.port, tenant, settings, "known-port", **fixed)
    return {}


def _digitalocean(scene: Scene, port: int) -> dict[str, Any]:
    values = {"type": "DigitalOcean", "state": 3, "is_active": True, "token": "hidden", "options": "{}"}
    settings = scene.add(structure.servicesettings, name="droplets", **values)
    project = scene.project(scene.customer())
    scene.add(digitalocean.region, name="Region", backend_id="r")
    scene.add(
        digitalocean.droplet, name="known", backend_id="1", state=3, service_settings_id=settings, project_id=project
    )
    return {"digitalocean_url": f"http://127.0.0.1:{port}/v2/"}


def _vmware(scene: Scene, port: int) -> dict[str, Any]:
    values = {"type": "VMware", "state": 3, "is_active": True, "username": "u", "password": "hidden", "options": "{}"}
    url = f"http://127.0.0.1:{port}"
    settings = scene.add(structure.servicesettings, name="vcenter", backend_url=url, **values)
    scene.add(vmware.folder, name="Folder", backend_id="f", settings_id=settings)
    return {}


def _telemetry(scene: Scene, port: int) -> dict[str, Any]:
    scene.add(core.feature, key="telemetry.send_metrics", value=True)
    return {"waldur": {"WALDUR_MARKETPLACE.TELEMETRY_URL": f"http://127.0.0.1:{port}/"}}


def _service(kind: str, prepare: Callable[[Scene, int], dict[str, Any]], name: str) -> System:
    return _pull(f"pull-service-{kind}", f"waldur_dagster.services.pull:pull_service_{kind}", prepare, name)


def _pull(entry: str, place: str, prepare: Callable[[Scene, int], dict[str, Any]], name: str) -> System:
    return System(name, prepare, ON_WEB, entry, Function(place))


HOOK = {"kind": "webhook", "url": "http://127.0.0.1:PORT/in", "fields": {"event_type": "x"}}
FREEIPA = {"WALDUR_FREEIPA": {"HOSTNAME": "http://127.0.0.1:PORT", "USERNAME": "w", "PASSWORD": "hidden"}}
TASK = {"kind": "handover", "task": "waldur_mastermind.marketplace.tasks.process_order", "args": ["x"]}
SYSTEMS = (
    System(
        "mail server",
        _message(
            LETTER | {"to": ["a@x.org"]},
            mail={"host": "127.0.0.1", "port": "PORT", "timeout": 1, "answer_timeout": 1},
        ),
        (*ON_WIRE, *OF_MAIL),
    ),
    System("web hook", _message(HOOK, web_hooks=LOOPBACK | {"timeout": 1}), ON_WEB, taken=ANSWERED),
    System(
        "Waldur's API",
        _message(
            {"kind": "api_call", "path": "/api/x/"},
            waldur_api={"url": "http://127.0.0.1:PORT", "token": "hidden", "timeout": 1},
        ),
        ON_WEB,
        taken=("endless",),
    ),
    System(
        "invitations' web hook",
        _message(
            {"kind": "invitation", "fields": {"email": "guest@x.org"}},
            waldur={
                "WALDUR_CORE.INVITATION_WEBHOOK_URL": "http://127.0.0.1:PORT/hook",
                "WALDUR_CORE.INVITATION_WEBHOOK_TOKEN_URL": "http://127.0.0.1:PORT/token",
                "WALDUR_CORE.INVITATION_WEBHOOK_TOKEN_SECRET": "hidden",
            },
        ),
        ON_WEB,
    ),
    System(
        "FreeIPA",
        _message({"kind": "account", "user_id": 1, "username": "guest", "password": "hidden"}, waldur=FREEIPA),
        ON_WEB,
    ),
    System("RabbitMQ", _message(TASK, celery={"broker_url": "amqp://w:hidden@127.0.0.1:PORT//"}), ON_WIRE),
    System("Redis as broker", _message(TASK, celery={"broker_url": "redis://:hidden@127.0.0.1:PORT/0"}), ON_WIRE),
    _pull("send_telemetry", "waldur_dagster.marketplace.telemetry:send_telemetry", _telemetry, "telemetry"),
    _pull(
        "openstack-tenant-resources-list-pull-task",
        "waldur_dagster.openstack.pull_resources:pull_tenant_resources",
        _cloud,
        "OpenStack, servers",
    ),
    _pull(
        "openstack-tenant-subresources-list-pull-task",
        "waldur_dagster.openstack.pull_subresources:pull_tenant_subresources",
        _cloud,
        "OpenStack, networks",
    ),
    _pull(
        "openstack-tenant-properties-list-pull-task",
        "waldur_dagster.openstack.pull_properties:pull_tenant_properties",
        _cloud,
        "OpenStack, flavors",
    ),
    _pull("openstack-tenant-pull-quotas", "waldur_dagster.openstack.quotas:pull_quotas", _cloud, "OpenStack, quotas"),
    _pull(
        "pull-service-resources", "waldur_dagster.services.pull:pull_service_resources", _cloud, "OpenStack, projects"
    ),
    _service("resources", _cloud, "OpenStack, projects"),
    _service("properties", _cloud, "OpenStack, figures"),
    _service("resources", _digitalocean, "droplets"),
    _service("properties", _digitalocean, "regions"),
    _service("properties", _vmware, "vCenter"),
)


@contextmanager
def short_time_outs() -> Iterator[None]:
    """What takes tens of seconds takes one."""
    with (
        patch.object(http, "TIMEOUT", 1.0),
        patch.object(patience, "TIMEOUT", 1.0),
        patch.object(patience, "LONGEST_PAUSE", 0.01),
        patch.object(broker, "CONNECT_TIMEOUT", 1.0),
        patch.object(broker, "ANSWER_TIMEOUT", 1.0),
    ):
        yield


def problems(scene: Scene, system: System, fault: str) -> list[str]:
    """What is wrong when a system has a fault; ``short_time_outs`` hold."""
    with faulty(fault) as port:
        document = system.prepare(scene, port)
        before = _counts(scene)
        begun = time.monotonic()
        told = _delivered(scene, document, system, fault) if system.do is None else _visited(scene, document, system)
        took = time.monotonic() - begun
    found = [f"took {took:.0f} seconds"] if took > LONGEST else []
    lost = {table: count - _counts(scene).get(table, 0) for table, count in before.items()}
    found += [f"{table} lost {count} rows" for table, count in lost.items() if count > 0]
    return [f"{system.name}, {fault}: {one}" for one in (*found, *told)]


def _visited(scene: Scene, document: dict[str, Any], system: System) -> list[str]:
    assert system.do is not None
    try:
        with scene.site(**document) as site:
            system.do(site.transactions(system.entry, NOW))
    except Exception as problem:  # that is what is looked for
        return [f"raised {type(problem).__name__}: {problem}"]
    return [] if site.outcome.failures or site.outcome.warnings else ["nothing was told"]


def _delivered(scene: Scene, document: dict[str, Any], system: System, fault: str) -> list[str]:
    delivered = deliver(scene.engine, scene.deployment(**document))
    rows = scene.rows(message)
    allowed = WAITS | ({"given up"} if fault.startswith(REFUSES) else set())
    allowed |= {"delivered"} if fault in system.taken else set()
    found = [f"a message is {row.state}: {row.last_error}" for row in rows if row.state not in allowed]
    if not delivered.not_delivered and any(row.state != "delivered" for row in rows):
        found.append("nothing was told")
    return found


def _counts(scene: Scene) -> dict[str, int]:
    with scene.engine.connect() as connection:
        return {
            name: connection.scalar(text(f'SELECT count(*) FROM "{name}"')) or 0 for name in connection.scalars(KEPT)
        }


def all_faults(server_url: URL, size: Size) -> Iterator[list[str]]:
    """Every system with every fault, a few at once: most of the time is waited for."""
    engine = create_engine(server.create_database(server_url, "outside"))
    with engine.begin() as connection:
        create_tables(connection, Generation.OCTOBER_2024)
    migrate(engine)
    engine.dispose()
    databases = Databases(server_url, "outside")

    def attempt(pair: tuple[System, str]) -> list[str]:
        with databases.lent() as own:
            return problems(Scene(own), *pair)

    with short_time_outs(), ThreadPoolExecutor(4) as pool:
        yield from pool.map(attempt, [(system, fault) for system in SYSTEMS for fault in system.faults])


__all__ = ["SYSTEMS", "all_faults", "problems", "short_time_outs"]
