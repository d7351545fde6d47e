"""Sites whose groups are in Keycloak realms that are played on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.rancher.keycloak_server import LoopbackKeycloak, serving_keycloak
from tests.rancher.rancher_server import LoopbackRancher
from tests.rancher.rancher_site import RancherSite
from tests.scene import Scene
from waldur_dagster.schema import rancher


class Realm:
    """One server with one cluster in a realm; groups are in both, as when Waldur makes them."""

    def __init__(self, site: RancherSite, keycloak: LoopbackKeycloak, name: str = "rancher"):
        self.site, self.keycloak = site, keycloak
        self.settings = site.server(LoopbackRancher(url="http://127.0.0.1:1"), name, **keycloak.options)
        self.cluster = site.cluster(self.settings)

    def group(self, role: str = "cluster-member", *members: str) -> str:
        """A group that is here and there; ``members`` are ids of Keycloak's users. Returns its name."""
        name = self.site.group_name(rancher.cluster, self.cluster, role)
        id = self.keycloak.group(name, *members)
        return self.site.group(rancher.cluster, self.cluster, self.site.role(self.settings, role), id)

    def members(self, name: str) -> list[str]:
        """The names of a group's members in Keycloak."""
        (id,) = (id for id, group in self.keycloak.groups.items() if group["name"] == name)
        return [self.keycloak.users[user]["username"] for user in self.keycloak.members[id]]


@contextmanager
def realm(scene: Scene, **options: Any) -> Iterator[Realm]:
    with serving_keycloak(LoopbackKeycloak(**options)) as keycloak:
        yield Realm(RancherSite(scene), keycloak)
