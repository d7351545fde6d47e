"""Scripts as jobs of a Kubernetes cluster."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.kubernetes_server import JobEnd, KubernetesServer, environment_of, kubernetes_server
from tests.scene import Scene
from tests.script_offerings.scenes import job, pull_from, resource_named, script_offering, script_resource
from waldur_dagster.marketplace.states import ResourceState
from waldur_dagster.outcome import Outcome
from waldur_dagster.schema import marketplace

OK, ERRED = ResourceState.OK, ResourceState.ERRED
REPORT = base64.b64encode(json.dumps({"report": [{"header": "H", "body": "B"}]}).encode())


def pull(scene: Scene, server: KubernetesServer, **settings: Any) -> Outcome:
    return pull_from(scene, {"SCRIPT_RUN_MODE": "k8s", "K8S_CONFIG_PATH": server.config} | settings)


def test_a_job_is_named_after_its_resource_bounded_and_removed(scene: Scene) -> None:
    job(scene)
    with kubernetes_server(lambda *_: JobEnd(b"hi\n" + REPORT)) as server:
        outcome = pull(scene, server, K8S_NAMESPACE="jobs")
    row = resource_named(scene)
    assert (row.report, outcome.failures) == ([{"header": "H", "body": "B"}], [])
    assert [call for call, _ in server.calls] == ["create_config_map", "create_job", "delete_job", "delete_config_map"]
    manifest = server.calls[1][1]
    key = environment_of(manifest)["ORDER_UUID"]
    assert key.startswith(f"{row.uuid.hex}-") and manifest["metadata"]["name"] == f"job-{key}"
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    assert container["resources"] == {"limits": {"cpu": "1", "memory": "512Mi"}}
    assert (manifest["spec"]["backoffLimit"], manifest["spec"]["activeDeadlineSeconds"]) == (0, 1800)


def test_resources_that_share_an_order_uuid_run_one_after_the_other(scene: Scene) -> None:
    offering, plan = script_offering(scene, environ=[{"name": "ORDER_UUID", "value": "0123"}])
    for name in ("one", "two", "three"):
        script_resource(scene, offering, plan, name, state=ERRED)
    with kubernetes_server(lambda *_: JobEnd()) as server:
        outcome = pull(scene, server)
    assert outcome.failures == []
    assert {row.state for row in scene.rows(marketplace.resource)} == {OK}
    assert (server.jobs, server.config_maps) == ({}, {})


@pytest.mark.parametrize(
    ("end", "message"),
    [
        (JobEnd(b"boom\nmore", succeeded=False), "boom"),
        (JobEnd(b"", succeeded=False), "the script had not ended after 1800 seconds"),
        (JobEnd(b"\n\n", succeeded=False), ""),
        (JobEnd(b"x" * 2**21), "printed more than"),
    ],
)
def test_a_job_that_fails_makes_its_resource_erred(scene: Scene, end: JobEnd, message: str) -> None:
    job(scene)
    with kubernetes_server(lambda *_: end) as server:
        pull(scene, server)
    row = resource_named(scene)
    assert row.state == ERRED and message in row.error_message
    assert (server.jobs, server.config_maps) == ({}, {})


def test_a_job_whose_image_cannot_be_fetched_changes_nothing(scene: Scene) -> None:
    job(scene, state=ERRED)
    with kubernetes_server(lambda *_: JobEnd(succeeded=None, waits_for="ImagePullBackOff")) as server:
        outcome = pull(scene, server)
    (failure,) = outcome.failures
    assert "cannot begin: ImagePullBackOff" in failure.problem
    assert (resource_named(scene).state, server.jobs, server.config_maps) == (ERRED, {}, {})


def test_a_job_that_the_cluster_never_starts_changes_nothing(scene: Scene) -> None:
    job(scene, state=ERRED)
    with kubernetes_server(lambda *_: JobEnd(succeeded=False, phase="Pending")) as server:
        outcome = pull(scene, server)
    (failure,) = outcome.failures
    assert "did not start the script's pod within 1800 seconds" in failure.problem
    assert (resource_named(scene).state, server.jobs) == (ERRED, {})


def test_a_refusal_of_the_cluster_is_told_without_the_secrets_that_it_quotes(scene: Scene) -> None:
    job(scene)
    with kubernetes_server(lambda *_: JobEnd()) as server:
        server.jobs = _Refusing()
        outcome = pull(scene, server)
    (failure,) = outcome.failures
    assert "409" in failure.problem and "geheim" not in repr(outcome)
    assert (resource_named(scene).state, server.config_maps) == (OK, {})


def test_a_cluster_that_talks_nonsense_changes_nothing(scene: Scene) -> None:
    job(scene, state=ERRED)

    def play(*_: Any) -> JobEnd:
        raise ConnectionResetError

    with kubernetes_server(play) as server:
        outcome = pull(scene, server)
    assert len(outcome.failures) == 1
    assert resource_named(scene).state == ERRED


class _Refusing(dict[str, Any]):
    def __contains__(self, _: object) -> bool:
        return True
