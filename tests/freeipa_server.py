"""A small FreeIPA on loopback: logs in whoever asks, and keeps the users that it is told to make."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs


class FreeIpaServer(ThreadingHTTPServer):
    """``users``: attributes of the users made, by name. ``passwords``: what was given to log in."""

    users: dict[str, dict[str, Any]]
    passwords: list[str]

    @property
    def hostname(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: FreeIpaServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/ipa/session/login_password":
            self.server.passwords += parse_qs(body.decode())["password"]
            self._answer("", {"Set-Cookie": "ipa_session=1"})
        else:
            self._answer(json.dumps(self._call(json.loads(body))))

    def _call(self, call: dict[str, Any]) -> dict[str, Any]:
        (name,), facts = call["params"]
        assert call["method"] == "user_add"
        if name in self.server.users:
            return {"result": None, "error": {"code": 4002, "message": f'user with name "{name}" already exists'}}
        self.server.users[name] = facts
        return {"result": {"result": {"uid": [name]}}, "error": None}

    def _answer(self, text: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(200)
        for name, value in ({"Content-Length": str(len(text)), "Content-Type": "text/json"} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Tests are silent."""


@contextmanager
def freeipa_server() -> Iterator[FreeIpaServer]:
    server = FreeIpaServer(("127.0.0.1", 0), _Handler)
    server.users, server.passwords = {}, []
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
