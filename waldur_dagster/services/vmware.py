"""VMware vCenter over its REST API (spec openstack, pull-service-properties)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table, func

from waldur_dagster.clients.failures import ItemFailed
from waldur_dagster.clients.json_api import JsonApi
from waldur_dagster.clients.listing import items_of
from waldur_dagster.platform.merge import Merge
from waldur_dagster.schema import vmware
from waldur_dagster.services.providers import Service
from waldur_dagster.visits import Visit
from waldur_dagster.work import Work

BASIC_MODE = "BASIC_MODE"
MIB = 2**20


def fetch_properties(visiting: Visit, service: Service, facts: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Folders, templates, clusters, networks and datastores. The session ends with the visit."""
    api = visiting.client("api", lambda: _logged_in(service))
    basic = bool(facts["settings"].get("WALDUR_VMWARE", {}).get(BASIC_MODE))
    return {
        "folder": _listed(api, "vcenter/folder", "folder", **{"filter.type": "VIRTUAL_MACHINE"}),
        "template": _templates(api, basic),
        "cluster": _listed(api, "vcenter/cluster", "cluster"),
        "network": _listed(api, "vcenter/network", "network", "type"),
        "datastore": [
            row | {"capacity": _mib(row["capacity"]), "free_space": _mib(row["free_space"])}
            for row in _listed(api, "vcenter/datastore", "datastore", "type", "capacity", "free_space")
        ],
    }


def merge_properties(work: Work, service: Service, pulled: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Rows by the provider's ids: inserted, updated, deleted. The types of known networks and datastores stay."""
    tables: dict[str, tuple[Table, tuple[str, ...]]] = {
        "folder": (vmware.folder, ()),
        "template": (vmware.template, ()),
        "cluster": (vmware.cluster, ()),
        "network": (vmware.network, ("type",)),
        "datastore": (vmware.datastore, ("type",)),
    }
    for kind, (table, only_new) in tables.items():
        rows = pulled[kind]
        columns = [name for name in (rows[0] if rows else {}) if name != "backend_id"]
        made = Merge(work, table, rows, key=["backend_id"], columns=columns, scope=table.c.settings_id == service.id)
        made.delete(made.stale())
        if rows:
            made.update([name for name in columns if name not in only_new])
            values = {name: made.pulled.c[name] for name in ("backend_id", *columns)}
            made.insert(values | {"uuid": func.gen_random_uuid(), "settings_id": service.id})


class _Session(JsonApi):
    """A vCenter session, which is ended when the client is closed."""

    def close(self) -> None:
        try:
            self.ask("DELETE", "com/vmware/cis/session")
        finally:
            super().close()


def _logged_in(service: Service) -> JsonApi:
    url = f"{service.url.rstrip('/')}/rest"
    verify = bool(service.options.get("verify_ssl", False))
    secrets = [service.password]
    with JsonApi(url, auth=(service.username, service.password), verify=verify, secrets=secrets) as login:
        token = login.json(login.ask("POST", "com/vmware/cis/session"))["value"]
    return _Session(url, headers={"vmware-api-session-id": token}, verify=verify, secrets=[*secrets, token])


def _listed(api: JsonApi, path: str, key: str, *columns: str, **parameters: str) -> list[dict[str, Any]]:
    """A list of vCenter, which gives all or refuses: it has no pages."""
    documents = items_of(api.get(path, **parameters), "value")
    return [
        {"backend_id": document[key], "name": document["name"][:150], **{name: document[name] for name in columns}}
        for document in documents
    ]


def _templates(api: JsonApi, basic: bool) -> list[dict[str, Any]]:
    found = []
    for library in _names(api.get("com/vmware/content/library")):
        for item in _names(api.get("com/vmware/content/library/item", library_id=library)):
            document = api.get(f"com/vmware/content/library/item/id:{item}")["value"]
            if document["type"] == "vm-template":
                facts = api.get(f"vcenter/vm-template/library-items/{document['id']}")["value"]
                if not basic or len(facts["nics"]) == 1:
                    found.append(_template(document, facts))
    return found


def _template(document: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "backend_id": document["id"],
        "name": document["name"][:150],
        "description": (document.get("description") or "")[:2000],
        "guest_os": facts["guest_OS"][:50],
        "cores": facts["cpu"]["count"],
        "cores_per_socket": facts["cpu"]["cores_per_socket"],
        "ram": facts["memory"]["size_MiB"],
        "disk": sum(disk["value"]["capacity"] for disk in facts["disks"]) // MIB,
        "created": document["creation_time"],
        "modified": document["last_modified_time"],
    }


def _names(answer: Any) -> list[str]:
    names = answer.get("value") if isinstance(answer, dict) else None
    if not isinstance(names, list):
        raise ItemFailed("vCenter answered with no list")
    return [str(name) for name in names]


def _mib(size: int | None) -> int | None:
    return None if size is None else size // MIB
