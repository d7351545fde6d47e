"""A real web server on loopback that keeps the calls of web hooks."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl


@dataclass
class HookServer:
    """``calls``: the JSON bodies, or the fields of forms, in the order in which they came in."""

    url: str = ""
    calls: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def hook_server(status: int = 200, *, hang: float = 0) -> Iterator[HookServer]:
    """Answers with ``status``, after ``hang`` seconds."""
    kept = HookServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            is_form = self.headers["Content-Type"] == "application/x-www-form-urlencoded"
            kept.calls.append(dict(parse_qsl(body.decode())) if is_form else json.loads(body))
            time.sleep(hang)
            with contextlib.suppress(ConnectionError):  # who waited may have gone
                self.send_response(status)
                self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.url = f"http://127.0.0.1:{server.server_port}/"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield kept
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
