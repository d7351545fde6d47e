"""Names in FreeIPA follow the site; an account that cannot be changed stops nobody."""

from __future__ import annotations

import socket

import pytest

from tests.freeipa.scenes import PASSWORD, profile, run
from tests.freeipa_server import Answer, freeipa_server
from tests.lateness import TOO_LONG, named, shorten
from tests.raw_server import raw_server
from tests.scene import Scene
from waldur_dagster.clients import freeipa as client
from waldur_dagster.clients import http, patience
from waldur_dagster.clients.failures import SystemFailed
from waldur_dagster.freeipa.name_sync import sync_names

BROKEN = {
    "refused": Answer(hang_up=True),
    "403": Answer(403, "no"),
    "404": Answer(404, "no"),
    "500": Answer(500, PASSWORD),
    "503": Answer(503, "no"),
    "429": Answer(429, "no", {"Retry-After": "0"}),
    "junk": Answer(200, "<html>"),
    "slow": Answer(hang_up=True, after=TOO_LONG),
    "other JSON": Answer(200, "[1]"),
    "not allowed": Answer(200, '{"error": {"code": 2100, "message": "no"}}'),
}


@pytest.fixture(autouse=True)
def quick(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "LONGEST_PAUSE", 0.01)
    shorten(request, monkeypatch, (http, "TIMEOUT"))


@pytest.mark.parametrize("fault", named(BROKEN))
def test_an_account_that_cannot_be_changed_is_told_and_the_others_are_done(scene: Scene, fault: str) -> None:
    with freeipa_server() as ipa:
        for name in ("a", "b", "c"):
            profile(scene, ipa, name)
        ipa.fault = lambda _, name: BROKEN[fault] if name == "waldur_b" else None
        outcome = run(scene, sync_names, ipa)
    assert [finding.item for finding in outcome.failures] == ["FreeIPA account waldur_b"]
    assert PASSWORD not in str(outcome.failures)
    assert [ipa.users[f"waldur_{name}"].get("cn") for name in "abc"] == ["A Person", None, "C Person"]
    assert len(ipa.passwords) == 1


def test_a_second_run_changes_nothing(scene: Scene) -> None:
    with freeipa_server() as ipa:
        profile(scene, ipa, "a")
        profile(scene, ipa, "b", is_active=False)
        assert [run(scene, sync_names, ipa).figures["names changed in FreeIPA"] for _ in range(2)] == [1, 0]
        assert "cn" not in ipa.users["waldur_b"]


def test_a_session_that_is_lost_twice_fails_one_account_each_time(scene: Scene) -> None:
    with freeipa_server() as ipa:
        for name in ("a", "b", "c"):
            profile(scene, ipa, name)
        lost = iter([None, None, Answer(401), None, Answer(401)])  # login, a, b, login, b again
        ipa.fault = lambda *_: next(lost, None)
        outcome = run(scene, sync_names, ipa)
    assert [finding.item for finding in outcome.failures] == ["FreeIPA account waldur_b"]
    assert ipa.users["waldur_c"]["cn"] == "C Person"


def test_nobody_with_a_profile_costs_no_login(scene: Scene) -> None:
    with freeipa_server() as ipa:
        assert not run(scene, sync_names, ipa).failures
        assert ipa.requests == 0


def test_a_dry_run_lists_whom_it_would_name(scene: Scene) -> None:
    with freeipa_server() as ipa:
        profile(scene, ipa, "a")
        outcome = run(scene, sync_names, ipa, dry_run=True)
        assert ipa.changes == []
    assert outcome.figures["outside changes that would be made"] == 1


def test_an_answer_without_end_is_cut_off_and_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "LONGEST_ANSWER", 2**20)

    def endless(connection: socket.socket) -> None:
        connection.recv(2**16)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"[1, 2]," * 2**12)

    with raw_server(endless) as server, pytest.raises(SystemFailed, match="its answer is larger than 1 MiB"):
        client.FreeIpa(f"http://127.0.0.1:{server.port}", "svc", "secret").log_in()
