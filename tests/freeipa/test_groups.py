"""Groups in FreeIPA follow the site, whatever FreeIPA answers; nothing is deleted for half an answer."""

from __future__ import annotations

from typing import Any

import pytest

from tests.freeipa.scenes import NOW, PASSWORD, name_of, profile, run, settings, uuid_of
from tests.freeipa_server import Answer, FreeIpaServer, freeipa_server
from tests.lateness import TOO_LONG, named, shorten
from tests.scene import Scene
from tests.statements import counted
from waldur_dagster.clients import freeipa as client
from waldur_dagster.clients import http, patience
from waldur_dagster.freeipa.entries import sync_groups
from waldur_dagster.outcome import Outcome
from waldur_dagster.schema import freeipa, permissions, quotas

ORG, PROJECT = name_of("org", 1), name_of("project", 2)


@pytest.fixture(autouse=True)
def quick(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "LONGEST_PAUSE", 0.01)
    shorten(request, monkeypatch, (http, "TIMEOUT"), (client, "LONG"))


@pytest.fixture
def ipa() -> Any:
    with freeipa_server() as server:
        yield server


@pytest.fixture
def site(scene: Scene, ipa: FreeIpaServer) -> Scene:
    """A customer with Alice, and a project of it with Bob."""
    customer = scene.customer('Acme, "HPC"', uuid=uuid_of(1))
    project = scene.project(customer, "Genomics", uuid=uuid_of(2))
    scene.role(profile(scene, ipa, "alice"), "CUSTOMER.OWNER", "customer", customer)
    scene.role(profile(scene, ipa, "bob"), "PROJECT.ADMIN", "project", project)
    return scene


def in_sync(ipa: FreeIpaServer) -> None:
    ipa.add_group(ORG, '"Acme, ""HPC""",-1.0', users=["waldur_alice"], groups=[PROJECT])
    ipa.add_group(PROJECT, "Genomics,-1.0", users=["waldur_bob"])


def sync(scene: Scene, ipa: FreeIpaServer | str, **more: Any) -> Outcome:
    return run(scene, sync_groups, ipa, **more)


def test_the_first_run_makes_everything_and_the_second_nothing(site: Scene, ipa: FreeIpaServer) -> None:
    assert not sync(site, ipa).failures
    made = {name: dict(group) for name, group in ipa.groups.items()}
    in_sync(ipa)
    assert made == ipa.groups
    ipa.calls.clear()
    ipa.changes.clear()
    assert not sync(site, ipa).failures
    assert (ipa.changes, dict(ipa.calls), len(ipa.passwords)) == ([], {"group_find": 1, "user_find": 1}, 2)


def test_names_are_compared_without_case(site: Scene, ipa: FreeIpaServer) -> None:
    """FreeIPA keeps them in lower case, whatever a site writes into its settings and profiles."""
    with site.engine.begin() as connection:
        connection.execute(freeipa.profile.update().values(username="Waldur_Alice").where(freeipa.profile.c.id == 1))
    in_sync(ipa)
    ipa.groups[ORG]["member_user"].append("waldur_gone")
    outcome = sync(site, ipa, GROUPNAME_PREFIX="WalDur_", USERNAME_PREFIX="WALDUR_")
    assert not outcome.failures
    assert ipa.changes == [("group_remove_member", f"WalDur_{ORG.removeprefix('waldur_')}")]
    assert ipa.groups[ORG]["member_user"] == ["waldur_alice"]


def test_a_dry_run_reads_and_changes_nothing(site: Scene, ipa: FreeIpaServer) -> None:
    outcome = sync(site, ipa, dry_run=True)
    assert (ipa.groups, ipa.changes) == ({}, [])
    assert outcome.figures["outside changes that would be made"] == 5


def test_what_nobody_wants_is_deleted_and_what_others_made_stays(site: Scene, ipa: FreeIpaServer) -> None:
    in_sync(ipa)
    ipa.add_group("waldur_old", "Old")
    ipa.add_group("editors", "Editors", users=["admin"])
    ipa.groups[ORG]["member_group"] += ["editors", "waldur_old"]
    ipa.groups[ORG]["member_user"].append("admin")
    assert not sync(site, ipa).failures
    assert ipa.changes == [("group_remove_member", ORG), ("group_del", "waldur_old")]
    assert set(ipa.groups) == {ORG, PROJECT, "editors"}
    assert ipa.groups[ORG]["member_group"] == [PROJECT, "editors"]
    assert ipa.groups[ORG]["member_user"] == ["waldur_alice", "admin"]


def test_a_list_that_is_cut_off_deletes_nothing_and_what_it_leaves_out_is_synchronized(
    site: Scene, ipa: FreeIpaServer
) -> None:
    ipa.add_group("waldur_old", "Old")
    ipa.add_group(ORG, "Old name,-1.0", users=["waldur_alice", "waldur_gone"])
    ipa.truncated = 1
    outcome = sync(site, ipa)
    assert not outcome.failures
    assert ["searchtimelimit" in finding.problem for finding in outcome.warnings] == [True]
    assert "waldur_old" in ipa.groups
    assert ipa.groups[ORG]["description"] == ['"Acme, ""HPC""",-1.0']
    assert (ipa.groups[ORG]["member_user"], ipa.groups[ORG]["member_group"]) == (["waldur_alice"], [PROJECT])


