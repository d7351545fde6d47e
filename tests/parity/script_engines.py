"""Plays the container engines of a case, and checks that they were asked for what the case says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from docker.utils import parse_bytes

from tests.docker_server import Container, Ended, EngineBroken, docker_server
from tests.kubernetes_server import JobEnd, environment_of, kubernetes_server
from waldur_dagster.settings import DEFAULTS

# Those of the site on which the cases were recorded, in whatever version they are played: newer ones have others.
NAME = "WALDUR_MARKETPLACE_SCRIPT.DOCKER_IMAGES"
IMAGES = {NAME: DEFAULTS["WALDUR_MARKETPLACE_SCRIPT"]["DOCKER_IMAGES"]}
CHANGES = ("create_config_map", "create_job", "delete_job", "delete_config_map")


@contextmanager
def script_engines(extra: Any) -> Iterator[dict[str, Any]]:
    """Gives the settings that lead to them."""
    facts = [fact for fact in extra if isinstance(fact, dict)] if isinstance(extra, list) else []
    if runs := [fact for fact in facts if "run" in fact]:
        with _docker(runs) as settings:
            yield settings | IMAGES
    elif any("create_job" in fact for fact in facts):
        with _kubernetes(facts) as settings:
            yield settings | IMAGES
    else:
        yield {}


@contextmanager
def _docker(runs: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    by_resource = {fact["run"]["environment"]["RESOURCE_NAME"]: fact for fact in runs}

    def play(container: Container) -> Ended:
        fact = by_resource[container.environment["RESOURCE_NAME"]]
        failure = fact.get("raises")
        if failure and failure["type"] != "ContainerError":
            raise EngineBroken(failure["type"])
        if failure:
            return Ended(stderr=failure["stderr"].encode(), status=failure["exit_status"])
        return Ended(fact["output"].encode())

    with docker_server(play) as server:
        yield {"WALDUR_MARKETPLACE_SCRIPT.DOCKER_CLIENT": {"base_url": server.url}}
        asked = [_as_run(container, id in server.removed) for id, container in server.containers.items()]
    _compare("Docker", [_wanted_run(fact) for fact in runs], asked)


def _wanted_run(fact: dict[str, Any]) -> dict[str, Any]:
    run = {key: fact["run"][key] for key in ("image", "command", "working_dir", "environment", "remove")}
    (bind,) = fact["run"]["volumes"].values()
    memory = parse_bytes(fact["run"].get("mem_limit", "512m"))  # this program bounds what the site does not
    return run | {"bind": (bind["bind"], bind["mode"]), "memory": memory, "script": fact["script"]}


def _as_run(container: Container, removed: bool) -> dict[str, Any]:
    return {
        "image": container.image,
        "command": container.command,
        "working_dir": container.working_dir,
        "environment": container.environment,
        "remove": removed,
        "bind": container.bind,
        "memory": container.host["Memory"],
        "script": container.script,
    }


@contextmanager
def _kubernetes(facts: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The states and the log that follow a job are its own; the last state is how it ended."""
    ends: dict[str, JobEnd] = {}
    for fact in facts:
        if "create_job" in fact:
            ends[environment_of(fact["create_job"])["RESOURCE_NAME"]] = end = JobEnd()
        elif "read_job_status" in fact:
            end.succeeded = bool(fact["succeeded"])
        elif "read_pod_log" in fact:
            end.log = fact["output"].encode()
    with kubernetes_server(lambda job, _: ends[environment_of(job)["RESOURCE_NAME"]]) as server:
        yield {"WALDUR_MARKETPLACE_SCRIPT.K8S_CONFIG_PATH": server.config}
        asked = [_plain(call, body) for call, body in server.calls]
    wanted = [_plain(call, _body(fact, call)) for fact in facts for call in CHANGES if call in fact]
    _compare("Kubernetes", wanted, asked)


def _body(fact: dict[str, Any], call: str) -> dict[str, Any]:
    if call.startswith("create"):
        return dict(fact[call])
    return {"name": fact[call], "propagationPolicy": fact.get("propagation_policy")}


def _plain(call: str, body: dict[str, Any]) -> dict[str, Any]:
    """A call in the form that is compared: made-up parts of names are hidden, and the environment has no order."""
    if call == "create_job":
        (container,) = body["spec"]["template"]["spec"]["containers"]
        environment = environment_of(body)
        container = {key: value for key, value in container.items() if key not in ("env", "resources")}
        body = {"job": _hidden(str(body["metadata"])), "container": _hidden(str(sorted(container.items())))}
        body["environment"] = {name: _hidden(value) for name, value in environment.items()}
    else:
        body = {key: _hidden(str(value)) for key, value in body.items() if value}
    return {"call": call} | body


def _hidden(text: str) -> str:
    return re.sub(r"(?<=[0-9a-f]{32})-[0-9a-f]{8}", "", text)


def _compare(engine: str, wanted: list[Any], asked: list[Any]) -> None:
    missing = [run for run in wanted if run not in asked]
    surplus = [run for run in asked if run not in wanted]
    assert not missing and not surplus, f"{engine}: not asked for {missing}; asked for {surplus} instead"
