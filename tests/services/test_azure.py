"""Azure subscriptions: what is mirrored, what stays since machines need it, and what faults leave alone."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from tests.openstack.scenes import CloudSite
from tests.scene import Scene
from tests.services.accounts import ERRED, OK, account, pull
from tests.services.azure_server import OPTIONS, SECRET, LoopbackAzure, serving_azure
from tests.services.tls import trusted
from waldur_dagster.clients import patience
from waldur_dagster.outcome import Outcome
from waldur_dagster.schema import azure, structure

TABLES = (azure.location, azure.size, azure.sizeavailabilityzone, azure.image)


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    monkeypatch.setattr(patience, "LONGEST_PAUSE", 0.01)
    return trusted(tmp_path, monkeypatch.setenv)


def run(site: CloudSite, cloud: LoopbackAzure) -> Outcome:
    return pull(site, azure={"login_url": cloud.url, "api_url": cloud.url})


def rows(scene: Scene) -> dict[str, list[Any]]:
    return {table.name: [tuple(row) for row in scene.rows(table)] for table in TABLES}


def subscription(scene: Scene, **options: str) -> CloudSite:
    site = CloudSite(scene)
    account(site, "Azure", options=OPTIONS | options, state=ERRED, error_message="old")
    return site


def test_locations_sizes_zones_and_images(scene: Scene, tls: ssl.SSLContext) -> None:
    site = subscription(scene)
    cloud = LoopbackAzure(images={"westeurope": [f"{n}.0" for n in range(15)]})
    with serving_azure(cloud, tls):
        run(site, cloud)
        assert dict(run(site, cloud).rows) == {}
    europe, west = scene.rows(azure.location)
    assert (west.name, west.enabled, west.latitude) == ("West Europe", True, 52.3667)
    assert (europe.enabled, europe.latitude) == (False, None)
    (size,) = scene.rows(azure.size)
    assert (size.name, size.number_of_cores, size.memory_in_mb) == ("A1", 1, 2048)
    assert {(row.size_id, row.zone) for row in scene.rows(azure.sizeavailabilityzone)} == {(size.id, 1), (size.id, 2)}
    images = scene.rows(azure.image)
    assert len(images) == 10
    assert (images[0].name, images[0].publisher, images[0].sku) == ("debian-12 0.0", "Debian", "12")
    assert scene.one(structure.servicesettings).state == OK


def test_a_size_of_any_location_stays_and_what_is_gone_goes(scene: Scene, tls: ssl.SSLContext) -> None:
    """The last location does not decide what the others have."""
    site = subscription(scene)
    cloud = LoopbackAzure({"westeurope": "West Europe", "ukwest": "UK West", "old": "Old"})
    cloud.sizes = {"westeurope": {"A1": ["1"], "A2": []}, "ukwest": {"B1": []}, "old": {"C1": ["3"]}}
    cloud.images = {"westeurope": ["1"], "old": ["2"]}
    with serving_azure(cloud, tls):
        run(site, cloud)
        assert {row.name for row in scene.rows(azure.size)} == {"A1", "A2", "B1", "C1"}
        del cloud.locations["old"], cloud.sizes["westeurope"]["A2"]
        run(site, cloud)
    assert {row.name for row in scene.rows(azure.size)} == {"A1", "B1"}
    assert {row.backend_id for row in scene.rows(azure.location)} == {"westeurope", "ukwest"}
    assert [row.version for row in scene.rows(azure.image)] == ["1"]


def test_what_a_machine_needs_stays(scene: Scene, tls: ssl.SSLContext) -> None:
    """Waldur's machines go with the rows of their image, size and location."""
    site = subscription(scene)
    cloud = LoopbackAzure({"westeurope": "West Europe", "old": "Old"})
    cloud.sizes["old"] = {"C1": ["3"]}
    cloud.images = {"westeurope": ["1"], "old": ["2"]}
    with serving_azure(cloud, tls):
        run(site, cloud)
        settings, old = scene.one(structure.servicesettings).id, scene.one(azure.location, backend_id="old").id
        place = {"project_id": site.project, "service_settings_id": settings, "state": OK, "name": "x"}
        group = scene.add(azure.resourcegroup, location_id=old, **place)
        image, size = scene.one(azure.image, version="2").id, scene.one(azure.size, name="C1").id
        net = scene.add(azure.network, resource_group_id=group, **place)
        subnet = scene.add(azure.subnet, resource_group_id=group, network_id=net, **place)
        card = scene.add(azure.networkinterface, resource_group_id=group, subnet_id=subnet, **place)
        needs = {"resource_group_id": group, "image_id": image, "size_id": size, "network_interface_id": card}
        scene.add(azure.virtualmachine, **needs, **place)
        del cloud.locations["old"], cloud.sizes["old"]
        scene.engine.dispose()
        run(site, cloud)
    assert len(scene.rows(azure.virtualmachine)) == 1
    assert (scene.one(azure.location, id=old).enabled, len(scene.rows(azure.image))) == (False, 2)
    assert scene.one(azure.size, id=size).name == "C1"


