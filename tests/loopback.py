"""Web servers on loopback that play outside systems."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

# Given the matches of the path, the query, the body, which is JSON or a form, and the headers; returns a status, a
# body, which is bytes or what JSON holds, and where it has some its headers.
Answer = Callable[..., tuple[Any, ...]]
Routes = dict[tuple[str, str], Answer]


@contextmanager
def serving(routes: Routes, *, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """The address of a server that answers what ``routes`` say: ``{(method, pattern of the path): answer}``."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else headers and body, written one after the other, cost 40 ms

        def answer(self) -> None:
            parts = urlsplit(self.path)
            try:
                found = self._find(parts.path, dict(parse_qsl(parts.query, keep_blank_values=True)), self._sent())
                status, body, headers = (*found, {})[:3]
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                kind = "application/octet-stream" if content is body else "application/json"
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)
            except ConnectionError:  # the client has gone, or the answer is to hang up without a word
                self.close_connection = True

        def _sent(self) -> Any:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if (self.headers["Content-Type"] or "").startswith("application/x-www-form-urlencoded"):
                return dict(parse_qsl(body.decode()))
            return json.loads(body or "{}")

        def _find(self, path: str, query: dict[str, str], body: Any) -> tuple[Any, ...]:
            for (method, pattern), answer in routes.items():
                if method == self.command and (match := re.fullmatch(pattern, path)):
                    return answer(*match.groups(), query=query, body=body, headers=self.headers)
            return 404, {"message": f"no route for {self.command} {path}"}

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = answer  # noqa: N815  names that the library wants

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
