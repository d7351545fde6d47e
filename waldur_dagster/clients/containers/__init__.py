"""Running operators' scripts in containers (spec marketplace 0.9)."""

from collections.abc import Mapping
from typing import Any

from waldur_dagster.clients.containers.docker import DockerEngine
from waldur_dagster.clients.containers.engine import (
    Engine,
    EngineFailed,
    EngineUnreachable,
    Limits,
    Script,
    ScriptFailed,
)
from waldur_dagster.clients.containers.kubernetes import KubernetesEngine

__all__ = [
    "Engine",
    "EngineFailed",
    "EngineUnreachable",
    "Limits",
    "Script",
    "ScriptFailed",
    "engine_address",
    "open_engine",
]

ENGINES: dict[str, type[DockerEngine] | type[KubernetesEngine]] = {"docker": DockerEngine, "k8s": KubernetesEngine}


def open_engine(settings: Mapping[str, Any], limits: Limits) -> Engine:
    """The engine that the site's settings WALDUR_MARKETPLACE_SCRIPT choose.

    Raises EngineFailed when they are wrong, EngineUnreachable when it does not answer.
    """
    return _engine(settings)(settings, limits)


def engine_address(settings: Mapping[str, Any]) -> str:
    """Where that engine is, for people; without a password, and without asking it."""
    try:
        return _engine(settings).address(settings)
    except EngineFailed as problem:
        return str(problem)


def _engine(settings: Mapping[str, Any]) -> type[DockerEngine] | type[KubernetesEngine]:
    mode = settings["SCRIPT_RUN_MODE"]
    if mode not in ENGINES:
        raise EngineFailed(f"WALDUR_MARKETPLACE_SCRIPT.SCRIPT_RUN_MODE is {mode!r}; write docker or k8s")
    return ENGINES[mode]