@pytest.mark.parametrize(
    "listed",
    [
        {"result": [{"cn": ["waldur_old"]}], "count": 2, "truncated": False},
        {"result": [{"cn": ["waldur_old"]}, {"cn": 7}], "count": 2, "truncated": False},
        {"result": [{"cn": ["waldur_old"]}, "junk"], "count": 2, "truncated": False},
        {"result": [{"cn": ["waldur_old"]}], "count": 1, "truncated": True},
    ],
)
def test_a_list_that_cannot_be_read_in_full_deletes_nothing(
    site: Scene, ipa: FreeIpaServer, monkeypatch: pytest.MonkeyPatch, listed: dict[str, Any]
) -> None:
    ipa.add_group("waldur_old", "Old")
    monkeypatch.setattr(FreeIpaServer, "_group_find", lambda *_: listed)
    sync(site, ipa)
    assert {"waldur_old", ORG, PROJECT} == set(ipa.groups)


LOST = {
    "refused": Answer(hang_up=True),
    "401": Answer(401, "no"),
    "403": Answer(403, "no"),
    "404": Answer(404, "no"),
    "500": Answer(500, "no"),
    "503": Answer(503, "no"),
    "429": Answer(429, "no", {"Retry-After": "0"}),
    "junk": Answer(200, "<html>"),
    "slow": Answer(hang_up=True, after=TOO_LONG),
    "other JSON": Answer(200, "[]"),
    "no list": Answer(200, '{"result": {"result": null}, "error": null}'),
    "no result": Answer(200, '{"result": null, "error": null}'),
}


@pytest.mark.parametrize("fault", named(LOST))
def test_without_the_list_of_groups_nothing_is_changed(site: Scene, ipa: FreeIpaServer, fault: str) -> None:
    ipa.add_group("waldur_old", "Old")
    ipa.fault = lambda command, _: LOST[fault] if command == "group_find" else None
    outcome = sync(site, ipa)
    assert ipa.changes == [] and len(outcome.failures) == 1
    assert PASSWORD not in str(outcome.failures)


@pytest.mark.parametrize("fault", named(LOST))
def test_without_the_list_of_accounts_groups_are_done_and_no_status(
    site: Scene, ipa: FreeIpaServer, fault: str
) -> None:
    with site.engine.begin() as connection:
        connection.execute(freeipa.profile.update().values(is_active=False))
    ipa.fault = lambda command, _: LOST[fault] if command == "user_find" else None
    outcome = sync(site, ipa)
    assert len(ipa.groups) == 2 and len(outcome.failures) == 1
    assert not {command for command, _ in ipa.changes} & {"user_enable", "user_disable"}


@pytest.mark.parametrize("fault", ["500", "403", "junk", "refused"])
def test_a_refused_change_is_told_and_the_others_are_done(site: Scene, ipa: FreeIpaServer, fault: str) -> None:
    ipa.fault = lambda command, name: LOST[fault] if (command, name) == ("group_add", PROJECT) else None
    outcome = sync(site, ipa)
    assert [PROJECT in finding.item for finding in outcome.failures] == [True]
    assert set(ipa.groups) == {ORG} and ipa.groups[ORG]["member_user"] == ["waldur_alice"]
    assert ("group_add_member", PROJECT) not in ipa.changes


def test_a_login_that_is_refused_is_tried_once(site: Scene, ipa: FreeIpaServer) -> None:
    ipa.fault = lambda command, _: Answer(401, PASSWORD) if command == "login" else None
    outcome = sync(site, ipa)
    assert (ipa.requests, len(outcome.failures)) == (1, 1)
    assert PASSWORD not in str(outcome.failures)


def test_a_session_that_is_lost_in_the_middle_is_begun_again_once(site: Scene, ipa: FreeIpaServer) -> None:
    lost = iter([None, None, None, Answer(401, "")])
    ipa.fault = lambda *_: next(lost, None)
    assert not sync(site, ipa).failures
    assert len(ipa.groups) == 2 and len(ipa.passwords) == 2


def test_many_changes_go_in_batches_and_each_refusal_in_them_is_told(scene: Scene, ipa: FreeIpaServer) -> None:
    customers = [scene.customer(f"C{n}", uuid=uuid_of(n)) for n in range(60)]
    person = profile(scene, ipa, "alice")
    for customer in customers:
        scene.role(person, "CUSTOMER.OWNER", "customer", customer)
    ipa.add_group(name_of("org", 7), "taken")
    hidden = ipa.groups.pop(name_of("org", 7))

    def reappear(command: str, _: str) -> None:
        if command == "batch":  # somebody has made it since the list was read
            ipa.groups.setdefault(name_of("org", 7), hidden)

    ipa.fault = reappear
    outcome = sync(scene, ipa)
    assert [finding.item for finding in outcome.failures] == [f"FreeIPA group_add {name_of('org', 7)}"]
    assert len(ipa.groups) == 60 and ipa.requests == 1 + 1 + 2 + 2 + 1  # login, list, adds, members, accounts
    assert sum(group["member_user"] == ["waldur_alice"] for group in ipa.groups.values()) == 59


