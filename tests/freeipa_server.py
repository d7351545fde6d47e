"""A small FreeIPA on loopback: accounts, groups and their members, one by one and in batches."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

Fault = Callable[[str, str], "Answer | None"]


@dataclass
class Answer:
    """What is answered instead: a status with a body, after so many seconds, or with ``hang_up`` nothing at all."""

    status: int = 200
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    hang_up: bool = False
    after: float = 0.0


class Refused(Exception):
    def __init__(self, code: int, message: str):
        super().__init__(message)
        self.code = code


class FreeIpaServer(ThreadingHTTPServer):
    """``users``: attributes of the accounts by name; ``groups``: description, member_user, member_group by name.

    ``passwords``: what was given to log in, ``calls``: how often each command came, ``changes``: (command, name) of
    what was changed, ``requests``: how many there were. ``fault`` is asked before every request, with its command
    (``login`` for a login) and its name. ``truncated``: lists are cut off after so many.
    """

    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.users: dict[str, dict[str, Any]] = {}
        self.groups: dict[str, dict[str, Any]] = {}
        self.passwords: list[str] = []
        self.calls: Counter[str] = Counter()
        self.changes: list[tuple[str, str]] = []
        self.requests = 0
        self.fault: Fault = lambda *_: None
        self.truncated: int | None = None
        self.has_batch = True

    @property
    def hostname(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def add_group(self, name: str, description: str, *, users: list[str] = [], groups: list[str] = []) -> None:  # noqa: B006
        self.groups[name.lower()] = {
            "cn": [name.lower()],
            "description": [description],
            "member_user": list(users),
            "member_group": list(groups),
        }

    def answer(self, method: str, params: list[Any]) -> dict[str, Any]:
        (*names,), facts = params
        if method == "batch":
            return {"count": len(names[0]), "results": [self._in_batch(call) for call in names[0]]}
        self.calls[method] += 1
        name = names[0] if names else ""
        result: dict[str, Any] = getattr(self, f"_{method}")(name.lower(), facts)
        if not method.endswith(("_find", "_show")):
            self.changes.append((method, name))
        return result

    def _in_batch(self, call: dict[str, Any]) -> dict[str, Any]:
        try:
            return self.answer(call["method"], call["params"]) | {"error": None}
        except Refused as problem:
            return {"error": str(problem), "error_code": problem.code, "error_name": "Refused"}

    def _user_add(self, name: str, facts: dict[str, Any]) -> dict[str, Any]:
        if name in self.users:
            raise Refused(4002, f'user with name "{name}" already exists')
        self.users[name] = facts
        return {"result": {"uid": [name]}}

    def _user_mod(self, name: str, facts: dict[str, Any]) -> dict[str, Any]:
        known = self._known(self.users, name)
        new = {key: value for key, value in facts.items() if key not in {"all", "raw", "rights", "no_members"}}
        if all(known.get(key) == value for key, value in new.items()):
            raise Refused(4202, "no modifications to be performed")
        known |= new
        return {"result": {"uid": [name]}}

    def _user_show(self, name: str, _: dict[str, Any]) -> dict[str, Any]:
        return {"result": {"uid": [name]} | self._known(self.users, name)}

    def _user_find(self, *_: Any) -> dict[str, Any]:
        return self._list([{"uid": [name]} | facts for name, facts in self.users.items()])

    def _user_enable(self, name: str, _: dict[str, Any]) -> dict[str, Any]:
        self._known(self.users, name)["nsaccountlock"] = False
        return {"result": True}

    def _user_disable(self, name: str, _: dict[str, Any]) -> dict[str, Any]:
        self._known(self.users, name)["nsaccountlock"] = True
        return {"result": True}

    def _group_find(self, *_: Any) -> dict[str, Any]:
        return self._list([{k: v for k, v in group.items() if v} for group in self.groups.values()])

    def _group_show(self, name: str, _: dict[str, Any]) -> dict[str, Any]:
        return {"result": self._known(self.groups, name)}

    def _group_add(self, name: str, facts: dict[str, Any]) -> dict[str, Any]:
        if name in self.groups:
            raise Refused(4002, f'group with name "{name}" already exists')
        self.add_group(name, facts["description"])
        return {"result": self.groups[name]}

    def _group_mod(self, name: str, facts: dict[str, Any]) -> dict[str, Any]:
        self._known(self.groups, name)["description"] = [facts["description"]]
        return {"result": {}}

    def _group_del(self, name: str, _: dict[str, Any]) -> dict[str, Any]:
        self._known(self.groups, name)
        del self.groups[name]
        for group in self.groups.values():
            group["member_group"] = [child for child in group["member_group"] if child != name]
        return {"result": {"failed": []}}

    def _group_add_member(self, name: str, facts: dict[str, Any]) -> dict[str, Any]:
        failed: dict[str, list[Any]] = {"user": [], "group": []}
        for kind, exists in (("user", self.users), ("group", self.groups)):
            there = self._known(self.groups, name)[f"member_{kind}"]
            for member in facts.get(kind) or []:
                if member.lower() not in exists:
                    failed[kind].append([member, "no such entry"])
                elif member.lower() in there:
                    failed[kind].append([member, "This entry is already a member"])
                else:
                    there.append(member.lower())
        return {"result": {}, "failed": {"member": failed}}

    def _group_remove_member(self, name: str, facts: dict[str, Any]) -> dict[str, Any]:
        for kind in ("user", "group"):
            gone = {member.lower() for member in facts.get(kind) or []}
            group = self._known(self.groups, name)
            group[f"member_{kind}"] = [member for member in group[f"member_{kind}"] if member not in gone]
        return {"result": {}, "failed": {"member": {"user": [], "group": []}}}

    def _list(self, entries: list[dict[str, Any]]) -> dict[str, Any]:
        shown = entries[: self.truncated]
        return {"count": len(shown), "truncated": len(shown) < len(entries), "result": shown}

    def _known(self, things: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
        if name not in things:
            raise Refused(4001, f"{name}: not found")
        return things[name]


class _Handler(BaseHTTPRequestHandler):
    server: FreeIpaServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.requests += 1
        login = self.path == "/ipa/session/login_password"
        call: dict[str, Any] = {"method": "login", "params": [[], {}]} if login else json.loads(body)
        names = call["params"][0]
        fault = self.server.fault(call["method"], str(names[0]) if names and call["method"] != "batch" else "")
        if fault is not None:
            time.sleep(fault.after)
            if not fault.hang_up:
                self._answer(fault.body, fault.headers, fault.status)
        elif login:
            self.server.passwords += parse_qs(body.decode())["password"]
            self._answer("", {"Set-Cookie": "ipa_session=1"})
        else:
            self._answer(json.dumps(self._call(call)))

    def _call(self, call: dict[str, Any]) -> dict[str, Any]:
        try:
            if call["method"] == "batch" and not self.server.has_batch:
                raise Refused(905, "unknown command 'batch'")
            return {"result": self.server.answer(call["method"], call["params"]), "error": None}
        except Refused as problem:
            return {"result": None, "error": {"code": problem.code, "message": str(problem), "name": "Refused"}}

    def _answer(self, text: str, headers: dict[str, str] | None = None, status: int = 200) -> None:
        content = text.encode()
        self.send_response(status)
        shown = {"Content-Length": str(len(content)), "Content-Type": "text/json"} | (headers or {})
        for name, value in shown.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Tests are silent."""


@contextmanager
def freeipa_server() -> Iterator[FreeIpaServer]:
    server = FreeIpaServer()
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


if __name__ == "__main__":  # a process of its own, with so many accounts, until its input ends
    with freeipa_server() as served:
        served.users = {f"waldur_u{n}": {"nsaccountlock": False} for n in range(1, int(sys.argv[1]) + 1)}
        print(served.hostname, flush=True)
        for _ in sys.stdin:  # a line asks how many requests there were
            print(served.requests, flush=True)
