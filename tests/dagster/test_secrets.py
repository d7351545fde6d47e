"""Recognisable secrets everywhere, every error provoked, and then a search through all that is shown or kept."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import text

from jobs.entry_job import entry_job
from tests.dagster.runs import execute
from tests.loopback import serving
from tests.outbox.messages import make_due, wait
from tests.raw_server import hang_up, raw_server
from tests.scene import Scene
from waldur_dagster import words
from waldur_dagster.database.encryption import OFFERING_SECRETS
from waldur_dagster.deployment import Deployment
from waldur_dagster.functions import Function
from waldur_dagster.outbox.tables import message
from waldur_dagster.resources import site_resource
from waldur_dagster.schema import users
from waldur_dagster.work import Work

MARK = "ZZsecretZZ"
IN_FILE = {
    place: f"{MARK}-{place}/+ \"'&="
    for place in ("api", "hook", "freeipa", "mail", "broker", "key", "database", "query")
}
IN_SITE = f"{MARK}-site"


def _document(url: str, scene: Scene) -> dict[str, Any]:
    """A deployment with a secret in every place, whose outside systems are all at one address."""
    port = int(url.rpartition(":")[2])
    return {
        "waldur_api": {"url": url, "token": IN_FILE["api"], "timeout": 2},
        "mail": {"host": "127.0.0.1", "port": port, "user": "u", "password": IN_FILE["mail"], "timeout": 2},
        "web_hooks": {"timeout": 2, "private_networks": ["127.0.0.0/8"]},
        "encryption": {"secret_key": IN_FILE["key"]},
        "waldur": {
            "WALDUR_CORE.INVITATION_WEBHOOK_URL": f"{url}/hook?token={MARK}-address",
            "WALDUR_CORE.INVITATION_WEBHOOK_TOKEN_URL": url.replace("://", f"://user:{MARK}-userinfo@") + "/token",
            "WALDUR_CORE.INVITATION_WEBHOOK_TOKEN_SECRET": IN_FILE["hook"],
            "WALDUR_FREEIPA": {"HOSTNAME": url, "USERNAME": "waldur", "PASSWORD": IN_FILE["freeipa"]},
        },
    }


def _messages(scene: Scene, url: str) -> None:
    wait(scene, "mail", {"kind": "mail", "subject": "S", "body": "B", "from_address": "a@x.org", "to": ["b@x.org"]})
    wait(scene, "api", {"kind": "api_call", "path": "/api/x/"})
    wait(scene, "invitation", {"kind": "invitation", "fields": {"email": "guest@x.org"}})
    wait(scene, "account", {"kind": "account", "user_id": 1, "username": "guest", "password": f"{MARK}-account"})
    wait(
        scene, "hook", {"kind": "webhook", "url": f"{url}/in/{MARK}-path?key={MARK}-key", "fields": {"event_type": "x"}}
    )


@contextmanager
def _echo(status: int) -> Iterator[str]:
    """A server that says all that it was sent, in its reason, headers and body."""

    def repeat(**request: Any) -> Any:
        return status, json.dumps(request, default=str).encode()

    with serving({("POST", ".*"): repeat, ("GET", ".*"): repeat}) as url:
        yield url


def _shown(instance: dg.DagsterInstance, scene: Scene, *also: str) -> str:
    """All that a run has left: Dagster's storage and files, the outbox beside its payloads, Waldur's error columns."""
    files = b"".join(file.read_bytes() for file in Path(instance.root_directory).rglob("*") if file.is_file())
    kept = [(row.key, row.last_error) for row in scene.rows(message)]
    with scene.engine.connect() as connection:
        systems = connection.execute(text("SELECT * FROM waldur_dagster.outbox_system")).all()
    errors = [(row.error_message, row.error_traceback) for row in scene.rows(users.invitation)]
    return f"{files.decode(errors='replace')} {kept} {systems} {errors} {also}"


def _found(shown: str) -> list[str]:
    return sorted(set(re.findall(rf".{{0,60}}{MARK}.{{0,20}}", shown)))


@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_a_system_that_repeats_what_it_was_sent_teaches_nobody(
    scene: Scene, instance: dg.DagsterInstance, status: int, capfd: pytest.CaptureFixture[str]
) -> None:
    with _echo(status) as url:
        _messages(scene, url)
        deployment = scene.deployment(**_document(url, scene))
        for _ in range(2):
            execute(deployment, "deliver_waiting_messages", instance)
            make_due(scene)
    assert _found(_shown(instance, scene, *capfd.readouterr())) == []


def test_a_system_that_hangs_up_is_told_of_without_its_secrets(
    scene: Scene, instance: dg.DagsterInstance, capfd: pytest.CaptureFixture[str]
) -> None:
    with raw_server(hang_up) as server:
        url = f"http://127.0.0.1:{server.port}"
        _messages(scene, url)
        execute(scene.deployment(**_document(url, scene)), "deliver_waiting_messages", instance)
    assert _found(_shown(instance, scene, *capfd.readouterr())) == []


# What a step may raise; each is given the open work.
def of_the_file(work: Work) -> None:
    raise ValueError(f"header {work.deployment.waldur_api.token.get_secret_value()!r} is malformed")  # type: ignore[union-attr]


def of_a_cause(work: Work) -> None:
    try:
        of_the_file(work)
    except ValueError as problem:
        raise RuntimeError("not done") from problem


def of_the_site(work: Work) -> None:
    opened = work.secrets.opened(OFFERING_SECRETS, {"api_token": IN_SITE})
    raise RuntimeError(f"the provider says: {opened}")


def of_a_parameter(work: Work) -> None:
    work.connection.execute(text("SELECT CAST(:value AS integer)"), {"value": IN_FILE["api"]})


def of_a_row(work: Work) -> None:
    work.connection.execute(text("CREATE TEMPORARY TABLE kept (password text UNIQUE, n int NOT NULL)"))
    work.connection.execute(text("INSERT INTO kept VALUES (:value, NULL)"), {"value": f"{MARK}-row"})


def of_a_finding(work: Work) -> None:
    work.outcome.warn("provider", f"answered {IN_FILE['api']}")
    work.outcome.fail("provider", f"answered {json.dumps(IN_FILE['api'])}")


RAISED = ("of_the_file", "of_a_cause", "of_the_site", "of_a_parameter", "of_a_row", "of_a_finding")


@pytest.mark.parametrize("what", RAISED)
def test_an_error_of_a_step_is_told_without_secrets(
    scene: Scene, instance: dg.DagsterInstance, what: str, capfd: pytest.CaptureFixture[str]
) -> None:
    deployment = scene.deployment(**_document("http://127.0.0.1:9", scene))
    result = _run(deployment, Function(f"tests.dagster.test_secrets:{what}"), instance)
    assert not result.success
    assert _found(_shown(instance, scene, *capfd.readouterr())) == []
    told = str([event.event_specific_data for event in result.all_events])
    assert what in told or what == "of_a_finding"  # the traceback still says where


def _run(deployment: Deployment, do: Function, instance: dg.DagsterInstance) -> Any:
    job = entry_job("check-expired-permissions", do)
    bound = dg.Definitions(jobs=[job], resources={"site": site_resource(deployment)}, executor=dg.in_process_executor)
    definition = bound.resolve_job_def("check_expired_permissions")
    return definition.execute_in_process(instance=instance, raise_on_error=False)


def test_a_database_that_is_away_is_told_of_without_its_passwords(
    scene: Scene, instance: dg.DagsterInstance, capfd: pytest.CaptureFixture[str]
) -> None:
    url = f"postgresql://u:{MARK}-inside@127.0.0.1:9/x?sslpassword={MARK}-query"
    deployment = scene.deployment(database={"url": url, "connect_timeout": 1})
    assert not execute(deployment, "check-expired-permissions", instance).success
    assert _found(_shown(instance, scene, *capfd.readouterr())) == []


@pytest.mark.parametrize("secret", IN_FILE.values(), ids=IN_FILE)
def test_a_secret_is_masked_in_every_form_in_which_it_is_repeated(secret: str) -> None:
    words.keep_secret(secret)
    for form in (secret, repr(secret), json.dumps(secret), repr(secret.encode())):
        assert MARK not in words.in_words(f"said {form}.") and "said" in words.in_words(f"said {form}.")
