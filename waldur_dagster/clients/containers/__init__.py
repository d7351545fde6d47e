"""Running operators' scripts in containers (spec marketplace 0.9)."""

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
from waldur_dagster.clients.containers.settings import NAME, Image, ScriptSettings

__all__ = [
    "NAME",
    "Engine",
    "EngineFailed",
    "EngineUnreachable",
    "Image",
    "Limits",
    "Script",
    "ScriptFailed",
    "ScriptSettings",
    "engine_address",
    "open_engine",
]

ENGINES: dict[str, type[DockerEngine] | type[KubernetesEngine]] = {"docker": DockerEngine, "k8s": KubernetesEngine}


def open_engine(settings: ScriptSettings, limits: Limits) -> Engine:
    """The engine that the site's settings choose.

    Raises EngineFailed when they are wrong, EngineUnreachable when it does not answer.
    """
    return _engine(settings)(settings, limits)


def engine_address(settings: ScriptSettings) -> str:
    """Where that engine is, for people; without a password, and without asking it. Raises EngineFailed."""
    return _engine(settings).address(settings)


def _engine(settings: ScriptSettings) -> type[DockerEngine] | type[KubernetesEngine]:
    mode = settings.SCRIPT_RUN_MODE
    if mode not in ENGINES:
        raise EngineFailed(f"{NAME}.SCRIPT_RUN_MODE is {mode!r}; write docker or k8s")
    return ENGINES[mode]
