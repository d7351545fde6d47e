"""Waldur's API, the invitations' web hook and FreeIPA when they are down, slow, or wrongly configured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.freeipa_server import freeipa_server
from tests.hook_server import hook_server
from tests.loopback import serving
from tests.mail_server import free_port
from tests.outbox.messages import make_due, reasons, send, states, wait
from tests.raw_server import hang_up, raw_server, silent
from tests.scene import Scene
from tests.soon import soon
from waldur_dagster.clients import http
from waldur_dagster.outbox.tables import message

SECRET = "hidden-word"
KINDS: dict[str, dict[str, Any]] = {
    "api_call": {"kind": "api_call", "path": "/api/x/"},
    "invitation": {"kind": "invitation", "fields": {"email": "guest@x.org"}},
    "account": {"kind": "account", "user_id": 1, "username": "guest", "password": SECRET},
}


def _three(scene: Scene, kind: str) -> None:
    for number in range(3):
        wait(scene, f"{kind} {number}", KINDS[kind])


def _at(url: str) -> dict[str, Any]:
    """A deployment of which every outside system is at one address."""
    return {
        "waldur_api": {"url": url, "token": SECRET, "timeout": 0.5},
        "waldur": {
            "WALDUR_CORE.INVITATION_WEBHOOK_URL": f"{url}/hook",
            "WALDUR_CORE.INVITATION_WEBHOOK_TOKEN_URL": f"{url}/token",
            "WALDUR_CORE.INVITATION_WEBHOOK_TOKEN_SECRET": SECRET,
            "WALDUR_FREEIPA": {"HOSTNAME": url, "USERNAME": "waldur", "PASSWORD": SECRET},
        },
    }


@contextmanager
def _answering(status: int, said: str = "no") -> Iterator[str]:
    """A server that gives tokens and logins, and answers to everything else with one status."""
    routes = {
        ("POST", "/token"): lambda **_: (200, {"access_token": SECRET, "expires_in": 300}),
        ("POST", "/ipa/session/login_password"): lambda **_: (200, {}),
        ("POST", ".*"): lambda **_: (status, said.encode()),
    }
    with serving(routes) as url:
        yield url


def _told(scene: Scene) -> str:
    """Everything that is kept about problems."""
    return f"{reasons(scene)} {[row.last_error for row in scene.rows(message)]}"


@pytest.mark.parametrize("kind", KINDS)
def test_a_system_that_is_down_is_tried_once_a_round_and_costs_no_attempt(scene: Scene, kind: str) -> None:
    _three(scene, kind)
    url = f"http://127.0.0.1:{free_port()}"
    for _ in range(3):
        assert send(scene, **_at(url)).not_delivered == 3
        make_due(scene)
    assert list(reasons(scene)) == [kind]
    assert {(row.state, row.attempts) for row in scene.rows(message)} == {("waiting", 0)}


@pytest.mark.parametrize("kind", KINDS)
def test_a_system_that_is_silent_is_asked_once_in_a_round(
    scene: Scene, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "TIMEOUT", 0.5)
    _three(scene, kind)
    with raw_server(silent) as server:
        with soon():
            assert send(scene, **_at(f"http://127.0.0.1:{server.port}")).not_delivered == 3
        assert len(server.connections) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [502, 503])
def test_what_a_proxy_says_of_a_system_that_is_down_is_no_refusal(scene: Scene, kind: str, status: int) -> None:
    _three(scene, kind)
    with _answering(status) as url:
        for _ in range(3):
            send(scene, **_at(url))
            make_due(scene)
    assert {(row.state, row.attempts) for row in scene.rows(message)} == {("waiting", 0)}


@pytest.mark.parametrize("kind", ["api_call", "invitation"])
@pytest.mark.parametrize("status", [301, 302, 400, 404, 409])
def test_what_is_refused_is_given_up_at_once(scene: Scene, kind: str, status: int) -> None:
    _three(scene, kind)
    with _answering(status, f"no {SECRET}") as url:
        send(scene, **_at(url))
    assert set(states(scene).values()) == {"given up"}
    assert SECRET not in _told(scene)


@pytest.mark.parametrize("kind", ["api_call", "invitation"])
def test_a_call_whose_answer_is_lost_is_perhaps_delivered(scene: Scene, kind: str) -> None:
    wait(scene, "one", KINDS[kind])
    with _answering(200) as url, raw_server(hang_up) as broken:
        document = _at(url)
        address = f"http://127.0.0.1:{broken.port}"
        document["waldur_api"]["url"] = document["waldur"]["WALDUR_CORE.INVITATION_WEBHOOK_URL"] = address
        for _ in range(4):
            send(scene, **document)
            make_due(scene)
        assert len(broken.connections) == 3
    assert states(scene) == {"one": "perhaps delivered"}


def test_an_invitation_has_a_mark_by_which_a_repetition_is_told(scene: Scene) -> None:
    _three(scene, "invitation")
    with _answering(200) as url, hook_server() as hook:
        document = _at(url)
        document["waldur"]["WALDUR_CORE.INVITATION_WEBHOOK_URL"] = hook.url
        send(scene, **document)
        assert len(set(hook.ids)) == 3 and None not in hook.ids


@pytest.mark.parametrize(
    ("kind", "status"), [("api_call", 401), ("invitation", 401), ("invitation", 400), ("account", 401)]
)
def test_a_refused_login_leaves_everything_waiting_with_one_finding(scene: Scene, kind: str, status: int) -> None:
    _three(scene, kind)
    with serving({("POST", ".*"): lambda **_: (status, SECRET.encode())}) as url:
        for _ in range(3):
            done = send(scene, **_at(url))
            assert (done.not_delivered, len(list(done.findings()))) == (3, 1)
            make_due(scene)
    assert {(row.state, row.attempts) for row in scene.rows(message)} == {("waiting", 0)}
    assert SECRET not in _told(scene)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("url", ["no address", "http://bad..host", "http://[::1", "http://127.0.0.1:99999"])
def test_a_malformed_address_leaves_everything_waiting(scene: Scene, kind: str, url: str) -> None:
    document = _at(url)
    if url != "http://bad..host":  # a deployment file that says so is refused
        document["waldur_api"]["url"] = "http://"
    _three(scene, kind)
    assert send(scene, **document).not_delivered == 3
    assert set(states(scene).values()) == {"waiting"}


@pytest.mark.parametrize("secret", ["hidden\nword", "hïdden word"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_secret_that_cannot_be_sent_is_not_told(scene: Scene, kind: str, secret: str) -> None:
    _three(scene, kind)
    with _answering(200) as url:
        document = _at(url)
        document["waldur_api"]["token"] = secret
        document["waldur"]["WALDUR_FREEIPA"]["PASSWORD"] = secret
        send(scene, **document)
    assert "hidden" not in _told(scene) and "hïdden" not in _told(scene)
    assert set(states(scene).values()) <= {"waiting", "delivered"}


def test_freeipa_keeps_its_session_over_several_accounts(scene: Scene) -> None:
    for name in ("a", "b"):
        wait(scene, name, KINDS["account"] | {"username": name})
    with freeipa_server() as ipa:
        assert send(scene, **_at(ipa.hostname)).sent["account"] == 2
        assert sorted(ipa.users) == ["a", "b"]
