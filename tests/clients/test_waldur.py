"""The client of remote Waldurs: whole lists, the configured host only, changes that are made once, lenient reading."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.loopback import serving
from tests.remote.remote_waldur import TOKEN, RemoteWaldur, failing, serving_remote, uuid_of
from waldur_dagster.clients import patience, waldur
from waldur_dagster.clients.failures import Incomplete, ItemFailed, LoginRefused, SystemFailed
from waldur_dagster.clients.waldur import Amount, Document, Instant, Uuid, Waldur, Words


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "LONGEST_PAUSE", 0.01)
    monkeypatch.setattr(waldur, "PAUSE", 0.01)


def things(count: int) -> RemoteWaldur:
    return RemoteWaldur({"things": [{"uuid": uuid_of(1, n), "resource_uuid": "r"} for n in range(count)]})


@pytest.mark.parametrize("count", [0, 1, 200, 201, 650])
def test_a_list_is_read_to_its_end(count: int) -> None:
    with serving_remote(things(count)) as remote, Waldur(remote.api_url, TOKEN) as api:
        assert len(api.listed("things/", resource_uuid="r")) == count
        assert api.listed("things/", resource_uuid="another") == []
    assert remote.calls["GET things"] == max(1, -(-count // 200)) + 1


def test_an_address_without_a_last_slash_is_the_same() -> None:
    with serving_remote(things(1)) as remote, Waldur(remote.api_url.rstrip("/"), TOKEN) as api:
        assert api.one(f"things/{uuid_of(1, 0)}/")["uuid"] == uuid_of(1, 0)


def test_links_of_another_scheme_and_host_are_asked_at_the_configured_ones() -> None:
    remote = things(450)
    remote.link_origin = "http://behind.the.proxy:8080"
    with serving_remote(remote), Waldur(remote.api_url, TOKEN) as api:
        assert len(api.listed("things/")) == 450


def test_a_server_that_cuts_pages_shorter_and_one_without_links() -> None:
    remote = things(25)
    remote.page_size = 10
    with serving_remote(remote), Waldur(remote.api_url, TOKEN) as api:
        assert len(api.listed("things/")) == 25
    remote.fault = lambda *_: (200, remote.objects["things"])
    with serving_remote(remote), Waldur(remote.api_url, TOKEN) as api:
        assert len(api.listed("things/")) == 25


def test_several_values_of_a_filter_are_all_asked_for() -> None:
    asked: list[str] = []

    def answer(*, query: Any, **_: Any) -> tuple[int, Any]:
        asked.append(str(query))
        return 200, []

    with serving({("GET", "/things/"): answer}) as url, Waldur(url, TOKEN) as api:
        api.listed("things/", field=["uuid", "name"])
    assert "name" in asked[0]  # a dictionary keeps the last of two


@pytest.mark.parametrize(
    "fault",
    [
        failing("things", 500, page=2),
        failing("things", 404, page=2),
        failing("things", 200, {"detail": "no list"}),
        failing("things", 200, [1, 2]),
        failing("things", 200, [{"name": "without uuid"}]),
        failing("things", 200, b"<html>", page=2),
        failing("things", 200, [], page=2),
    ],
)
def test_what_is_no_whole_list_is_none(fault: Any) -> None:
    remote = things(450)
    remote.fault = fault
    with serving_remote(remote), Waldur(remote.api_url, TOKEN) as api, pytest.raises((ItemFailed, SystemFailed)):
        api.listed("things/")


def test_a_count_that_differs_from_page_to_page_or_from_what_came_is_an_error() -> None:
    counts = iter(range(1000))
    for count in (lambda: next(counts), lambda: 7):
        remote = things(3)
        remote.fault = lambda *_, count=count: (200, remote.objects["things"], {"X-Result-Count": str(count())})  # noqa: B023
        with serving_remote(remote), Waldur(remote.api_url, TOKEN) as api, pytest.raises(Incomplete, match="things"):
            api.listed("things/")
    remote.fault = lambda *_: (200, [], {"X-Result-Count": "many"})
    with serving_remote(remote), Waldur(remote.api_url, TOKEN) as api, pytest.raises(Incomplete, match="'many'"):
        api.listed("things/")


def test_a_list_that_grows_while_it_is_read_is_read_again() -> None:
    remote = things(450)

    def grow(_: str, __: str, query: dict[str, str]) -> None:
        if query.get("page") == "2" and len(remote.objects["things"]) == 450:
            remote.objects["things"].append({"uuid": uuid_of(1, 999)})

    remote.fault = grow
    with serving_remote(remote), Waldur(remote.api_url, TOKEN) as api:
        assert len(api.listed("things/")) == 451


def test_a_busy_object_is_tried_three_times_when_changed_and_once_when_read() -> None:
    with serving_remote(RemoteWaldur(change=lambda *_: (409, {"detail": "busy"}))) as remote:
        remote.objects["things"] = [{"uuid": "a"}]
        with Waldur(remote.api_url, TOKEN) as api:
            for method in ("POST", "PATCH"):
                with pytest.raises(ItemFailed, match="HTTP 409: busy"):
                    api.change(method, "things/a/", {})
            assert len(remote.sent) == 6
            remote.fault = failing("things", 409)
            with pytest.raises(ItemFailed, match="HTTP 409"):
                api.one("things/a/")
    assert remote.calls["GET things/a"] == 1


def test_a_redirection_is_followed_on_the_same_host_only() -> None:
    def fault(method: str, path: str, _: dict[str, str]) -> Any:
        if path == "old/a":
            return 307, {}, {"Location": "/api/new/a/"}
        return (302, {}, {"Location": "http://elsewhere.example.org/api/new/a/"}) if path == "away/a" else None

    with serving_remote(RemoteWaldur(fault=fault)) as remote, Waldur(remote.api_url, TOKEN) as api:
        api.change("POST", "old/a/", {"x": 1})
        assert remote.sent == [("POST", "new/a", {"x": 1})]
        with pytest.raises(ItemFailed, match="leads away"):
            api.change("POST", "away/a/", {"x": 1})
    assert len(remote.sent) == 1


def test_a_refused_token_is_told_without_it() -> None:
    with serving_remote(RemoteWaldur(token="other")) as remote, Waldur(remote.api_url, TOKEN) as api:
        remote.fault = lambda *_: (401, {"detail": f"No such token: {TOKEN}"})
        with pytest.raises(LoginRefused) as raised:
            api.listed("things/")
    assert "HTTP 401: No such token: ***" in str(raised.value)


class Thing(Document):
    uuid: Uuid
    price: Amount
    created: Instant
    name: Words = ""
    day: date | None = None
    is_new: bool = False


def test_documents_are_read_whatever_form_their_values_have() -> None:
    dashed = "abc00000-0000-4000-8000-00000000ABCD"
    found = {
        "uuid": dashed,
        "price": 0.1,
        "created": "2025-03-10T09:30:00",
        "name": None,
        "day": None,
        "is_new": None,
        "later": {},
    }
    thing = Thing.read(found)
    assert (thing.uuid, thing.price, thing.name) == ("abc0000000004000800000000000abcd", Decimal("0.1"), "")
    assert thing.created == datetime(2025, 3, 10, 9, 30, tzinfo=UTC)
    other = Thing.read({"uuid": "a", "price": "12.50", "created": "2025-03-10T11:30:00+02:00", "name": "a\0b"})
    assert (other.price, other.created, other.name) == (Decimal("12.50"), thing.created, "ab")


def test_a_malformed_document_names_its_fields_and_not_their_values() -> None:
    with pytest.raises(ItemFailed, match="about a thing is malformed: created, price") as raised:
        Thing.read({"uuid": "a", "price": "secret-9", "created": "yesterday"})
    assert "secret-9" not in str(raised.value)
    with pytest.raises(ItemFailed, match="malformed: it"):
        Thing.read([])
