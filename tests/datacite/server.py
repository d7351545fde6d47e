"""DataCite on loopback: records by DOI, what is wrong with some of them, and the calls that were made."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import unquote

REPOSITORY, PASSWORD = "ABC.DEF", "geheim-7"
OWNER = "Basic " + base64.b64encode(f"{REPOSITORY}:{PASSWORD}".encode()).decode()
# Answers in the place of the usual one: a status, a type of content and a body; None hangs up.
Wrong = tuple[int, str, str] | None


@dataclass
class DataCiteServer:
    """``records`` by DOI are attributes; ``wrong`` by method and DOI are answers, the last of which stays."""

    url: str
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    wrong: dict[tuple[str, str], list[Wrong]] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    before_answer: Callable[[str], None] = lambda _: None

    def settings(self, **changed: Any) -> dict[str, Any]:
        facts = {"API_URL": self.url, "REPOSITORY_ID": REPOSITORY, "PASSWORD": PASSWORD, "PREFIX": "10.5072"}
        return {"WALDUR_PID": {"DATACITE": facts | changed}}

    def called(self, method: str) -> list[str]:
        return [doi for called, doi in self.calls if called == method]


@contextmanager
def datacite_server() -> Iterator[DataCiteServer]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def answer(self) -> None:
            doi = unquote(self.path.removeprefix("/dois/"))
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kept.calls.append((self.command, doi))
            kept.before_answer(doi)
            if planned := kept.wrong.get((self.command, doi)):
                wrong = planned.pop(0) if len(planned) > 1 else planned[0]
                if wrong is None:
                    self.close_connection = True
                    return
                self.send(*wrong)
            elif self.command == "PUT":
                owns = self.headers["Authorization"] == OWNER
                if owns:
                    attributes = json.loads(sent)["data"]["attributes"]
                    kept.records.setdefault(doi, {}).update(attributes | {"state": "findable"})
                self.send(200 if owns else 401, "application/json", "{}")
            elif record := kept.records.get(doi):
                self.send(200, "application/vnd.api+json", json.dumps({"data": {"id": doi, "attributes": record}}))
            else:
                self.send(404, "application/json", "{}")

        def send(self, status: int, kind: str, body: str) -> None:
            content = body.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = answer  # noqa: N815  names that the library wants

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept = DataCiteServer(f"http://127.0.0.1:{server.server_port}/dois")
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield kept
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
