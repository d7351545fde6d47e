"""What newer versions of Waldur know of networks, ports and rules beside that of October 2024."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine

from tests.openstack.cloud import LoopbackCloud, serving_cloud
from tests.openstack.scenes import CloudSite, port, project_id
from tests.scene import Scene
from tests.statements import counted
from waldur_dagster.openstack.pull_subresources import pull_tenant_subresources
from waldur_dagster.schema import logging, openstack

RULES_CHANGED = "openstack_security_group_rules_changed"


def network(id: str, **values: Any) -> dict[str, Any]:
    return {"id": id, "name": id, "description": "", "router:external": False, "status": "ACTIVE", "mtu": 1500} | values


def rule(id: str, **values: Any) -> dict[str, Any]:
    facts = dict.fromkeys(("port_range_min", "port_range_max", "remote_ip_prefix", "description", "remote_group_id"))
    return facts | {"id": id, "ethertype": "IPv4", "direction": "ingress", "protocol": "tcp"} | values


def group(id: str, *rules: dict[str, Any]) -> dict[str, Any]:
    return {"id": id, "name": id, "description": "", "security_group_rules": list(rules)}


def told(scene: Scene) -> list[tuple[str, dict[str, Any]]]:
    rows = scene.rows(logging.event, event_type=RULES_CHANGED)
    return [(row.message, row.context) for row in rows]


@pytest.mark.parametrize("generation", ["2024-10", "8"])
def test_a_port_in_the_network_of_another_tenant(scene: Scene, generation: str) -> None:
    """Waldur of October 2024 knows a tenant's own networks only."""
    site, id = CloudSite(scene), project_id(1)
    with serving_cloud(LoopbackCloud()) as cloud:
        settings, elsewhere = site.cloud(cloud), site.cloud(LoopbackCloud(), "elsewhere")
        tenant, owner = site.tenant(settings, id), site.tenant(settings, project_id(2), state=2)
        shared = site.add(openstack.network, owner, settings, "shared")
        subnet = site.add(openstack.subnet, owner, settings, "sub", network_id=shared, cidr="10.0.0.0/24")
        stranger = site.tenant(elsewhere, project_id(3), state=2)
        site.add(openstack.network, stranger, elsewhere, "foreign")
        fixed = [{"subnet_id": "sub", "ip_address": "10.0.0.5"}]
        site.add(openstack.port, tenant, settings, "p1", network_id=shared, subnet_id=subnet)
        for name, of in (("p1", "shared"), ("p2", "shared"), ("p3", "foreign"), ("p4", "own")):
            cloud.data[id]["ports"].append(port(name, network_id=of, fixed_ips=fixed if of == "shared" else []))
        cloud.data[id]["networks"].append(network("own"))
        site.run(pull_tenant_subresources)
    own = scene.one(openstack.network, backend_id="own").id
    known = (shared, subnet) if generation == "8" else (None, None)
    assert [(row.backend_id, row.network_id, row.subnet_id) for row in scene.rows(openstack.port)] == [
        ("p1", *known),
        ("p2", *known),
        ("p3", None, None),
        ("p4", own, None),
    ]


@pytest.mark.generation("8")
def test_columns_that_only_newer_sites_have(scene: Scene) -> None:
    site, id = CloudSite(scene), project_id(1)
    with serving_cloud(LoopbackCloud()) as cloud:
        settings = site.cloud(cloud)
        tenant = site.tenant(settings, id)
        site.add(openstack.network, tenant, settings, "known", port_security_enabled=True)
        site.add(openstack.port, tenant, settings, "p1", status="ACTIVE", admin_state_up=True)
        cloud.data[id]["networks"] += [
            network("known", port_security_enabled=False),
            network("new", port_security_enabled=True),
            network("untold"),
        ]
        cloud.data[id]["ports"] += [
            port("p1", status="DOWN", admin_state_up=False),
            port("p2", status="ACTIVE", admin_state_up=True),
        ]
        site.run(pull_tenant_subresources)
    networks = {row.backend_id: row.port_security_enabled for row in scene.rows(openstack.network)}
    assert networks == {"known": False, "new": True, "untold": True}
    ports = {row.backend_id: (row.status, row.admin_state_up) for row in scene.rows(openstack.port)}
    assert ports == {"p1": ("DOWN", False), "p2": ("ACTIVE", True)}


@pytest.mark.generation("8")
def test_changed_rules_of_a_group_are_one_event(scene: Scene) -> None:
    site, id = CloudSite(scene), project_id(1)
    with serving_cloud(LoopbackCloud()) as cloud:
        tenant = site.tenant(site.cloud(cloud), id)
        cloud.data[id]["security-groups"] += [group("web", *(rule(f"r{n}") for n in range(3))), group("other")]
        site.run(pull_tenant_subresources)
        ((message, context),) = told(scene)
        assert message == 'Security group "web" rules changed: 3 added, 0 removed, 0 modified.'
        assert (context["security_group_name"], context["trigger"]) == ("web", "backend_sync")
        assert {one["protocol"] for one in context["added_rules"]} == {"tcp"}
        web = scene.one(openstack.securitygroup, name="web").id
        seen = {(row.object_id) for row in scene.rows(logging.feed) if row.event_id == scene.rows(logging.event)[-1].id}
        assert seen >= {web, tenant, site.project}

        site.run(pull_tenant_subresources)
        assert len(told(scene)) == 1

        other = scene.one(openstack.securitygroup, name="other")
        cloud.data[id]["security-groups"][0]["security_group_rules"] = [
            rule("r0"),
            rule("r1", port_range_min=80, port_range_max=80, remote_group_id="other"),
            rule("new"),
        ]
        site.run(pull_tenant_subresources)
        message, context = told(scene)[-1]
        assert message == 'Security group "web" rules changed: 1 added, 1 removed, 1 modified.'
        (modified,) = context["modified_rules"]
        assert modified["old"]["from_port"] == -1
        assert modified["new"]["remote_group_uuid"] == str(other.uuid)
        assert modified["changed_fields"] == ["from_port", "to_port", "remote_group_uuid", "remote_group_name"]
    types = {row.event_type for row in scene.rows(logging.event)}
    assert not {one for one in types if "group_rule_" in one}


def test_older_waldur_tells_each_rule(scene: Scene) -> None:
    site, id = CloudSite(scene), project_id(1)
    with serving_cloud(LoopbackCloud()) as cloud:
        site.tenant(site.cloud(cloud), id)
        cloud.data[id]["security-groups"].append(group("web", rule("r0"), rule("r1")))
        site.run(pull_tenant_subresources)
    types = [row.event_type for row in scene.rows(logging.event)]
    assert (types.count("openstack_security_group_rule_imported"), told(scene)) == (2, [])


@pytest.mark.parametrize("generation", ["8"])
def test_statements_do_not_grow_with_groups(scene: Scene, twin_scene: Scene, generation: str) -> None:
    counts = []
    for own, count in ((scene, 2), (twin_scene, 20)):
        site, id = CloudSite(own), project_id(1)
        with serving_cloud(LoopbackCloud()) as cloud:
            site.tenant(site.cloud(cloud), id)
            cloud.data[id]["security-groups"] += [group(f"g{n}", rule(f"r{n}")) for n in range(count)]
            with counted(Engine) as statements:
                site.run(pull_tenant_subresources)
        assert len(told(own)) == count
        counts.append(len(statements))
    assert counts[0] == counts[1]
