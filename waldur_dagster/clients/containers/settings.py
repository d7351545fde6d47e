"""Waldur's settings of script containers (spec marketplace 0.9)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from waldur_dagster.clients.containers.engine import EngineFailed
from waldur_dagster.settings import DEFAULTS_IN_DATABASE

NAME = "WALDUR_MARKETPLACE_SCRIPT"
# The name that newer versions of Waldur have by default, on sites that use no volume too.
DEFAULT_VOLUME: str = DEFAULTS_IN_DATABASE[NAME]["DOCKER_VOLUME_NAME"]


def _from_json(value: Any) -> Any:
    """What the database keeps as text is JSON."""
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            pass  # the type of the value tells what is wrong
    return value


Options = Annotated[dict[str, Any], BeforeValidator(_from_json)]


class Image(BaseModel):
    """One language of DOCKER_IMAGES."""

    image: str
    command: str


class ScriptSettings(BaseModel):
    """The settings under Waldur's own names; ``K8S_JOB_TIMEOUT`` is in seconds."""

    model_config = ConfigDict(frozen=True)

    SCRIPT_RUN_MODE: str
    DOCKER_CLIENT: Options
    DOCKER_RUN_OPTIONS: Options
    DOCKER_SCRIPT_DIR: str | None
    DOCKER_VOLUME_NAME: str
    DOCKER_REMOVE_CONTAINER: bool
    DOCKER_IMAGES: Options
    K8S_NAMESPACE: str
    K8S_CONFIG_PATH: str
    K8S_JOB_TIMEOUT: Annotated[int, Field(gt=0)]

    @classmethod
    def read(cls, settings: Mapping[str, Any]) -> Self:
        """Raises EngineFailed that names what is wrong, without the values."""
        try:
            return cls.model_validate(settings)
        except ValidationError as error:
            wrong = "; ".join(
                f"{'.'.join(map(str, (NAME, *problem['loc'])))}: {problem['msg']}"
                for problem in error.errors(include_input=False, include_url=False)
            )
            raise EngineFailed(wrong) from None

    @property
    def address(self) -> str:
        """Where the engine is that they choose, for people; without a password, and without asking it.

        Raises EngineFailed when there is no such engine.
        """
        if self.SCRIPT_RUN_MODE == "docker":
            return without_password(str(self.DOCKER_CLIENT.get("base_url", "unix://var/run/docker.sock")))
        if self.SCRIPT_RUN_MODE == "k8s":
            return f"the cluster of {self.K8S_CONFIG_PATH}, namespace {self.K8S_NAMESPACE}"
        raise EngineFailed(f"{NAME}.SCRIPT_RUN_MODE is {self.SCRIPT_RUN_MODE!r}; write docker or k8s")


def without_password(text: str) -> str:
    """A text, in the addresses of which nobody's name and password are left."""
    return re.sub(r"//[^/@\s]*@", "//***@", text)
