"""What pulled scripts change, and what they never change."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from tests.docker_server import Container, Ended, EngineBroken, docker_server
from tests.scene import Scene
from tests.script_offerings.scenes import (
    SCRIPT,
    job,
    pull,
    pull_from,
    resource_named,
    robots,
    say,
    script_offering,
    script_resource,
    transactions,
    usage,
)
from tests.statements import counted
from waldur_dagster.clients.containers import EngineFailed
from waldur_dagster.clients.containers.settings import DEFAULT_VOLUME, NAME, ScriptSettings
from waldur_dagster.marketplace.states import ResourceState
from waldur_dagster.outcome import Outcome
from waldur_dagster.schema import invoices, logging, marketplace
from waldur_dagster.script_offerings.pull import pull_script_resources
from waldur_dagster.settings import DEFAULTS
from waldur_dagster.site import Site

OK, ERRED, UPDATING, TERMINATING = (
    ResourceState.OK,
    ResourceState.ERRED,
    ResourceState.UPDATING,
    ResourceState.TERMINATING,
)


def changed_events(scene: Scene) -> int:
    return len(scene.rows(logging.event, event_type="marketplace_resource_has_been_changed"))


def test_a_report_is_kept_and_told_in_an_event(scene: Scene) -> None:
    job(scene)
    report = [{"header": " State ", "body": 7, "colour": "red"}]
    pull(scene, lambda _: say(report=report, other=1))
    assert resource_named(scene).report == [{"header": "State", "body": "7"}]
    assert (changed_events(scene), robots(scene)) == (1, 1)


def test_a_script_is_told_of_its_resource_and_of_the_offering_s_secrets(scene: Scene) -> None:
    seen: list[Container] = []

    def play(container: Container) -> Ended:
        seen.append(container)
        return Ended()

    offering, plan = script_offering(
        scene, environ=[*SCRIPT["environ"], "no pair", {"name": "LIMITS", "value": {"own": 1}}]
    )
    script_resource(scene, offering, plan, attributes={"size": 4, "name": "ä"}, limits={"cpu": 1})
    pull(scene, play)
    (container,) = seen
    facts = container.environment
    assert (facts["ATTRIBUTES"], facts["LIMITS"]) == (r'{"name": "\u00e4", "size": 4}', '{"own": 1}')
    assert (facts["RESOURCE_NAME"], facts["PLAN_NAME"], facts["API_KEY"]) == ("job", "Plan", "geheim-7")
    assert "RESOURCE_BACKEND_ID" not in facts and "ORDER_UUID" not in facts
    assert (container.script, container.command, container.bind) == ("echo", ["sh", "script"], ("/work/script", "ro"))
    host = container.host
    assert (host["Memory"], host["NanoCpus"], host.get("NetworkMode")) == (512 * 2**20, 10**9, "default")


def test_scripts_lie_in_a_volume_that_the_engine_knows_by_its_name(scene: Scene, tmp_path: Path) -> None:
    job(scene, state=ERRED)
    with docker_server(lambda _: Ended(), volumes={"launchzone": tmp_path}) as server:
        here = {"DOCKER_CLIENT": {"base_url": server.url}, "DOCKER_SCRIPT_DIR": str(tmp_path)}
        pull_from(scene, here | {"DOCKER_VOLUME_NAME": "launchzone"})
        (container,) = server.containers.values()
        assert container.script == "echo" and container.bind == ("/work", "ro")
        assert container.command[0] == "sh" and container.command[1].startswith("docker")
        outcome = pull_from(scene, here | {"DOCKER_VOLUME_NAME": "typo"})
        assert "typo: no such volume" in outcome.failures[0].problem
        outcome = pull_from(scene, here | {"DOCKER_SCRIPT_DIR": "", "DOCKER_VOLUME_NAME": "launchzone"})
        assert "DOCKER_SCRIPT_DIR must say where the volume" in outcome.failures[0].problem
        pull_from(scene, here | {"DOCKER_SCRIPT_DIR": "", "DOCKER_VOLUME_NAME": DEFAULT_VOLUME})
        assert [container.bind[0] for container in server.containers.values()] == ["/work", "/work/script"]
    assert resource_named(scene).state == OK


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"DOCKER_CLIENT": "geheim"}, "DOCKER_CLIENT: Input should be a valid dictionary"),
        ({"K8S_JOB_TIMEOUT": "long"}, "K8S_JOB_TIMEOUT: Input should be a valid integer"),
    ],
)
def test_settings_that_cannot_be_read_are_named_without_their_values(value: dict[str, Any], problem: str) -> None:
    """Such values come from the database: a deployment file that has one is refused."""
    with pytest.raises(EngineFailed, match=f"^{NAME}.{problem}") as refused:
        ScriptSettings.read(DEFAULTS[NAME] | value)
    assert not any(str(one) in str(refused.value) for one in value.values())


def test_an_erred_resource_is_ok_again_when_its_script_succeeds(scene: Scene) -> None:
    job(scene, state=ERRED, error_message="x", error_traceback="y")
    pull(scene, lambda _: Ended())
    row = resource_named(scene)
    assert (row.state, row.error_message, row.error_traceback) == (OK, "", "")
    assert robots(scene) == 0  # there was nothing to write in its name


@pytest.mark.parametrize(
    ("ended", "message"),
    [
        (Ended(stderr=b"boom\nmore", status=3), "returned non-zero exit status 3: boom"),
        (Ended(b"Resource is fine"), "not base64 of a JSON object"),
        (Ended(b"\n"), "not base64 of a JSON object"),
        (Ended(b"WzFd"), "not of an object"),
        (Ended(b"\xff\xfe"), "not UTF-8"),
        (Ended(b"x" * 2000), "printed more than 1024 bytes"),
        (Ended(status=None), "had not ended after 0.5 seconds"),
        (Ended(stderr=b"\x00nul", status=1), "exit status 1: nul"),
    ],
)
def test_a_script_that_fails_makes_its_own_resource_erred(scene: Scene, ended: Ended, message: str) -> None:
    offering, plan = script_offering(scene)
    script_resource(scene, offering, plan, "bad")
    script_resource(scene, offering, plan, "good", state=ERRED)
    limits = {"time_limit": 0.5, "output_limit": 1024}
    outcome = pull(
        scene,
        lambda container: ended if container.environment["RESOURCE_NAME"] == "bad" else Ended(),
        containers=limits,
    )
    bad = resource_named(scene, "bad")
    assert bad.state == ERRED and message in bad.error_message and bad.error_traceback.startswith(bad.error_message)
    assert resource_named(scene, "good").state == OK
    assert (outcome.failures, len(outcome.warnings)) == ([], 1)


def test_no_secret_and_no_word_of_a_script_is_in_what_the_run_tells(scene: Scene) -> None:
    job(scene)
    outcome = pull(scene, lambda _: Ended(stderr=b"the key is geheim-7", status=1))
    assert "geheim" in resource_named(scene).error_traceback
    assert "geheim" not in repr(outcome)


def test_containers_are_removed_and_only_some_run_at_once(scene: Scene) -> None:
    offering, plan = script_offering(scene)
    for number in range(9):
        script_resource(scene, offering, plan, f"job {number}")
    together = threading.Barrier(3, timeout=20)

    def play(_: Container) -> Ended:
        together.wait()  # passes only when three run at the same time
        return Ended()

    with docker_server(play) as server:
        pull_from(scene, {"DOCKER_CLIENT": {"base_url": server.url}}, containers={"parallel": 3})
    assert (server.most_at_once, set(server.removed)) == (3, set(server.containers))


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"DOCKER_CLIENT": {"base_url": "http://127.0.0.1:9"}}, "does not answer"),
        ({"DOCKER_CLIENT": {"base_url": "unix:///nowhere/docker.sock"}}, "does not answer"),
        ({"DOCKER_CLIENT": {"base_url": "http://me:geheim@127.0.0.1:9"}}, "engine at http://***@127.0.0.1:9 does not"),
        ({"DOCKER_SCRIPT_DIR": "/nowhere"}, "DOCKER_SCRIPT_DIR: /nowhere is no folder"),
        ({"SCRIPT_RUN_MODE": "vm"}, "write docker or k8s"),
        ({"SCRIPT_RUN_MODE": "k8s", "K8S_CONFIG_PATH": "/nowhere/config"}, "K8S_CONFIG_PATH /nowhere/config"),
    ],
)
def test_an_engine_that_cannot_be_reached_changes_no_resource(
    scene: Scene, settings: dict[str, Any], reason: str
) -> None:
    job(scene, "one", state=ERRED)
    job(scene, "two")
    outcome = pull_from(scene, settings)
    (failure,) = outcome.failures
    assert failure.item == "2 resources" and reason in failure.problem and "geheim" not in failure.problem
    assert [row.state for row in scene.rows(marketplace.resource)] == [ERRED, OK]


def test_an_image_that_cannot_be_fetched_changes_no_resource(scene: Scene) -> None:
    offering, plan = script_offering(scene)
    for name in ("one", "two"):
        script_resource(scene, offering, plan, name)
    outcome = pull(scene, lambda _: Ended(), images=set(), fetchable=False)
    assert all("alpine:3 cannot be fetched: pull access denied" in failure.problem for failure in outcome.failures)
    assert sorted(failure.item.split()[1] for failure in outcome.failures) == ["one", "two"]
    assert {row.state for row in scene.rows(marketplace.resource)} == {OK}


def test_an_engine_that_refuses_one_script_runs_the_others(scene: Scene) -> None:
    offering, plan = script_offering(scene)
    for name in ("one", "bad", "two"):
        script_resource(scene, offering, plan, name, state=ERRED)

    def play(container: Container) -> Ended:
        if container.environment["RESOURCE_NAME"] == "bad":
            raise EngineBroken("no space left on device")
        return Ended()

    outcome = pull(scene, play)
    (failure,) = outcome.failures
    assert failure.item.startswith("resource bad") and "no space left" in failure.problem
    assert [row.state for row in scene.rows(marketplace.resource)] == [OK, ERRED, OK]


def test_a_missing_image_is_fetched_once(scene: Scene) -> None:
    job(scene, state=ERRED)
    pull(scene, lambda _: Ended(), images=set())
    assert resource_named(scene).state == OK


@pytest.mark.parametrize(
    ("options", "settings", "problem"),
    [
        ({"language": "cobol"}, {}, "has no language"),
        ({"language": None}, {}, "has no language"),
        ({"pull": None}, {}, "is no text"),
        ({"environ": [{"name": "API_KEY"}]}, {}, "has an entry without 'value'"),
        ({}, {"DOCKER_IMAGES": {"shell": {"image": "alpine:3"}}}, "must have an image and a command"),
    ],
)
def test_an_offering_that_is_misconfigured_is_reported_and_its_resource_unchanged(
    scene: Scene, options: dict[str, Any], settings: dict[str, Any], problem: str
) -> None:
    script_resource(scene, *script_offering(scene, **options), "bad", state=ERRED)
    outcome = pull_from(scene, settings | {"DOCKER_CLIENT": {"base_url": "http://127.0.0.1:9"}})
    assert outcome.failures[0].problem  # the engine is looked for first
    outcome = _with_engine(scene, settings)
    (failure,) = outcome.failures
    assert problem in failure.problem and "geheim" not in failure.problem
    assert resource_named(scene, "bad").state == ERRED


def _with_engine(scene: Scene, settings: dict[str, Any]) -> Outcome:
    with docker_server(lambda _: Ended()) as server:
        return pull_from(scene, settings | {"DOCKER_CLIENT": {"base_url": server.url}})


@pytest.mark.parametrize("state", [UPDATING, TERMINATING, ResourceState.TERMINATED])
def test_what_happens_to_a_resource_while_its_script_runs_stays(scene: Scene, state: ResourceState) -> None:
    resource = job(scene)

    def play(_: Container) -> Ended:
        with scene.engine.begin() as connection:
            table = marketplace.resource
            connection.execute(update(table).where(table.c.id == resource).values(state=state, limits={"cpu": 9}))
        return say(usages=[usage(2)], report=[{"header": "State", "body": "running"}])

    pull(scene, play)
    row = resource_named(scene)
    assert (row.state, row.limits, row.report, row.current_usages) == (state, {"cpu": 9}, None, {})
    taken = 0 if state == ResourceState.TERMINATED else 1
    assert len(scene.rows(marketplace.componentusage)) == taken


def test_a_resource_that_is_gone_meanwhile_is_no_failure(scene: Scene) -> None:
    resource = job(scene)

    def play(_: Container) -> Ended:
        with scene.engine.begin() as connection:
            for table in (marketplace.resourceplanperiod, marketplace.resource):
                key = table.c.resource_id if "resource_id" in table.c else table.c.id
                connection.execute(table.delete().where(key == resource))
        return say(usages=[usage(2)])

    outcome = pull(scene, play)
    assert (outcome.failures, outcome.warnings) == ([], [])


def test_only_live_resources_with_a_pull_script_are_pulled(scene: Scene) -> None:
    offering, plan = script_offering(scene)
    for state in ResourceState:
        script_resource(scene, offering, plan, state.name, state=state)
    other = scene.offering(scene.customer(), type="Marketplace.Basic", secret_options=SCRIPT)
    script_resource(scene, other, scene.plan(other), "basic")
    silent = scene.offering(scene.customer(), type="Marketplace.Script", secret_options={"create": ""})
    script_resource(scene, silent, scene.plan(silent), "silent")
    names: set[str] = set()

    def play(container: Container) -> Ended:
        names.add(container.environment["RESOURCE_NAME"])
        return Ended()

    pull(scene, play)
    assert names == {"ERRED", "OK"}


def test_a_dry_run_says_how_many_scripts_it_would_run_and_runs_none(scene: Scene) -> None:
    job(scene)
    outcome = pull_from(scene, {"DOCKER_CLIENT": {"base_url": "http://127.0.0.1:9"}}, dry_run=True)
    assert (outcome.figures["scripts that would be run"], outcome.failures) == (1, [])


def test_an_engine_that_goes_away_ends_the_run_and_the_rest_is_counted(scene: Scene) -> None:
    offering, plan = script_offering(scene)
    for number in range(6):
        script_resource(scene, offering, plan, f"job {number}", state=ERRED)

    def play(container: Container) -> Ended:
        if container.environment["RESOURCE_NAME"] == "job 2":
            raise ConnectionResetError
        return Ended()

    outcome = pull(scene, play, containers={"parallel": 1})
    assert outcome.failures[-1].item == "3 more resources"
    assert [row.state for row in scene.rows(marketplace.resource)] == [OK, OK, ERRED, ERRED, ERRED, ERRED]


def test_the_statements_for_a_resource_do_not_grow_with_what_it_reports(scene: Scene) -> None:
    def count(name: str, amounts: int) -> int:
        offering, plan = script_offering(scene)
        for number in range(amounts):
            scene.price(plan, scene.component(offering, f"c{number}", "usage"), 1)
        script_resource(scene, offering, plan, name)
        answer = say(usages=[usage(1, f"c{number}") for number in range(amounts)])
        with docker_server(lambda _: answer) as server, _site(scene, server.url) as site:
            resource = resource_named(scene, name).id
            with counted(site.engine) as statements:
                pull_script_resources(transactions(site))
            assert site.outcome.failures == []
        _end(scene, resource)
        return len(statements)

    count("first", 1)  # makes the system robot, too
    assert count("one", 1) == count("many", 30)
    assert len(scene.rows(invoices.invoiceitem)) == 32


def _site(scene: Scene, url: str) -> Site:
    return scene.site(waldur={"WALDUR_MARKETPLACE_SCRIPT": {"DOCKER_CLIENT": {"base_url": url}}})


def _end(scene: Scene, resource: int) -> None:
    with scene.engine.begin() as connection:
        table = marketplace.resource
        connection.execute(update(table).where(table.c.id == resource).values(state=ResourceState.TERMINATED))