def test_a_server_without_batches_is_asked_one_by_one(scene: Scene, ipa: FreeIpaServer) -> None:
    ipa.has_batch = False
    for number in range(30):
        scene.customer(f"C{number}", uuid=uuid_of(number))
    assert not sync(scene, ipa).failures
    assert len(ipa.groups) == 30


def test_a_server_that_dies_is_left_alone_after_three_tries(scene: Scene, ipa: FreeIpaServer) -> None:
    for number in range(20):
        scene.customer(f"C{number}", uuid=uuid_of(number))
    ipa.fault = lambda command, _: Answer(hang_up=True) if command not in {"login", "group_find"} else None
    outcome = sync(scene, ipa)
    assert ipa.requests == 2 + 3 + 1 and len(outcome.failures) == 3 + 1 + 1
    assert any("17 of its items" in finding.problem for finding in outcome.failures)


def test_members_that_freeipa_does_not_know_are_told_and_are_no_failure(site: Scene, ipa: FreeIpaServer) -> None:
    del ipa.users["waldur_bob"]
    outcome = sync(site, ipa)
    assert not outcome.failures
    assert [finding.problem for finding in outcome.warnings] == ["1 members are not known there: waldur_bob"]


def test_a_site_without_organizations_deletes_nothing(scene: Scene, ipa: FreeIpaServer) -> None:
    ipa.add_group("waldur_old", "Old")
    outcome = sync(scene, ipa)
    assert "waldur_old" in ipa.groups and len(outcome.warnings) == 1


def test_a_site_without_a_prefix_deletes_nothing(site: Scene, ipa: FreeIpaServer) -> None:
    ipa.add_group("admins", "Account administrators group", users=["admin"])
    outcome = sync(site, ipa, GROUPNAME_PREFIX="")
    assert ipa.groups["admins"]["member_user"] == ["admin"]
    assert ["GROUPNAME_PREFIX is empty" in finding.problem for finding in outcome.warnings] == [True]


@pytest.mark.parametrize("fault", ["500", "403", "junk", "refused"])
def test_batches_that_fail_are_told_once_each_and_not_taken_apart(scene: Scene, ipa: FreeIpaServer, fault: str) -> None:
    for number in range(260):
        scene.customer(f"C{number}", uuid=uuid_of(number))
    ipa.fault = lambda command, _: LOST[fault] if command == "batch" else None
    outcome = sync(scene, ipa)
    assert (ipa.requests, ipa.groups) == (2 + 3 + 1, {})  # login, list, three batches, accounts
    assert len(outcome.failures) == 3 + 1


def test_status_follows_profiles_and_an_unknown_one_stays(scene: Scene, ipa: FreeIpaServer) -> None:
    scene.customer()
    for name in ("on", "off", "strange"):
        profile(scene, ipa, name, is_active=name == "on")
    ipa.users["waldur_on"]["nsaccountlock"] = True
    ipa.users["waldur_off"]["nsaccountlock"] = False
    del ipa.users["waldur_strange"]["nsaccountlock"]
    assert not sync(scene, ipa).failures
    status = [change for change in ipa.changes if change[0].startswith("user_")]
    assert status == [("user_enable", "waldur_on"), ("user_disable", "waldur_off")]


@pytest.mark.parametrize("off", ["ENABLED", "GROUP_SYNCHRONIZATION_ENABLED"])
def test_where_it_is_switched_off_nothing_is_called(site: Scene, ipa: FreeIpaServer, off: str) -> None:
    assert not sync(site, ipa, **{off: False}).failures
    assert ipa.requests == 0


def test_statements_do_not_grow_with_rows(scene: Scene, twin_scene: Scene) -> None:
    def statements(place: Scene, many: int) -> int:
        with freeipa_server() as ipa:
            person = profile(place, ipa, "alice")
            for number in range(many):
                customer = place.customer(f"C{number}", uuid=uuid_of(number))
                place.role(person, "CUSTOMER.OWNER", "customer", customer)
                place.add(quotas.quotalimit, name="freeipa_quota", value=5, object_id=customer, content_type_id=1)
                ipa.add_group(name_of("org", number), f"C{number},5", users=["waldur_alice"])
            with place.site(waldur={"WALDUR_FREEIPA": settings(ipa)}) as run_of, counted(run_of.engine) as seen:
                sync_groups(run_of.transactions("waldur-freeipa-sync-groups", NOW))
            assert not run_of.outcome.failures and ipa.changes == []
        return len(seen)

    assert statements(scene, 3) == statements(twin_scene, 30)


def test_roles_that_are_revoked_do_not_count(site: Scene, ipa: FreeIpaServer) -> None:
    in_sync(ipa)
    with site.engine.begin() as connection:
        connection.execute(permissions.userrole.update().values(is_active=None))
    assert not sync(site, ipa).failures
    assert [group["member_user"] for group in ipa.groups.values()] == [[], []]
