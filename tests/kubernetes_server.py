"""A Kubernetes cluster on loopback: speaks the part of its API that running a script as a job takes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.loopback import Routes, serving


@dataclass
class JobEnd:
    """How a job ends; ``succeeded`` None means never, for the reason that its pod waits for."""

    log: bytes = b""
    succeeded: bool | None = True
    phase: str = "Running"
    waits_for: str | None = None


@dataclass
class KubernetesServer:
    """``play`` says how a job ends, given its manifest and its script. ``calls`` are the changing ones, in order."""

    play: Callable[[dict[str, Any], str], JobEnd]
    config: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    config_maps: dict[str, Any] = field(default_factory=dict)
    jobs: dict[str, Any] = field(default_factory=dict)
    looks: Counter[str] = field(default_factory=Counter)

    def create_config_map(self, namespace: str, *, body: Any, **_: Any) -> tuple[int, Any]:
        return self._create("create_config_map", self.config_maps, body)

    def create_job(self, namespace: str, *, body: Any, **_: Any) -> tuple[int, Any]:
        return self._create("create_job", self.jobs, body)

    def _create(self, call: str, kept: dict[str, Any], body: Any) -> tuple[int, Any]:
        name = body["metadata"]["name"]
        if name in kept:
            return 409, {"kind": "Status", "reason": "AlreadyExists", "message": f"{name}: {body}"}
        self.calls.append((call, body))
        kept[name] = body
        return 201, body

    def status(self, namespace: str, name: str, **_: Any) -> tuple[int, Any]:
        end = self._end(name)
        self.looks[name] += 1
        runs = end.succeeded is None or self.looks[name] == 1  # a look at the pod comes first
        counts = {} if runs else {"succeeded": 1} if end.succeeded else {"failed": 1}
        return 200, self.jobs[name] | {"status": counts}

    def pods(self, namespace: str, *, query: dict[str, str], **_: Any) -> tuple[int, Any]:
        job = query["labelSelector"].removeprefix("job-name=")
        container = {"name": "runner", "image": "image", "imageID": "", "ready": False, "restartCount": 0}
        if reason := self._end(job).waits_for:
            container["state"] = {"waiting": {"reason": reason}}
        pod = {
            "metadata": {"name": f"pod-of-{job}"},
            "status": {"phase": self._end(job).phase, "containerStatuses": [container]},
        }
        return 200, {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": [pod]}

    def log(self, namespace: str, job: str, *, query: dict[str, str], **_: Any) -> tuple[int, Any]:
        return 200, self._end(job).log[: int(query["limitBytes"])]

    def _end(self, job: str) -> JobEnd:
        script = self.config_maps[job.replace("job-", "script-", 1)]["data"]["script"]
        return self.play(self.jobs[job], script)

    def delete_job(self, namespace: str, name: str, *, query: dict[str, str], **_: Any) -> tuple[int, Any]:
        self.calls.append(("delete_job", {"name": name} | query))
        return self._delete(self.jobs, name)

    def delete_config_map(self, namespace: str, name: str, **_: Any) -> tuple[int, Any]:
        self.calls.append(("delete_config_map", {"name": name}))
        return self._delete(self.config_maps, name)

    def _delete(self, kept: dict[str, Any], name: str) -> tuple[int, Any]:
        del kept[name]
        return 200, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}


def environment_of(job: dict[str, Any]) -> dict[str, str]:
    """What the runner of a job's manifest is told."""
    (container,) = job["spec"]["template"]["spec"]["containers"]
    return {variable["name"]: variable.get("value", "") for variable in container["env"]}


@contextmanager
def kubernetes_server(play: Callable[[dict[str, Any], str], JobEnd]) -> Iterator[KubernetesServer]:
    """``config`` is the path of a configuration that leads to it."""
    cluster = KubernetesServer(play)
    core, batch = r"/api/v1/namespaces/(\w+)", r"/apis/batch/v1/namespaces/(\w+)"
    routes: Routes = {
        ("GET", "/version/"): lambda **_: (200, VERSION),
        ("POST", f"{core}/configmaps"): cluster.create_config_map,
        ("POST", f"{batch}/jobs"): cluster.create_job,
        ("GET", f"{batch}/jobs/([^/]+)/status"): cluster.status,
        ("GET", f"{core}/pods"): cluster.pods,
        ("GET", f"{core}/pods/pod-of-([^/]+)/log"): cluster.log,
        ("DELETE", f"{batch}/jobs/([^/]+)"): cluster.delete_job,
        ("DELETE", f"{core}/configmaps/([^/]+)"): cluster.delete_config_map,
    }
    with serving(routes) as url, TemporaryDirectory() as folder:
        config = Path(folder) / "config"
        config.write_text(json.dumps(_kube_config(url)))
        cluster.config = str(config)
        yield cluster


VERSION = dict.fromkeys(
    ("buildDate", "compiler", "gitCommit", "gitTreeState", "gitVersion", "goVersion", "major", "minor", "platform"), "1"
)


def _kube_config(url: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "loopback", "cluster": {"server": url}}],
        "users": [{"name": "nobody", "user": {}}],
        "contexts": [{"name": "loopback", "context": {"cluster": "loopback", "user": "nobody"}}],
        "current-context": "loopback",
    }