def test_pages_are_read_to_the_end(scene: Scene, tls: ssl.SSLContext) -> None:
    site = subscription(scene)
    cloud = LoopbackAzure(page=2)
    cloud.sizes["westeurope"] = {f"A{n}": [] for n in range(5)}
    with serving_azure(cloud, tls):
        run(site, cloud)
    assert len(scene.rows(azure.size)) == 5


@pytest.mark.parametrize(
    ("path", "answer", "said"),
    [
        ("locations", (403, {"error": {"message": "AuthorizationFailed"}}), "AuthorizationFailed"),
        ("vmSizes", (500, {}), "HTTP 500"),
        ("vmSizes", (429, {}), "HTTP 429"),
        ("vmSizes", (401, {"error": {"message": "ExpiredAuthenticationToken"}}), "ExpiredAuthenticationToken"),
        ("vmSizes", (200, b"<html>"), "no JSON"),
        ("vmSizes", (200, {"values": []}), "no list"),
        ("versions", (200, {"value": []}), "no list"),
        ("skus", (200, {}), "no list"),
    ],
)
def test_a_fault_leaves_everything_alone(
    scene: Scene, tls: ssl.SSLContext, path: str, answer: tuple[int, Any], said: str
) -> None:
    site = subscription(scene)
    cloud = LoopbackAzure()
    with serving_azure(cloud, tls):
        run(site, cloud)
        before = rows(scene)
        cloud.locations = {"westeurope": "West Europe"}
        cloud.fault = lambda asked: answer if asked.endswith(path) else None
        run(site, cloud)
    row = scene.one(structure.servicesettings)
    assert (rows(scene), row.state) == (before, ERRED)
    assert said in row.error_message


def test_a_token_goes_nowhere_else(scene: Scene, tls: ssl.SSLContext) -> None:
    site = subscription(scene)
    cloud = LoopbackAzure(page=1, next="https://elsewhere.example.com")
    with serving_azure(cloud, tls):
        run(site, cloud)
    assert "leads away" in scene.one(structure.servicesettings).error_message


def test_a_refused_login_is_told_without_the_secret(
    scene: Scene, tls: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    site = subscription(scene)
    cloud = LoopbackAzure(secret="another")
    with serving_azure(cloud, tls):
        outcome = run(site, cloud)
    text = scene.one(structure.servicesettings).error_message
    assert "refuses the login" in text and "AADSTS7000215" in text
    assert SECRET not in text + str(outcome.warnings) + str(outcome.failures) + caplog.text
    assert cloud.calls == []


def test_options_that_are_missing_are_named(scene: Scene) -> None:
    site = subscription(scene, subscription_id="")
    pull(site)
    assert scene.one(structure.servicesettings).error_message == "its options lack subscription_id"
