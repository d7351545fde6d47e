"""Asking a JSON API: patience, the site's own address, words without secrets; lists that are complete or an error."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import pytest
import requests

from tests.loopback import serving
from tests.mail_server import free_port
from tests.raw_server import raw_server
from waldur_dagster.clients import patience
from waldur_dagster.clients.failures import Incomplete, ItemFailed, LoginRefused, NotFound, SystemFailed, VisitFailed
from waldur_dagster.clients.json_api import JsonApi, pinned
from waldur_dagster.clients.listing import Page, by_link, by_marker, by_number, by_offset, complete, items_of

SECRET = "geheim-7"


def answering(*answers: Any) -> Any:
    """A server that gives these answers one after the other, then the last one for ever."""
    left = list(answers)
    return lambda **_: left.pop(0) if len(left) > 1 else left[0]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "LONGEST_PAUSE", 0.01)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_may_pass_is_asked_again(status: int) -> None:
    with (
        serving({("GET", "/things"): answering((status, {}), (status, {}), (200, {"a": 1}))}) as url,
        JsonApi(url) as api,
    ):
        assert api.get("things") == {"a": 1}


@pytest.mark.usefixtures("quick")
def test_what_may_have_been_done_is_not_asked_again() -> None:
    with serving({("POST", "/things"): answering((500, {}), (200, {}))}) as url, JsonApi(url) as api:
        with pytest.raises(SystemFailed, match="HTTP 500"):
            api.ask("POST", "things", json={})
        assert api.ask("POST", "things", json={}).status_code == 200


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, LoginRefused),
        (403, ItemFailed),
        (404, NotFound),
        (409, ItemFailed),
        (429, SystemFailed),
        (503, SystemFailed),
    ],
)
def test_an_error_answer_carries_the_system_s_words_and_no_secret(status: int, kind: type[VisitFailed]) -> None:
    body = {"itemNotFound": {"code": status, "message": f"no thing for token {SECRET}"}}
    with (
        serving({("GET", "/things"): answering((status, body))}) as url,
        JsonApi(url, headers={"Authorization": SECRET}, secrets=[SECRET]) as api,
        pytest.raises(kind) as raised,
    ):
        api.get("things", token=SECRET)
    assert f"HTTP {status}: no thing for token ***" in str(raised.value)
    assert SECRET not in str(raised.value)


def test_a_refused_connection_and_junk() -> None:
    with (
        pytest.raises(SystemFailed, match="was not answered: ConnectError"),
        JsonApi(f"http://127.0.0.1:{free_port()}") as api,
    ):
        api.get("things")
    with (
        serving({("GET", "/things"): answering((200, b"<html>"))}) as url,
        JsonApi(url) as api,
        pytest.raises(ItemFailed, match="no JSON"),
    ):
        api.get("things")


def test_all_calls_together_have_an_end() -> None:
    asked = []

    def slow(**_: Any) -> tuple[int, Any]:
        asked.append("GET")
        time.sleep(0.3)
        return 503, {}

    with (
        serving({("GET", "/things"): slow}) as url,
        JsonApi(url) as api,
        patience.allowing(0.2),
        pytest.raises(SystemFailed),
    ):
        api.get("things")
    assert len(asked) == 1


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example.com/p2",
        "http://site.example.com/p2",
        "https://site.example.com:444/p2",
        "//evil/p2",
        "http://[",
    ],
)
def test_a_link_that_leads_elsewhere_is_not_followed(link: str) -> None:
    with pytest.raises(ItemFailed, match=r"leads away from https://site\.example\.com"):
        pinned("https://site.example.com/api/", link)


def test_a_link_of_the_own_host_is_followed() -> None:
    assert pinned("https://site.example.com/api/", "https://site.example.com:443/p2?a=1").endswith("/p2?a=1")
    assert pinned("https://site.example.com/api/", "things") == "https://site.example.com/api/things"


def things(*ids: str) -> list[dict[str, str]]:
    return [{"id": one} for one in ids]


def test_pages_are_read_to_their_end() -> None:
    linked = {"1": Page(things("a", "b"), 3, "2"), "2": Page(things("c"), 3)}
    offset = {0: Page(things("a", "b")), 2: Page(things("c")), 3: Page([])}
    for pages in (
        by_link(lambda address: linked[address], "1"),
        by_offset(lambda start: offset[start]),
        by_number(lambda number: [Page(things("a", "b"), 3), Page(things("c"), 3)][number - 1]),
        by_marker(lambda last: {None: Page(things("a", "b")), "b": Page(things("c")), "c": Page([])}[last]),
        by_marker(lambda last: Page(things("a", "b", "c"))),  # one that ignores the marker
    ):
        assert complete("things", pages) == things("a", "b", "c")


@pytest.mark.parametrize(
    ("pages", "told"),
    [
        ([Page(things("a", "b")), Page(things("b", "c"))], "b is on it twice"),
        ([Page(things("a"), 2), Page(things("b"), 1)], "had 2 items, and 1 on page 2"),
        ([Page(things("a"), 2)], "said to have 2 items, 1 came"),
        ([Page([{"name": "a"}])], "has no id"),
    ],
)
def test_a_list_that_shows_a_fault_is_no_list(pages: list[Page], told: str) -> None:
    with pytest.raises(Incomplete, match=f"the list of things is not complete: .*{told}"):
        complete("things", lambda: iter(pages))


def test_pages_in_a_circle_are_no_list() -> None:
    with pytest.raises(Incomplete, match="circle"):
        complete("things", by_link(lambda address: Page(things(address), next={"1": "2", "2": "1"}[address]), "1"))


def test_a_list_that_moved_once_is_read_again() -> None:
    turns = iter([[Page(things("a", "b")), Page(things("b"))], [Page(things("a", "b")), Page(things("c"))]])

    def pages() -> Iterator[Page]:
        return iter(next(turns))

    assert complete("things", pages) == things("a", "b", "c")


@pytest.mark.parametrize("answer", [None, [], {}, {"things": None}, {"things": {}}, {"things": [1]}])
def test_an_answer_without_the_list_is_no_list(answer: Any) -> None:
    with pytest.raises(Incomplete, match="no list things"):
        items_of(answer, "things")


@pytest.mark.usefixtures("quick")
def test_libraries_that_use_requests_are_patient_too() -> None:
    answers = answering((503, {}), (200, {"a": 1}))
    with serving({("GET", "/things"): answers}) as url, requests.Session() as session:
        session.mount("http://", patience.PatientAdapter())
        assert session.get(f"{url}/things").json() == {"a": 1}
        session.mount("http://", patience.PatientAdapter())
        with pytest.raises(requests.ConnectionError):
            session.get(f"http://127.0.0.1:{free_port()}/things")


@pytest.mark.parametrize("library", ["httpx", "requests"])
def test_an_answer_that_drips_or_never_ends_is_given_up(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "LARGEST_ANSWER", 2**20)
    for pause, told in ((0.05, "took too long"), (0.0, "larger than 1 MiB")):
        with dripping(pause) as url, patience.allowing(0.5 if pause else 20), pytest.raises(VisitFailed, match=told):
            patient_client(library).get(url)


def patient_client(library: str) -> Any:
    if library == "httpx":
        return httpx.Client(transport=patience.PatientTransport())
    session = requests.Session()
    session.mount("http://", patience.PatientAdapter())
    return session


@pytest.mark.parametrize("library", ["httpx", "requests"])
def test_headers_that_drip_are_given_up_and_not_asked_for_again(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "TIMEOUT", 0.5)

    def drip(connection: socket.socket) -> None:
        connection.recv(2**16)
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while True:
            connection.sendall(b"a")
            time.sleep(0.05)

    with raw_server(drip) as server, patient_client(library) as client:
        begun = time.monotonic()
        with pytest.raises((httpx.ReadTimeout, requests.ReadTimeout)):
            client.get(server.url)
        assert 0.4 < time.monotonic() - begun < 10
    assert len(server.connections) == 1


@pytest.mark.parametrize("library", ["httpx", "requests"])
def test_a_body_that_drips_ends_though_nobody_has_allowed_a_time(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "LONGEST_ANSWER", 0.3)
    with dripping(0.05) as url, pytest.raises(VisitFailed, match="took too long"):
        patient_client(library).get(url)


@contextmanager
def dripping(pause: float) -> Iterator[str]:
    """A server whose answer comes in pieces, without end."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            connection, _ = listening.accept()
            with connection, suppress(OSError):
                connection.recv(2**16)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
                while True:
                    connection.sendall(b" " * (1 if pause else 2**16))
                    time.sleep(pause)

        threading.Thread(target=drip, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
