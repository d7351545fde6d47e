"""Azure's login and resource manager on loopback: locations with sizes, zones and images, in pages, and faults."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.loopback import Routes, serving

SECRET = "geheim-azure"
TENANT, SUBSCRIPTION = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
OPTIONS = {"tenant_id": TENANT, "client_id": "app", "client_secret": SECRET, "subscription_id": SUBSCRIPTION}
COMPUTE = "providers/Microsoft.Compute/locations"
Fault = Callable[[str], "tuple[int, Any] | None"]


@dataclass
class LoopbackAzure:
    """``sizes`` by location, each with its zones; ``images``: versions by location, of one offer of Debian."""

    locations: dict[str, str] = field(default_factory=lambda: {"westeurope": "West Europe", "europe": "Europe"})
    sizes: dict[str, dict[str, list[str]]] = field(default_factory=lambda: {"westeurope": {"A1": ["1", "2"]}})
    images: dict[str, list[str]] = field(default_factory=lambda: {"westeurope": ["1.0"]})
    secret: str = SECRET
    page: int = 100
    next: str = ""  # where pages link to, instead of here
    fault: Fault = lambda _: None
    calls: list[str] = field(default_factory=list)
    url: str = ""

    def login(self, *, body: Any, **_: Any) -> tuple[int, Any]:
        if body["client_secret"] != self.secret:
            return 401, {"error": "invalid_client", "error_description": f"AADSTS7000215: not {body['client_secret']}"}
        return 200, {"token_type": "Bearer", "expires_in": 3599, "access_token": "token-azure"}

    def issuer(self, **_: Any) -> tuple[int, Any]:
        tenant = f"{self.url}/{TENANT}"
        return 200, {
            "issuer": f"{tenant}/v2.0",
            "token_endpoint": f"{tenant}/oauth2/v2.0/token",
            "authorization_endpoint": f"{tenant}/oauth2/v2.0/authorize",
        }

    def answer(self, path: str, *, query: dict[str, str], headers: Any, **_: Any) -> tuple[int, Any]:
        self.calls.append(path)
        if headers["Authorization"] != "Bearer token-azure":
            return 401, {"error": {"code": "AuthenticationFailed", "message": "no"}}
        if broken := self.fault(path):
            return broken
        if path == "locations":
            return self._paged(path, query, [_location(id, name) for id, name in self.locations.items()])
        if path == "providers/Microsoft.Resources":
            return 200, {"resourceTypes": [{"resourceType": "resourceGroups", "locations": ["West Europe"]}]}
        if path == "providers/Microsoft.Compute/skus":
            place = query["$filter"].split("'")[1]
            return self._paged(path, query, [_sku(name, place, z) for name, z in self.sizes.get(place, {}).items()])
        place, rest = path.removeprefix(f"{COMPUTE}/").split("/", 1)
        if place not in self.sizes:
            words = f"No registered resource provider found for location '{place}'"
            return 400, {"error": {"code": "NoRegisteredProviderFound", "message": words}}
        if rest == "vmSizes":
            return self._paged(path, query, [_size(name) for name in self.sizes[place]])
        return self._images(place, rest.removeprefix("publishers/"))

    def _images(self, place: str, path: str) -> tuple[int, Any]:
        publisher, *_, last = path.split("/")
        if publisher != "Debian":
            return 404, {"error": {"code": "NotFound", "message": f"{publisher} is not here"}}
        names = {"offers": ["debian-12"], "skus": ["12"], "versions": self.images.get(place, [])}[last]
        return 200, [{"name": name, "id": f"/images/{place}/{path}/{name}"} for name in names]

    def _paged(self, path: str, query: dict[str, str], items: list[Any]) -> tuple[int, Any]:
        start = int(query.get("$skip", 0))
        answer: dict[str, Any] = {"value": items[start : start + self.page]}
        if start + self.page < len(items):
            kept = "".join(f"&{name}={value}" for name, value in query.items() if name != "$skip")
            home = self.next or self.url
            answer["nextLink"] = f"{home}/subscriptions/{SUBSCRIPTION}/{path}?$skip={start + self.page}{kept}"
        return 200, answer


@contextmanager
def serving_azure(azure: LoopbackAzure, tls: ssl.SSLContext) -> Iterator[LoopbackAzure]:
    routes: Routes = {
        ("GET", rf"/{TENANT}/v2.0/.well-known/openid-configuration"): azure.issuer,
        ("POST", rf"/{TENANT}/oauth2/v2.0/token"): azure.login,
        ("GET", rf"/subscriptions/{SUBSCRIPTION}/(.*)"): azure.answer,
    }
    with serving(routes, tls=tls) as url:
        azure.url = url
        yield azure


def _location(id: str, name: str) -> dict[str, Any]:
    if id == "europe":
        return {"name": id, "displayName": name, "metadata": {"regionType": "Logical"}}
    return {"name": id, "displayName": name, "metadata": {"latitude": "52.3667", "longitude": "4.9"}}


def _size(name: str) -> dict[str, Any]:
    disks = {"maxDataDiskCount": 2, "osDiskSizeInMB": 1047552, "resourceDiskSizeInMB": 10240}
    return {"name": name, "numberOfCores": 1, "memoryInMB": 2048, **disks}


def _sku(name: str, place: str, zones: list[str]) -> dict[str, Any]:
    where = {"location": place.title(), "zones": zones}
    return {"resourceType": "virtualMachines", "name": name, "locations": [place], "locationInfo": [where]}
