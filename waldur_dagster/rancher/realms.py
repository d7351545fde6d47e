"""The Keycloak realms behind Rancher servers, and the groups that Waldur keeps in them (spec rancher_support 0.7)."""

from __future__ import annotations

import re

from sqlalchemy import literal, select, union_all

from waldur_dagster.clients.keycloak import Keycloak, Realm
from waldur_dagster.schema import rancher
from waldur_dagster.services.providers import Service
from waldur_dagster.visits import Visit
from waldur_dagster.work import Work

MASTER = "master"
# A cluster's or project's own group, and below it a group for each role.
PARENT = re.compile(r"(?P<kind>[cp])_(?P<uuid>[0-9a-f]{32})", re.IGNORECASE)
CHILD = re.compile(r"(?P<kind>[cp])_(?P<uuid>[0-9a-f]{32})_.*", re.IGNORECASE | re.DOTALL)
KINDS = {"c": rancher.cluster, "p": rancher.project}


def realm_of(server: Service) -> Realm | None:
    """The realm that a server's people come from; None where the settings do not name one, with an account."""

    def text(key: str, default: str = "") -> str:
        return str(server.options.get(f"keycloak_{key}") or default)

    if not (text("url") and text("realm") and text("username")):
        return None
    return Realm(
        url=f"{text('url').rstrip('/')}/",
        name=text("realm"),
        user_realm=text("user_realm", MASTER),
        username=text("username"),
        password=text("password"),
        verify=server.options.get("keycloak_ssl_verify") is not False,
    )


def keycloak_at(visiting: Visit, realm: Realm) -> Keycloak:
    """The client of a realm, which all its items share."""
    return visiting.client(realm, lambda: Keycloak(realm).logged_in())


class Known:
    """Which clusters and projects this database has, whatever their state: (kind, uuid as 32 digits)."""

    def __init__(self, work: Work):
        scopes = (select(literal(kind).label("kind"), table.c.uuid) for kind, table in KINDS.items())
        found = work.connection.execute(union_all(*scopes))
        self._scopes = {(kind, uuid.hex) for kind, uuid in found}

    def __contains__(self, name: re.Match[str] | None) -> bool:
        return name is not None and (name["kind"].lower(), name["uuid"].lower()) in self._scopes
