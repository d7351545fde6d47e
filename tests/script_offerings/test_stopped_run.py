"""A run of scripts that is stopped in the middle, in a process of its own."""

from __future__ import annotations

import signal

import pytest

from tests.docker_server import Ended, docker_server
from tests.processes import started, wait_until
from tests.scene import Scene
from tests.script_offerings.scenes import script_offering, script_resource
from waldur_dagster.marketplace.states import ResourceState
from waldur_dagster.schema import marketplace

RUN = """
import sys
import dagster as dg
from tests.dagster.runs import execute
from waldur_dagster.deployment import parse_deployment
settings = {"WALDUR_MARKETPLACE_SCRIPT.DOCKER_CLIENT": {"base_url": sys.argv[2]}}
deployment = parse_deployment(
    {"database": {"url": sys.argv[1]}, "waldur": settings, "script_containers": {"parallel": 2}}
)
execute(deployment, "waldur-marketplace-script-pull-resources", dg.DagsterInstance.ephemeral())
"""


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_ends_its_containers_and_changes_nothing(scene: Scene, stop: signal.Signals) -> None:
    offering, plan = script_offering(scene)
    for number in range(5):
        script_resource(scene, offering, plan, f"job {number}", state=ResourceState.ERRED)
    url = scene.engine.url.render_as_string(hide_password=False)
    with docker_server(lambda _: Ended(status=None)) as server:
        run = started(RUN, url, server.url)
        wait_until(lambda: sum(container.ended is not None for container in server.containers.values()) == 2)
        run.send_signal(stop)
        run.communicate(timeout=30)
        assert (len(server.containers), set(server.removed)) == (2, set(server.containers))
    assert {row.state for row in scene.rows(marketplace.resource)} == {ResourceState.ERRED}
