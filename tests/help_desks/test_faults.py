"""A help desk that breaks: nobody is deactivated and nothing deleted, and no secret is told."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from tests.help_desks.desk_site import SECRET, jira, people_of_jira, people_of_zammad, run, told, zammad
from tests.lateness import LATE
from tests.loopback import Routes, serving
from tests.mail_server import free_port
from tests.raw_server import raw_server, silent
from tests.scene import Scene
from waldur_dagster.help_desks.people import pull_support_users
from waldur_dagster.schema.support import supportuser

DESKS: dict[str, Any] = {
    "atlassian": (jira, "/rest/api/2/user/assignable/multiProjectSearch", people_of_jira(["u1"], most=1), "startAt"),
    "zammad": (zammad, "/api/v1/users", people_of_zammad([{"id": 1, "login": "u1"}], most=1), "page"),
}
pytestmark = pytest.mark.parametrize("kind", DESKS)


def pulled(scene: Scene, kind: str, url: str) -> str:
    """What a run says of a desk at an address; the two that are known stay as they are."""
    for name in ("u1", "u2"):
        scene.add(supportuser, backend_id=name, backend_name=kind, name=name, is_active=True)
    before = scene.rows(supportuser)
    DESKS[kind][0](scene, url)
    outcome = run(scene, pull_support_users)
    assert scene.rows(supportuser) == before
    assert len(outcome.failures) == 1
    assert SECRET not in told(outcome)
    return told(outcome)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((401, {"message": f"who is {SECRET}?"}), "HTTP 401"),
        ((403, {}), "HTTP 403"),
        ((404, {}), "HTTP 404"),
        ((429, {}), "HTTP 429"),
        ((500, b"<html>boom</html>"), "HTTP 500"),
        ((200, b"<html>busy</html>"), "no JSON"),
        ((200, {"error": "x"}), "no list"),
        ((200, ["u1"]), "no list"),
        ((200, [{"nobody": 1}]), "no"),
    ],
)
def test_an_answer_that_is_no_list_changes_nothing(
    scene: Scene, kind: str, answer: tuple[int, Any], words: str
) -> None:
    with serving({("GET", DESKS[kind][1]): lambda **_: answer}) as url:
        assert words in pulled(scene, kind, url)


@pytest.mark.parametrize("answer", [(500, {}), (401, {}), (200, b"junk"), (200, None)])
def test_a_second_page_that_fails_changes_nothing(scene: Scene, kind: str, answer: tuple[int, Any]) -> None:
    _, path, whole, parameter = DESKS[kind]
    first, begins = next(iter(whole.values())), {"startAt": "0", "page": "1"}[parameter]

    def page(query: dict[str, str], **sent: Any) -> tuple[int, Any]:
        return first(query=query, **sent) if query[parameter] == begins else answer

    routes: Routes = {("GET", path): page}
    with serving(routes) as url:
        pulled(scene, kind, url)


def test_a_help_desk_that_is_not_there_changes_nothing(scene: Scene, kind: str) -> None:
    assert "was not answered" in pulled(scene, kind, f"http://127.0.0.1:{free_port()}")


@LATE
def test_a_help_desk_that_never_answers_changes_nothing(scene: Scene, kind: str) -> None:
    with raw_server(silent) as server:
        assert "Timeout" in pulled(scene, kind, f"http://127.0.0.1:{server.port}")


def test_a_token_is_not_carried_to_another_address(scene: Scene, kind: str) -> None:
    with raw_server(silent) as other:
        away = f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{other.port}/\r\nContent-Length: 0\r\n\r\n".encode()

        def talk(connection: socket.socket) -> None:
            connection.recv(2**16)
            connection.sendall(away)

        with raw_server(talk) as server:
            pulled(scene, kind, f"http://127.0.0.1:{server.port}")
        assert other.connections == []
