"""The jobs of roles and Keycloak groups on a Waldur that has none: they say so, ask nobody, and end well."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rancher.keycloak_server import LoopbackKeycloak, serving_keycloak
from tests.rancher.rancher_server import LoopbackRancher, serving_rancher
from tests.rancher.rancher_site import RancherSite, told
from tests.scene import Scene
from waldur_dagster.rancher.bindings import sync_bindings
from waldur_dagster.rancher.keycloak_groups import delete_leftover_groups
from waldur_dagster.rancher.keycloak_memberships import delete_leftover_memberships
from waldur_dagster.rancher.keycloak_users import sync_users
from waldur_dagster.rancher.roles import sync_roles

JOBS = {
    "waldur-rancher-delete-leftover-keycloak-groups": delete_leftover_groups,
    "waldur-rancher-delete-leftover-keycloak-memberships": delete_leftover_memberships,
    "waldur-rancher-sync-keycloak-users": sync_users,
    "waldur-rancher-sync-rancher-group-bindings": sync_bindings,
    "waldur-rancher-sync-rancher-roles": sync_roles,
}


@pytest.mark.parametrize("entry", JOBS)
def test_a_job_without_its_tables_says_so(scene: Scene, caplog: pytest.LogCaptureFixture, entry: str) -> None:
    site = RancherSite(scene)
    do: Any = JOBS[entry]
    with serving_rancher(LoopbackRancher()) as server, serving_keycloak(LoopbackKeycloak()) as keycloak:
        site.cluster(site.server(server, **keycloak.options))
        with caplog.at_level("INFO"):
            assert told(site.run(do, entry)) == ""
    assert server.calls == keycloak.calls == []
    assert "Not applicable to this version of Waldur" in caplog.text
