"""Running operators' scripts in containers (spec marketplace 0.9)."""

from waldur_dagster.clients.containers.engine import (
    Engine,
    EngineFailed,
    EngineUnreachable,
    Limits,
    Script,
    ScriptFailed,
)
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
    "open_engine",
]


def open_engine(settings: ScriptSettings, limits: Limits) -> Engine:
    """The engine that the site's settings choose.

    Raises EngineFailed when they are wrong, EngineUnreachable when it does not answer.
    """
    _ = settings.address  # there is such an engine
    # The libraries of the engines are large, and a site has one of them at most.
    if settings.SCRIPT_RUN_MODE == "k8s":
        from waldur_dagster.clients.containers.kubernetes import KubernetesEngine

        return KubernetesEngine(settings, limits)
    from waldur_dagster.clients.containers.docker import DockerEngine

    return DockerEngine(settings, limits)
