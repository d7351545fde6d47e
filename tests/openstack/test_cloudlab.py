"""Against real OpenStack services: a lab whose folder ``CLOUDLAB`` names, filled by its ``populate.py``.

``CLOUDLAB_IDS`` is the file that ``populate.py`` printed. Services are stopped by their process ids, so the lab
must run on this machine. Each test makes its own site; deletions come last, for they empty the lab.
"""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.openstack.scenes import NOW, CloudSite
from tests.scene import Scene
from waldur_dagster.clients import patience
from waldur_dagster.clients.openstack import Account, Cloud, Connections
from waldur_dagster.openstack.expired_backups import delete_expired_backups
from waldur_dagster.openstack.expired_snapshots import delete_expired_snapshots
from waldur_dagster.openstack.pull_properties import pull_tenant_properties
from waldur_dagster.openstack.pull_resources import pull_tenant_resources
from waldur_dagster.openstack.pull_subresources import pull_tenant_subresources
from waldur_dagster.openstack.quotas import pull_quotas
from waldur_dagster.schema import openstack, quotas, structure
from waldur_dagster.services.pull import pull_service_properties, pull_service_resources

LAB, IDS = os.environ.get("CLOUDLAB"), os.environ.get("CLOUDLAB_IDS")
pytestmark = pytest.mark.skipif(
    not (LAB and IDS), reason="CLOUDLAB and CLOUDLAB_IDS name no lab of real OpenStack services"
)
OK, ERRED = 3, 4
OVER = NOW - timedelta(hours=1)


