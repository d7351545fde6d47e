"""Scripts in containers of a Docker engine, through Docker's own client library (spec marketplace 0.9)."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound, TLSParameterError
from docker.models.containers import Container
from docker.tls import TLSConfig
from docker.types import LogConfig

from waldur_dagster.clients.containers.engine import (
    Engine,
    EngineFailed,
    EngineUnreachable,
    Limits,
    Script,
    ScriptFailed,
    as_text,
)
from waldur_dagster.clients.containers.settings import DEFAULT_VOLUME, NAME, ScriptSettings, without_password

TIMEOUT = 60  # seconds for one answer of the engine; fetching an image may take longer, but says so as it goes


class DockerEngine(Engine):
    """The engine at DOCKER_CLIENT. A script is bound into its container from a file in DOCKER_SCRIPT_DIR.

    Where DOCKER_VOLUME_NAME names the engine's volume that this folder is, the container gets the volume: an engine
    on the host knows no path of a program that itself runs in a container.
    """

    def __init__(self, settings: ScriptSettings, limits: Limits):
        super().__init__(limits)
        self._folder: str | None = settings.DOCKER_SCRIPT_DIR or None
        if self._folder and not Path(self._folder).is_dir():
            raise EngineFailed(f"{NAME}.DOCKER_SCRIPT_DIR: {self._folder} is no folder here")
        self._volume = settings.DOCKER_VOLUME_NAME if self._folder else ""
        if settings.DOCKER_VOLUME_NAME not in ("", DEFAULT_VOLUME) and not self._folder:
            raise EngineFailed(f"{NAME}.DOCKER_SCRIPT_DIR must say where the volume of DOCKER_VOLUME_NAME is here")
        self._removes: bool = settings.DOCKER_REMOVE_CONTAINER
        self._options = self._bounds() | settings.DOCKER_RUN_OPTIONS
        self._missing: dict[str, str] = {}
        self._fetching = threading.Lock()
        where = dict(settings.DOCKER_CLIENT)
        self._address = settings.address
        if isinstance(where.get("tls"), Mapping):
            where["tls"] = _tls(where["tls"])
        try:
            self._client = docker.DockerClient(**({"timeout": TIMEOUT} | where))
        except (DockerException, requests.RequestException) as error:
            raise self._unreachable(error) from None
        except (TypeError, ValueError) as error:
            raise EngineFailed(f"{NAME}.DOCKER_CLIENT: {error}") from None
        if self._volume:
            with self._failures():  # the engine would make an empty one without a word
                self._client.volumes.get(self._volume)

    def _bounds(self) -> dict[str, Any]:
        """What bounds a container where the site's DOCKER_RUN_OPTIONS do not.

        Of output that is far too much the engine keeps the newest, in two files, so that it cannot fill a disk.
        """
        kept = {"max-size": str(2 * self._limits.output), "max-file": "2"}
        return {
            "mem_limit": f"{self._limits.memory}m",
            "nano_cpus": int(self._limits.cpus * 10**9),
            "log_config": LogConfig(type=LogConfig.types.JSON, config=kept),
        }

    def run(self, script: Script) -> str:
        with tempfile.NamedTemporaryFile("w", prefix="docker", dir=self._folder, encoding="utf-8") as file:
            file.write(script.source)
            file.flush()
            with self._failures(), self._container(script, file.name) as container:
                container.start()
                status = self._patience.until(lambda: _exit_status(container), self._limits.time)
                if status is None:
                    container.kill()
                    raise ScriptFailed(f"the script had not ended after {self._limits.time:g} seconds")
                if status:
                    words = as_text(self._output(container, stdout=False), self._limits.output)
                    raise ScriptFailed(
                        f"Command '{script.command} {self._name(file.name)}' in image '{script.image}' "
                        f"returned non-zero exit status {status}: {words}"
                    )
                return as_text(self._output(container), self._limits.output)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except requests.ConnectionError as error:
            raise self._unreachable(error) from None
        except DockerException as error:  # before requests': the engine's refusals are both
            raise EngineFailed(f"the container engine at {self._address}: {_reason(error)}") from None
        except requests.RequestException as error:
            raise EngineFailed(f"the container engine at {self._address}: {type(error).__name__}") from None

    def _unreachable(self, error: Exception) -> EngineUnreachable:
        return EngineUnreachable(f"the container engine at {self._address} does not answer: {_reason(error)}")

    @contextmanager
    def _container(self, script: Script, file: str) -> Iterator[Container]:
        """A container that has not begun yet; it ends with the block, whatever happens in it."""
        container = self._create(script, file)
        try:
            yield container
        finally:
            try:
                if self._removes:
                    container.remove(force=True)
                elif _exit_status(container) is None:
                    container.kill()
            except (DockerException, requests.RequestException):
                pass  # what happened in the block is what counts

    def _create(self, script: Script, file: str) -> Container:
        options = self._options | {
            "command": [script.command, self._name(file)],
            "working_dir": "/work",
            "volumes": {self._volume or file: {"bind": "/work" if self._volume else "/work/script", "mode": "ro"}},
            "environment": dict(script.environment),
        }
        try:
            try:
                return self._client.containers.create(script.image, **options)
            except ImageNotFound:
                self._fetch(script.image)
                return self._client.containers.create(script.image, **options)
        except (TypeError, ValueError) as error:
            raise EngineFailed(f"{NAME}.DOCKER_RUN_OPTIONS: {error}") from None

    def _name(self, file: str) -> str:
        """The script's name in the container."""
        return Path(file).name if self._volume else "script"

    def _fetch(self, image: str) -> None:
        """Fetch an image, once for all scripts that want it."""
        with self._fetching:
            if image not in self._missing:
                try:
                    self._client.images.pull(image)
                except DockerException as error:
                    self._missing[image] = _reason(error)
            if image in self._missing:
                raise EngineFailed(f"the image {image} cannot be fetched: {self._missing[image]}")

    def _output(self, container: Container, *, stdout: bool = True) -> bytes:
        """What a container printed, read no further than shows that it is too much."""
        output = bytearray()
        for part in container.logs(stdout=stdout, stderr=True, stream=True, follow=False):
            output += part
            if len(output) > self._limits.output:
                break
        return bytes(output)


def _exit_status(container: Container) -> int | None:
    """None while it runs."""
    container.reload()
    state = container.attrs["State"]
    return int(state["ExitCode"]) if state["Status"] in ("exited", "dead") else None


def _tls(files: Mapping[str, Any]) -> TLSConfig:
    try:
        return TLSConfig(**files)
    except (TLSParameterError, TypeError) as error:
        raise EngineFailed(f"{NAME}.DOCKER_CLIENT.tls: {error}") from None


def _reason(error: Exception) -> str:
    """The engine's own words; they are about images, options and addresses."""
    said = error.explanation if isinstance(error, APIError) else None
    return without_password(str(said or error)) or type(error).__name__
