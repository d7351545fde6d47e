"""A container engine on loopback: speaks the part of the Docker Engine API that running a script takes."""

from __future__ import annotations

import struct
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.loopback import Routes, serving

STDOUT, STDERR = 1, 2


class EngineBroken(Exception):
    """Raised by what plays a script: the engine cannot run it."""


@dataclass
class Ended:
    """How a script ended; ``status`` None means that it runs until it is killed."""

    stdout: bytes = b""
    stderr: bytes = b""
    status: int | None = 0


@dataclass
class Container:
    """What the engine was asked to run."""

    image: str
    command: list[str]
    working_dir: str
    environment: dict[str, str]
    bind: tuple[str, ...]
    host: dict[str, Any]
    script: str
    ended: Ended | None = None


@dataclass
class DockerServer:
    """``play`` says how a container's script ends. ``removed`` are the ids that are gone, ``fetched`` the images.

    ``volumes`` are folders by the names that the engine knows them by.
    """

    play: Callable[[Container], Ended]
    images: set[str] | None = None
    fetchable: bool = True
    volumes: Mapping[str, Path] = field(default_factory=dict)
    url: str = ""
    containers: dict[str, Container] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    most_at_once: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def version(self, *_: str, **__: Any) -> tuple[int, Any]:
        return 200, {"ApiVersion": "1.43", "MinAPIVersion": "1.24", "Version": "24.0"}

    def create(self, *, body: Any, **_: Any) -> tuple[int, Any]:
        if self.images is not None and body["Image"] not in self.images:
            return 404, {"message": f"No such image: {body['Image']}"}
        source, *bind = body["HostConfig"]["Binds"][0].split(":")
        container = Container(
            body["Image"],
            body["Cmd"],
            body["WorkingDir"],
            dict(pair.split("=", 1) for pair in body["Env"] or ()),
            tuple(bind),
            body["HostConfig"],
            self._script(source, body["Cmd"][-1]).read_text(encoding="utf-8"),
        )
        id = uuid.uuid4().hex
        with self._lock:
            self.containers[id] = container
        return 201, {"Id": id, "Warnings": []}

    def _script(self, source: str, name: str) -> Path:
        return self.volumes[source] / name if source in self.volumes else Path(source)

    def volume(self, name: str, **_: Any) -> tuple[int, Any]:
        if name not in self.volumes:
            return 404, {"message": f"get {name}: no such volume"}
        return 200, {"Name": name, "Driver": "local", "Mountpoint": str(self.volumes[name])}

    def fetch(self, *, query: dict[str, str], **_: Any) -> tuple[int, Any]:
        image = f"{query['fromImage']}:{query['tag']}"
        if not self.fetchable:
            return 404, {"message": f"pull access denied for {image}"}
        self.fetched.append(image)
        assert self.images is not None
        self.images.add(image)
        return 200, b'{"status": "Downloaded"}\r\n'

    def image(self, name: str, **_: Any) -> tuple[int, Any]:
        return 200, {"Id": f"sha256:{uuid.uuid4().hex}", "RepoTags": [name]}

    def start(self, id: str, **_: Any) -> tuple[int, Any]:
        container = self.containers[id]
        with self._lock:
            at_once = len(self.containers) - len(self.removed)
            self.most_at_once = max(self.most_at_once, at_once)
        try:
            container.ended = self.play(container)
        except EngineBroken as error:
            return 500, {"message": str(error)}
        return 204, b""

    def inspect(self, id: str, **_: Any) -> tuple[int, Any]:
        container = self.containers[id]
        status = container.ended.status if container.ended else None
        state = {"Status": "created" if not container.ended else "running" if status is None else "exited"}
        return 200, {"Id": id, "State": state | {"ExitCode": status or 0}, "Config": {"Tty": False}}

    def logs(self, id: str, *, query: dict[str, str], **_: Any) -> tuple[int, Any]:
        ended = self.containers[id].ended or Ended()
        wanted = [(STDOUT, ended.stdout, query["stdout"]), (STDERR, ended.stderr, query["stderr"])]
        return 200, b"".join(
            struct.pack(">BxxxL", stream, len(text)) + text for stream, text, asked in wanted if asked == "1" and text
        )

    def kill(self, id: str, **_: Any) -> tuple[int, Any]:
        self.containers[id].ended = Ended(status=137)
        return 204, b""

    def remove(self, id: str, **_: Any) -> tuple[int, Any]:
        self.removed.append(id)
        return 204, b""


@contextmanager
def docker_server(
    play: Callable[[Container], Ended],
    *,
    images: set[str] | None = None,
    fetchable: bool = True,
    volumes: Mapping[str, Path] | None = None,
) -> Iterator[DockerServer]:
    """``images`` None: the engine has every image."""
    engine = DockerServer(play, images, fetchable, volumes or {})
    one = r"/v[\d.]+/containers/(\w+)"
    routes: Routes = {
        ("GET", "/version"): engine.version,
        ("POST", r"/v[\d.]+/containers/create"): engine.create,
        ("POST", r"/v[\d.]+/images/create"): engine.fetch,
        ("GET", r"/v[\d.]+/images/(.+)/json"): engine.image,
        ("GET", r"/v[\d.]+/volumes/(.+)"): engine.volume,
        ("POST", f"{one}/start"): engine.start,
        ("GET", f"{one}/json"): engine.inspect,
        ("GET", f"{one}/logs"): engine.logs,
        ("POST", f"{one}/kill"): engine.kill,
        ("DELETE", one): engine.remove,
    }
    with serving(routes) as url:
        engine.url = url
        yield engine
