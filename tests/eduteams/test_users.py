"""People from eduTEAMS: each fails alone, nobody loses a key for half an answer, and tokens are kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.fernet import Fernet

from tests.eduteams.scenes import NOW, REFRESH, SECRETS, Eduteams, keys_of, new_key, person, run, store_key
from tests.freeipa.scenes import settings as freeipa_settings
from tests.freeipa_server import freeipa_server
from tests.lateness import LATE, named
from tests.scene import Scene
from waldur_dagster.eduteams.entries import pull_users
from waldur_dagster.outcome import Outcome
from waldur_dagster.schema import constance, core, freeipa, logging
from waldur_dagster.work import Refused

SETTING = "REMOTE_EDUTEAMS_REFRESH_TOKEN"


FAULTS = {
    "refused": ConnectionError(),
    "slow": ConnectionError("slow"),
    "401": (401, {}),
    "403": (403, {}),
    "429": (429, {}),
    "500": (500, {}),
    "junk": (200, b"{"),
    "a list": (200, []),
    "somebody else": (200, {"sub": "x@eduteams.org", "given_name": "X", "family_name": "X"}),
    "no name": (200, {"sub": "bob@eduteams.org", "given_name": "X"}),
    "null name": (200, {"sub": "bob@eduteams.org", "given_name": "X", "family_name": None}),
}


def _told(outcome: Outcome) -> str:
    return f"{outcome.failures} {outcome.warnings} {outcome.figures}"


@pytest.mark.parametrize("fault", named(FAULTS))
def test_an_account_that_fails_loses_nothing_and_goes_to_the_end(
    scene: Scene, eduteams: Eduteams, settings: dict[str, Any], fault: str
) -> None:
    ids = [person(scene, eduteams, name, hours=hours) for hours, name in ((3, "alice"), (2, "bob"), (1, "carol"))]
    store_key(scene, ids[1], key := new_key())
    eduteams.faults["bob@eduteams.org"] = FAULTS[fault]
    outcome = run(scene, pull_users, settings)
    assert [finding.item for finding in outcome.failures] == ["account bob@eduteams.org"]
    assert not any(secret in _told(outcome) for secret in SECRETS)
    rows = {row.username.partition("@")[0]: row for row in scene.rows(core.user)}
    assert [rows[name].first_name for name in ("alice", "bob", "carol")] == ["New", "Old", "New"]
    assert all(row.is_active and row.last_sync == NOW for row in rows.values())
    assert keys_of(scene, ids[1]) == {key}


@pytest.mark.parametrize(
    "fault",
    [
        (400, {"error": "invalid_grant", "refresh_token": REFRESH}),
        (401, {}),
        (403, {}),
        (429, {}),
        (500, {}),
        (200, b"<html>"),
        (200, []),
        (200, {"access_token": ""}),
        ConnectionError(),
        pytest.param(ConnectionError("slow"), marks=LATE),
    ],
)
def test_without_a_token_nothing_is_changed(
    scene: Scene, eduteams: Eduteams, settings: dict[str, Any], fault: Any
) -> None:
    person(scene, eduteams, "alice")
    before = scene.rows(core.user)
    eduteams.faults["token"] = fault
    outcome = run(scene, pull_users, settings)
    assert len(outcome.failures) == 1 and eduteams.asked == []
    assert scene.rows(core.user) == before
    assert not any(secret in _told(outcome) for secret in SECRETS)


def test_no_refresh_token_is_told_before_anybody_is_asked(
    scene: Scene, eduteams: Eduteams, settings: dict[str, Any]
) -> None:
    person(scene, eduteams, "alice")
    with pytest.raises(Refused, match=SETTING):
        run(scene, pull_users, settings | {SETTING: ""})
    assert eduteams.forms == []


def test_somebody_who_is_gone_is_switched_off_and_keeps_his_keys(
    scene: Scene, eduteams: Eduteams, settings: dict[str, Any]
) -> None:
    user = person(scene, eduteams, "alice")
    store_key(scene, user, key := new_key())
    del eduteams.people["alice@eduteams.org"]
    assert not run(scene, pull_users, settings).failures
    assert not scene.one(core.user).is_active and keys_of(scene, user) == {key}
    assert [event.event_type for event in scene.rows(logging.event)] == ["user_deactivated"]


def test_keys_that_cannot_be_read_stay_and_a_missing_list_takes_them_away(
    scene: Scene, eduteams: Eduteams, settings: dict[str, Any]
) -> None:
    strange = person(scene, eduteams, "strange", ssh_public_key={"0": "x"})
    bare = person(scene, eduteams, "bare")
    for user in (strange, bare):
        store_key(scene, user, new_key())
    outcome = run(scene, pull_users, settings)
    assert (len(outcome.failures), len(outcome.warnings)) == (0, 1)
    assert (len(keys_of(scene, strange)), keys_of(scene, bare)) == (1, set())
    assert outcome.figures["SSH keys removed"] == 1


@pytest.mark.parametrize(
    ("claims", "wanted"),
    [
        ({"mail": ["a@new.org", "b@new.org"], "email": "c@new.org"}, "a@new.org"),
        ({"mail": "a@new.org", "email": "c@new.org"}, "a@new.org"),
        *(({"mail": mail, "email": "c@new.org"}, "c@new.org") for mail in ([], [""], [None], "", None, {"a": "b"})),
        ({"mail": [""], "email": ""}, "alice@old.org"),
        ({}, "alice@old.org"),
    ],
    ids=str,
)
def test_the_address_is_that_of_one_of_two_claims_or_stays(
    scene: Scene, eduteams: Eduteams, settings: dict[str, Any], claims: dict[str, Any], wanted: str
) -> None:
    person(scene, eduteams, "alice", **claims)
    assert not run(scene, pull_users, settings).failures
    assert scene.one(core.user).email == wanted


def test_a_second_run_finds_nothing_to_change(scene: Scene, eduteams: Eduteams, settings: dict[str, Any]) -> None:
    user = person(scene, eduteams, "alice", ssh_public_key=[new_key("a"), new_key("b")], mail=["alice@new.org"])
    run(scene, pull_users, settings)
    events, keys = scene.rows(logging.event), keys_of(scene, user)
    run(scene, pull_users, settings)
    assert (scene.rows(logging.event), keys_of(scene, user)) == (events, keys)
    assert len(keys) == 2


def test_names_with_braces_and_markup_are_told_as_they_are(
    scene: Scene, eduteams: Eduteams, settings: dict[str, Any]
) -> None:
    user = person(scene, eduteams, "alice", given_name="{beta} <b>", mail=["a&b@new.org"])
    scene.role(user, "CUSTOMER.OWNER", "customer", scene.customer())
    assert not run(scene, pull_users, settings).failures
    texts = [event.message for event in scene.rows(logging.event)]
    assert "first_name: Old -> {beta} <b>" in texts[1]
    assert "User {beta} &lt;b&gt; Alice" in texts[2] and "a&amp;b@new.org" in texts[2]


def test_the_oldest_seventy_five_are_asked(scene: Scene, eduteams: Eduteams, settings: dict[str, Any]) -> None:
    for number in range(80):
        person(scene, eduteams, f"u{number:02}", hours=number)
    run(scene, pull_users, settings)
    assert sorted(eduteams.asked) == [f"u{number:02}@eduteams.org" for number in range(5, 80)]
    assert len(eduteams.forms) == 1


def test_freeipa_refusing_undoes_nothing(scene: Scene, eduteams: Eduteams, settings: dict[str, Any]) -> None:
    with freeipa_server() as ipa:
        for name in ("alice", "bob"):
            user = person(scene, eduteams, name, ssh_public_key=[new_key()])
            scene.add(freeipa.profile, user_id=user, username=f"waldur_{name}", is_active=True)
        ipa.users["waldur_bob"] = {}
        outcome = run(scene, pull_users, settings, freeipa=freeipa_settings(ipa))
        assert [finding.item for finding in outcome.failures] == ["FreeIPA account waldur_alice"]
        assert ipa.users["waldur_bob"]["givenname"] == "New" and len(ipa.users["waldur_bob"]["ipasshpubkey"]) == 1
        assert len(ipa.passwords) == 1
    assert {row.first_name for row in scene.rows(core.user)} == {"New"}


def _store(scene: Scene, value: str) -> None:
    scene.add(constance.constance, key=SETTING, value=json.dumps({"__type__": "default", "__value__": value}))


def _stored(scene: Scene) -> str:
    return str(json.loads(scene.one(constance.constance, key=SETTING).value)["__value__"])


@pytest.mark.generation("8")
@pytest.mark.parametrize("dry_run", [False, True])
def test_a_renewed_token_is_written_back_encrypted_and_used_next_time(
    scene: Scene, eduteams: Eduteams, settings: dict[str, Any], dry_run: bool
) -> None:
    """In a dry run too: the proxy takes the old one no longer."""
    fernet = Fernet(key := Fernet.generate_key())
    document = {"encryption": {"keys": [key.decode()]}}
    person(scene, eduteams, "alice")
    _store(scene, fernet.encrypt(b"from the database").decode())
    eduteams.refresh = "renewed-token"
    outcome = run(scene, pull_users, settings, dry_run=dry_run, **document)
    assert not outcome.failures and "renewed-token" not in _told(outcome)
    assert fernet.decrypt(_stored(scene)).decode() == "renewed-token"
    run(scene, pull_users, settings, dry_run=dry_run, **document)
    assert [form["refresh_token"] for form in eduteams.forms] == ["from the database", "renewed-token"]
    assert {form["scope"] for form in eduteams.forms} == {"openid offline_access"}
    assert scene.one(core.user).first_name == ("Old" if dry_run else "New")


@pytest.mark.generation("8")
def test_where_the_database_has_none_the_token_of_the_file_holds_and_its_successor_is_kept(
    scene: Scene, eduteams: Eduteams, settings: dict[str, Any]
) -> None:
    person(scene, eduteams, "alice")
    eduteams.refresh = "renewed-token"
    assert not run(scene, pull_users, settings).failures
    assert eduteams.forms[0]["refresh_token"] == REFRESH and _stored(scene) == "renewed-token"


@pytest.mark.generation("8")
def test_a_token_that_could_not_be_kept_is_not_asked_for(
    scene: Scene, eduteams: Eduteams, settings: dict[str, Any]
) -> None:
    person(scene, eduteams, "alice")
    _store(scene, "")
    scene.add(
        constance.constance,
        key="FREEIPA_PASSWORD",
        value=json.dumps({"__type__": "default", "__value__": Fernet(Fernet.generate_key()).encrypt(b"x").decode()}),
    )
    with pytest.raises(Exception, match="no keys"):
        run(scene, pull_users, settings)
    assert eduteams.forms == []


def test_older_waldur_has_no_place_for_a_renewed_token(
    scene: Scene, eduteams: Eduteams, settings: dict[str, Any]
) -> None:
    person(scene, eduteams, "alice")
    eduteams.refresh = "renewed-token"
    outcome = run(scene, pull_users, settings)
    assert len(outcome.warnings) == 1 and "renewed-token" not in _told(outcome)


@pytest.mark.generation("8")
def test_who_vouches_for_an_account_is_noted_and_another_keeps_it_alive(
    scene: Scene, eduteams: Eduteams, settings: dict[str, Any]
) -> None:
    for name, vouching in (("alice", []), ("bob", ["isd:other"])):
        person(scene, eduteams, name, mail=[f"{name}@new.org"])
        with scene.engine.begin() as connection:
            of_person = core.user.c.username == f"{name}@eduteams.org"
            connection.execute(core.user.update().where(of_person).values(active_isds=vouching, attribute_sources={}))
    assert not run(scene, pull_users, settings).failures
    alice, bob = scene.rows(core.user)
    assert (alice.active_isds, bob.active_isds) == (["isd:eduteams"], ["isd:other", "isd:eduteams"])
    assert alice.attribute_sources["email"]["source"] == "isd:eduteams"
    eduteams.people.clear()
    assert not run(scene, pull_users, settings).failures
    alice, bob = scene.rows(core.user)
    assert [(row.is_active, row.active_isds) for row in (alice, bob)] == [(False, []), (True, ["isd:other"])]
    assert bob.attribute_sources == {} and bob.email == "bob@new.org"