class Lab(CloudSite):
    """The lab's projects as tenants of a site, with the rows that the site knows of them."""

    def __init__(self, scene: Scene, **login: Any):
        super().__init__(scene)
        assert LAB is not None and IDS is not None
        facts = json.loads(Path(IDS).read_text())
        exports = dict(re.findall(r"export (\w+)=(\S+)", Path(LAB, "openrc").read_text()))
        self.projects = facts["projects"]
        address = {"backend_url": exports["OS_AUTH_URL"], "username": "admin", "password": exports["OS_PASSWORD"]}
        self.settings = scene.add(
            structure.servicesettings,
            name="lab",
            type="OpenStack",
            state=OK,
            is_active=True,
            domain="Default",
            **({"options": json.dumps({"tenant_name": exports["OS_PROJECT_NAME"]})} | address | login),
        )
        self.tenants = {name: self._known(name, project) for name, project in self.projects.items()}

    def _known(self, name: str, project: dict[str, Any]) -> int:
        user = project["user"]
        login = {"user_username": user["name"], "user_password": user["password"]}
        tenant = self.tenant(self.settings, project["id"], **login, name=name)
        for id in project["servers"].values():
            self.add(openstack.instance, tenant, self.settings, id)
        for id in project["volumes"].values():
            self.add(openstack.volume, tenant, self.settings, id)
        for id in project["snapshots"]:
            self.add(openstack.snapshot, tenant, self.settings, id)
        return tenant

    def of(self, tenant: str, table: Any) -> list[Any]:
        return self.scene.rows(table, tenant_id=self.tenants[tenant])

    def states(self, table: Any) -> set[int]:
        return {row.state for row in self.scene.rows(table)}


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lab on a busy machine answers late."""
    monkeypatch.setattr(patience, "TIMEOUT", 90.0)


@pytest.fixture
def lab(scene: Scene) -> Lab:
    return Lab(scene)


@contextmanager
def stopped(service: str) -> Iterator[None]:
    """A service that does not answer for a while."""
    assert LAB is not None
    ids = [int(path.read_text().split()[0]) for path in Path(LAB, "run").glob(f"{service}.pid")]  # and when it began
    assert ids, f"the lab has no {service}"
    for id in ids:
        os.kill(id, signal.SIGSTOP)
    try:
        yield
    finally:
        for id in ids:
            os.kill(id, signal.SIGCONT)


def test_resources_are_what_the_lab_has(lab: Lab) -> None:
    lab.run(pull_tenant_properties)
    lab.run(pull_tenant_subresources)
    outcome = lab.run(pull_tenant_resources)
    assert (outcome.failures, outcome.warnings) == ([], [])
    for name, project in lab.projects.items():
        machines = {row.backend_id: row for row in lab.of(name, openstack.instance)}
        assert {row.runtime_state for row in machines.values()} == {"ACTIVE"}
        assert {row.flavor_name for row in machines.values()} <= {"lab.small", "lab.medium"}
        disks = {row.name: row for row in lab.of(name, openstack.volume)}
        assert set(disks) == set(project["volumes"])
        assert {row.runtime_state for row in lab.of(name, openstack.snapshot)} == {"available"}
        attached = [row for row in disks.values() if row.instance_id]
        assert len(attached) == len(disks) - 1
    assert lab.states(openstack.tenant) == {OK}
    lab.run(pull_tenant_resources)  # an instance's disks are summed before the sizes of its volumes are pulled
    assert dict(lab.run(pull_tenant_resources).rows) == {}


def test_groups_of_servers_are_those_that_nova_tells(lab: Lab) -> None:
    """The pull takes them from the list of ports, which is one call for all servers."""
    lab.run(pull_tenant_subresources)
    lab.run(pull_tenant_resources)
    groups = {row.id: row.backend_id for row in lab.scene.rows(openstack.securitygroup)}
    links = lab.scene.rows(openstack.instance_security_groups)
    settings = lab.scene.one(structure.servicesettings)
    for name, project in lab.projects.items():
        user = project["user"]
        account = Account(settings.backend_url, user["name"], user["password"], project_id=project["id"])
        with Connections(account) as connections:
            nova = Cloud(account, connections)
            for machine in lab.of(name, openstack.instance):
                told = nova.get("compute", f"/servers/{machine.backend_id}/os-security-groups")["security_groups"]
                assert told
                found = {groups[link.securitygroup_id] for link in links if link.instance_id == machine.id}
                assert found == {group["id"] for group in told}


def test_networks_are_what_the_lab_has(lab: Lab) -> None:
    outcome = lab.run(pull_tenant_subresources)
    assert (outcome.failures, outcome.warnings) == ([], [])
    for name, project in lab.projects.items():
        assert [row.backend_id for row in lab.of(name, openstack.network)] == [project["network"]]
        assert [row.backend_id for row in lab.of(name, openstack.subnet)] == [project["subnet"]]
        assert [row.backend_id for row in lab.of(name, openstack.router)] == [project["router"]]
        assert {str(row.address) for row in lab.of(name, openstack.floatingip)} == set(project["floating_ips"])
        groups = {row.name for row in lab.of(name, openstack.securitygroup)}
        assert groups == {"default", f"{name}-web", f"{name}-db"}
        assert [row.backend_id for row in lab.of(name, openstack.servergroup)] == [project["server_group"]]
        ports = {row.backend_id for row in lab.of(name, openstack.port)}
        assert set(project["ports"].values()) <= ports
    assert dict(lab.run(pull_tenant_subresources).rows) == {}


def test_properties_are_what_the_lab_has(lab: Lab) -> None:
    lab.run(pull_tenant_properties)
    assert {"fast", "slow"} <= {row.name for row in lab.scene.rows(openstack.volumetype)}
    assert {row.name for row in lab.scene.rows(openstack.flavor)} == {"lab.small", "lab.medium"}
    assert {row.name for row in lab.scene.rows(openstack.instanceavailabilityzone)} == {"lab-zone-1"}
    images = {row.name for row in lab.scene.rows(openstack.image)}
    assert images == {"lab-image", *(f"{name}-image" for name in lab.projects)}
    assert dict(lab.run(pull_tenant_properties).rows) == {}


def test_quotas_are_what_the_lab_has(lab: Lab) -> None:
    outcome = lab.run(pull_quotas)
    assert (outcome.failures, outcome.warnings) == ([], [])
    for name, project in lab.projects.items():
        used = {
            row.name: row.delta for row in lab.scene.rows(quotas.quotausage, object_id=lab.tenants[name]) if row.delta
        }
        assert used["instances"] == len(project["servers"])
        assert used["volumes"] == len(project["volumes"])
        assert used["snapshots"] == len(project["snapshots"])
    assert dict(lab.run(pull_quotas).rows) == {}


def test_the_provider_is_what_the_lab_has(lab: Lab) -> None:
    lab.run(pull_service_properties, entry="pull-service-properties")
    outcome = lab.run(pull_service_resources, entry="pull-service-resources")
    assert (outcome.failures, outcome.warnings) == ([], [])
    assert lab.states(openstack.tenant) == {OK}
    assert {row.name for row in lab.scene.rows(quotas.quotalimit)} == {"openstack_vcpu", "openstack_ram"}


@pytest.mark.parametrize("login", [{"password": "wrong"}, {"username": "nobody"}])
def test_a_refused_login_loses_nothing(scene: Scene, login: dict[str, str]) -> None:
    lab = Lab(scene, **login)
    lab.run(pull_tenant_resources)
    lab.run(pull_service_resources, entry="pull-service-resources")
    for table in (openstack.instance, openstack.volume, openstack.snapshot):
        assert lab.states(table) == {OK}
    assert lab.scene.one(structure.servicesettings).state == ERRED


def test_a_demoted_administrator_loses_nothing(scene: Scene) -> None:
    """An account without the role sees only its own, and cinder does not even refuse."""
    probe = Lab(scene)
    name, project = next(iter(probe.projects.items()))
    user = project["user"]
    with scene.engine.begin() as connection:
        connection.execute(
            structure.servicesettings.update().values(
                username=user["name"], password=user["password"], options=json.dumps({"tenant_name": name})
            )
        )
    probe.run(pull_tenant_resources)
    probe.run(pull_service_resources, entry="pull-service-resources")
    probe.run(pull_service_properties, entry="pull-service-properties")
    for table in (openstack.instance, openstack.volume, openstack.snapshot):
        assert probe.states(table) == {OK}
    assert probe.scene.one(structure.servicesettings).state == ERRED
    assert probe.scene.rows(quotas.quotausage) == []


@pytest.mark.parametrize("service", ["cinder", "nova", "neutron"])
def test_a_service_that_does_not_answer_loses_nothing(lab: Lab, service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "TIMEOUT", 20.0)
    with stopped(service):
        lab.run(pull_tenant_resources)
        assert ERRED in lab.states(openstack.tenant)
        lab.run(pull_tenant_subresources)  # which does without cinder, and is a reason to be OK again
    for table in (openstack.instance, openstack.volume, openstack.snapshot):
        assert lab.states(table) == {OK}
    lab.run(pull_tenant_subresources)
    lab.run(pull_tenant_resources)
    assert lab.states(openstack.tenant) == {OK}


def test_what_is_expired_goes_from_the_lab(lab: Lab) -> None:
    """The last test: the first project's snapshots by themselves, the others' with a backup."""
    first, *others = lab.projects
    with lab.scene.engine.begin() as connection:
        of_first = openstack.snapshot.c.tenant_id == lab.tenants[first]
        connection.execute(openstack.snapshot.update().where(of_first).values(kept_until=OVER))
    for name in others:
        machine = lab.of(name, openstack.instance)[0].id
        at = (lab.tenants[name], lab.settings, "")
        backup = lab.add(openstack.backup, *at, kept_until=OVER, instance_id=machine)
        for row in lab.of(name, openstack.snapshot):
            lab.scene.add(openstack.backup_snapshots, backup_id=backup, snapshot_id=row.id)
    lab.run(delete_expired_snapshots, entry="openstack-delete-expired-snapshots")
    lab.run(delete_expired_backups, entry="openstack-delete-expired-backups")
    assert lab.scene.rows(openstack.snapshot) == []
    assert lab.scene.rows(openstack.backup) == []
    lab.run(pull_quotas)
    used = [row for row in lab.scene.rows(quotas.quotausage) if row.name == "snapshots"]
    assert sum(row.delta for row in used if row.object_id in lab.tenants.values()) <= 0
