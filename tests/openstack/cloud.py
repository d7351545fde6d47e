"""A small OpenStack cloud on loopback: keystone, nova, cinder, neutron and glance, with pages, links and policies.

It answers as the real services do where that matters here (what a tenant may ask, how lists are paged, what becomes of
a snapshot), and breaks as a test wants it to.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

ADMIN = "ad" * 16
PASSWORD = "geheim-cloud"
Answer = tuple[int, Any]
# Given method, path and query: an answer instead of the cloud's own, or None.
Fault = Callable[[str, str, dict[str, str]], Answer | None]
NEUTRON = {"networks", "subnets", "routers", "ports", "floatingips", "security-groups"}
LINKED = {"servers", "flavors", "volumes", "snapshots", *NEUTRON}
UNAUTHORIZED = {"error": {"code": 401, "title": "Unauthorized", "message": "The request requires authentication."}}
BUSY = "Invalid snapshot: Snapshot status must be available or error and must not be part of a group."


class HangUp(Exception):
    """Close the connection without a word."""


def _kinds() -> dict[str, list[dict[str, Any]]]:
    return defaultdict(list)


@dataclass
class LoopbackCloud:
    """``data``: documents by project and kind, under the services' own names."""

    data: dict[str, dict[str, list[dict[str, Any]]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    page: int = 1000
    pause: float = 0.0  # seconds before each answer
    reads_until_gone: int = 1
    fault: Fault = lambda *_: None
    password: str = PASSWORD
    url: str = ""
    calls: Counter[str] = field(default_factory=Counter)
    deleted: list[str] = field(default_factory=list)
    tokens: dict[str, str] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    def answer(
        self, method: str, path: str, query: dict[str, str], headers: Any, body: Any
    ) -> tuple[int, Any, dict[str, str]]:
        if self.pause:
            time.sleep(self.pause)
        with self.lock:
            self.calls[f"{method} {re.sub(r'[0-9a-f-]{20,}|id-[^/]+', '*', path)}"] += 1
            broken = self.fault(method, path, query)
            if broken is not None:
                return (*broken, {})
            if path.rstrip("/") in ("/keystone/v3", "/nova/v2.1", "/glance", "/neutron"):
                return (*self._version(path.strip("/").split("/")[0]), {})
            if path == "/keystone/v3/auth/tokens":
                return self._login(body)
            project = self.tokens.get(headers.get("X-Auth-Token", ""))
            if project is None:
                return 401, UNAUTHORIZED, {}
            _, service, *rest = path.split("/")
            return (*getattr(self, f"_{service}")(method, "/".join(rest), query, project), {})

    def _version(self, service: str) -> Answer:
        if service == "keystone":
            return 200, {"version": {"id": "v3.14", "status": "stable", "links": [_self(f"{self.url}/keystone/v3/")]}}
        if service == "nova":
            known = {"id": "v2.1", "status": "CURRENT", "version": "2.104", "min_version": "2.1"}
            return 200, {"version": known | {"links": [_self(f"{self.url}/nova/v2.1/")]}}
        if service == "glance":
            return 300, {"versions": [{"id": "v2.9", "status": "CURRENT", "links": [_self(f"{self.url}/glance/v2/")]}]}
        return 200, {"versions": [{"id": "v2.0", "status": "CURRENT", "links": [_self(f"{self.url}/neutron/v2.0/")]}]}

    def _login(self, body: Any) -> tuple[int, Any, dict[str, str]]:
        scope = body["auth"]["scope"]["project"]
        project = scope.get("id") or ADMIN
        user = body["auth"]["identity"]["password"]["user"]
        if user["password"] != self.password or project not in {*self.data, ADMIN}:
            return 401, UNAUTHORIZED, {}
        token = f"token-{project}-{len(self.tokens)}"
        self.tokens[token] = project
        catalog = {
            "identity": "keystone/v3",
            "compute": "nova/v2.1",
            "volumev3": f"cinder/v3/{project}",
            "network": "neutron",
            "image": "glance",
        }
        known = {
            "methods": ["password"],
            "expires_at": "2095-01-01T00:00:00.000000Z",
            "issued_at": "2025-01-01T00:00:00.000000Z",
            "user": {"id": "user", "name": user["name"], "domain": {"id": "default", "name": "Default"}},
            "project": {"id": project, "name": project, "domain": {"id": "default", "name": "Default"}},
            "roles": [{"id": "role", "name": "member"}],
            "catalog": [
                {
                    "type": kind,
                    "name": kind,
                    "id": kind,
                    "endpoints": [
                        {"id": kind, "interface": "public", "region_id": "R", "url": f"{self.url}/{address}"}
                    ],
                }
                for kind, address in catalog.items()
            ],
        }
        return 201, {"token": known}, {"X-Subject-Token": token}

    def _keystone(self, _: str, path: str, query: dict[str, str], project: str) -> Answer:
        if project != ADMIN:
            return 403, {"error": {"code": 403, "message": "You are not authorized."}}
        if path == "v3/domains":
            return 200, {"domains": [{"id": "default", "name": "Default"}], "links": {"next": None}}
        projects = [{"id": id, "name": f"name-{id}", "description": ""} for id in sorted({*self.data, ADMIN})]
        shown = self._part(projects, query)
        return 200, {"projects": shown, "links": {"next": None}}

    def _nova(self, _: str, path: str, query: dict[str, str], project: str) -> Answer:
        path = path.removeprefix("v2.1/")
        if path == "servers/detail":
            if "all_tenants" in query and project != ADMIN:
                return 403, {"forbidden": {"code": 403, "message": "Policy doesn't allow all_tenants."}}
            return self._linked("servers", self.data[query.get("project_id", project)]["servers"], query)
        if match := re.fullmatch(r"servers/([^/]+)/os-security-groups", path):
            return 200, {"security_groups": [{"id": f"sg-{project[:4]}"}]}
        if match := re.fullmatch(r"flavors/([^/]+)", path):
            if match[1] != "detail":
                return 404, {"itemNotFound": {"code": 404, "message": f"Flavor {match[1]} could not be found."}}
            return self._linked("flavors", self.data[project]["flavors"], query)
        if path == "os-availability-zone":
            return 200, {"availabilityZoneInfo": [{"zoneName": "az-1", "zoneState": {"available": True}}]}
        if path == "os-server-groups":
            found = self.data[project]["server_groups"][int(query.get("offset", 0)) :]
            return 200, {"server_groups": found[: min(self.page, int(query.get("limit", self.page)))]}
        if path == "os-hypervisors/statistics":
            figures = {"vcpus": 128, "memory_mb": 4096, "vcpus_used": 5, "memory_mb_used": 1024}
            return (200, {"hypervisor_statistics": figures}) if project == ADMIN else (403, {})
        if match := re.fullmatch(r"os-quota-sets/([^/]+)(/detail)?", path):
            return 200, {"quota_set": _quota(("ram", "cores", "instances"), "in_use", used=bool(match[2]))}
        return _missing(path)

    def _cinder(self, method: str, path: str, query: dict[str, str], project: str) -> Answer:
        _, own, path = path.split("/", 2)
        if own != project:
            return 400, {"badRequest": {"code": 400, "message": "Malformed request url"}}
        if match := re.fullmatch(r"(volumes|snapshots)/detail", path):
            owners = list(self.data) if "all_tenants" in query and project == ADMIN else [project]
            return self._linked(match[1], [d for owner in owners for d in self.data[owner][match[1]]], query)
        if match := re.fullmatch(r"snapshots/([^/]+)", path):
            return self._snapshot(method, match[1], project)
        if path == "types":
            found = self._part(self.data[project]["volume_types"], query)
            return 200, {"volume_types": found}
        if path == "extensions":
            return 200, {"extensions": [{"name": "AvailabilityZones"}]}
        if path == "os-availability-zone":
            return 200, {"availabilityZoneInfo": [{"zoneName": "vaz-1", "zoneState": {"available": True}}]}
        if match := re.fullmatch(r"os-quota-sets/([^/]+)", path):
            names = ("gigabytes", "volumes", "snapshots", "gigabytes_ssd")
            return 200, {"quota_set": _quota(names, "in_use", used=query.get("usage") == "True")}
        return _missing(path)

    def _snapshot(self, method: str, id: str, project: str) -> Answer:
        found = next((s for s in self.data[project]["snapshots"] if s["id"] == id), None)
        if found is None:
            return 404, {"itemNotFound": {"code": 404, "message": f"Snapshot {id} could not be found."}}
        if method == "DELETE":
            if found["status"] not in ("available", "error"):
                return 400, {"badRequest": {"code": 400, "message": BUSY}}
            self.deleted.append(id)
            found |= {"status": "deleting", "left": self.reads_until_gone}
            return 202, b""
        if found["status"] == "deleting":
            found["left"] -= 1
            if found["left"] < 0:
                self.data[project]["snapshots"].remove(found)
                return self._snapshot(method, id, project)
        return 200, {"snapshot": found}

    def _neutron(self, _: str, path: str, query: dict[str, str], project: str) -> Answer:
        path = path.removeprefix("v2.0/")
        if match := re.fullmatch(r"quotas/([^/]+)(/details)?", path):
            names = ("security_group", "security_group_rule", "floatingip", "port", "network", "subnet")
            return 200, {"quota": _quota(names, "used", used=bool(match[2]))}
        if path not in NEUTRON:
            return _missing(path)
        owner = query.get("tenant_id", project)
        found = self.data[owner][path] if project in (owner, ADMIN) else []
        if "device_id" in query:
            found = [document for document in found if document["device_id"] == query["device_id"]]
        if "fields" in query:
            shown = query["fields"].split(",")
            found = [{name: value for name, value in document.items() if name in shown} for document in found]
        return self._linked(path.replace("-", "_"), found, query)

    def _glance(self, _: str, path: str, query: dict[str, str], project: str) -> Answer:
        found = self.data[project]["images"]
        part = self._part(found, query)
        more = {"next": f"/v2/images?marker={part[-1]['id']}"} if part and part[-1] is not found[-1] else {}
        return 200, {"images": part} | more

    def _part(self, found: list[dict[str, Any]], query: dict[str, str]) -> list[dict[str, Any]]:
        ids = [document["id"] for document in found]
        start = ids.index(query["marker"]) + 1 if query.get("marker") in ids else 0
        return found[start : start + min(self.page, int(query.get("limit", self.page)))]

    def _linked(self, key: str, found: list[dict[str, Any]], query: dict[str, str]) -> Answer:
        part = self._part(found, query)
        more = part and part[-1] is not found[-1]
        links = {f"{key}_links": [{"rel": "next", "href": "http://elsewhere.example.com/"}]}
        return 200, {key: part} | (links if more else {})


def _quota(names: tuple[str, ...], key: str, *, used: bool) -> dict[str, Any]:
    return {name: {"limit": 100, key: 7} if used else 100 for name in names}


def _self(url: str) -> dict[str, str]:
    return {"rel": "self", "href": url}


def _missing(path: str) -> Answer:
    return 404, {"itemNotFound": {"code": 404, "message": f"nothing at {path}"}}


@contextmanager
def serving_cloud(cloud: LoopbackCloud) -> Iterator[LoopbackCloud]:
    """Serve a cloud; its keystone is at ``{cloud.url}/keystone/v3``."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def reply(self) -> None:
            parts = urlsplit(self.path)
            query = {name: ",".join(values) for name, values in parse_qs(parts.query).items()}
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            try:
                answer = cloud.answer(self.command, parts.path, query, self.headers, json.loads(body or "null"))
                status, value, headers = answer
                content = value if isinstance(value, bytes) else json.dumps(value).encode()
                self.send_response(status)
                for name, text in headers.items():
                    self.send_header(name, text)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except (HangUp, ConnectionError):
                self.close_connection = True

        do_GET = do_POST = do_DELETE = reply  # noqa: N815  names that the library wants

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    cloud.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield cloud
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
