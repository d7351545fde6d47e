"""Everybody's SSH keys: no key goes for half an answer, and all kinds that OpenSSH writes are taken."""

from __future__ import annotations

import base64
import os
import shutil
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import select

from tests.conftest import PROJECT
from tests.eduteams.scenes import (
    ENTRIES,
    NOW,
    SECRETS,
    Eduteams,
    arguments,
    keys_of,
    new_key,
    person,
    run,
    store_key,
    url_of,
)
from tests.freeipa.scenes import settings as freeipa_settings
from tests.freeipa_server import freeipa_server
from tests.lateness import LATE
from tests.processes import started, wait_until, wait_until_killed
from tests.scene import Scene
from tests.statements import counted
from waldur_dagster.eduteams.entries import pull_ssh_keys, pull_users
from waldur_dagster.eduteams.ssh_keys import fingerprints, is_public_key
from waldur_dagster.schema import core, freeipa, logging
from waldur_dagster.site import AlreadyRunning, Transactions

CHILD = """
import json, sys
from datetime import UTC, datetime
from waldur_dagster.deployment import parse_deployment
from waldur_dagster.eduteams.entries import pull_ssh_keys
from waldur_dagster.site import Site
deployment = parse_deployment({"database": {"url": sys.argv[1]}, "waldur": json.loads(sys.argv[2])})
with Site(deployment) as site:
    pull_ssh_keys(site.transactions("waldur-pull-remote-eduteams-ssh-keys", datetime.now(UTC)))
"""
IDLE = """
import sys
from datetime import UTC, datetime
from tests.statements import counted
from waldur_dagster.deployment import parse_deployment
from waldur_dagster.eduteams import entries
from waldur_dagster.site import Site
waldur = {"WALDUR_AUTH_SOCIAL": {"REMOTE_EDUTEAMS_ENABLED": sys.argv[3] == "on"}}
with Site(parse_deployment({"database": {"url": sys.argv[1]}, "waldur": waldur})) as site:
    transactions = site.transactions("waldur-" + sys.argv[2].replace("_", "-"), datetime.now(UTC))
    with transactions():
        assert site.schema.tables
    before = set(sys.modules)
    with counted(site.engine) as nothing:
        with transactions():
            pass
    with counted(site.engine) as seen:
        getattr(entries, sys.argv[2])(transactions)
print(len(seen) - len(nothing), *(set(sys.modules) - before))
"""


@pytest.mark.parametrize(
    "fault",
    [
        (401, {}),
        (403, {}),
        (404, {}),
        (429, {}),
        (500, {}),
        (200, b'{"data": {"alice@edu'),
        (200, []),
        (200, {}),
        (200, {"data": None}),
        (200, {"data": []}),
        ConnectionError(),
        pytest.param(ConnectionError("slow"), marks=LATE),
    ],
)
def test_without_a_whole_answer_nothing_is_changed(
    scene: Scene, eduteams: Eduteams, settings: dict[str, Any], fault: Any
) -> None:
    store_key(scene, user := person(scene, eduteams, "alice"), key := new_key())
    eduteams.faults["keys"] = fault
    outcome = run(scene, pull_ssh_keys, settings)
    assert len(outcome.failures) == 1 and keys_of(scene, user) == {key}
    assert not any(secret in str(outcome.failures) for secret in SECRETS)


def test_who_is_not_named_and_whose_list_cannot_be_read_keep_their_keys(
    scene: Scene, eduteams: Eduteams, settings: dict[str, Any]
) -> None:
    ids = {name: person(scene, eduteams, name) for name in ("none", "junk", "text", "null", "good")}
    for user in ids.values():
        store_key(scene, user, new_key())
    entries = {"junk": 7, "text": {"ssh_keys": "ssh-ed25519 AAAA"}, "null": {"ssh_keys": None}}
    wanted = new_key("home")
    entries["good"] = {"ssh_keys": [wanted, "ssh-ed25519 AAAAbroken", wanted]}
    eduteams.keys = {"data": {f"{name}@eduteams.org": entry for name, entry in entries.items()} | {"x": {}}}
    outcome = run(scene, pull_ssh_keys, settings)
    assert not outcome.failures and len(outcome.warnings) == 2
    assert [len(keys_of(scene, user)) for user in ids.values()] == [1] * 5
    assert keys_of(scene, ids["good"]) == {wanted}


@pytest.mark.parametrize("strange", [7, None, {"key": "ssh-ed25519 AAAA"}, ["ssh-ed25519 AAAA"]], ids=str)
@pytest.mark.parametrize("do", ENTRIES, ids=lambda do: do.__name__)
def test_a_list_that_holds_more_than_texts_adds_keys_and_takes_none_away(
    scene: Scene, eduteams: Eduteams, settings: dict[str, Any], do: Callable[[Transactions], None], strange: Any
) -> None:
    keys = [new_key("laptop"), strange]
    store_key(scene, user := person(scene, eduteams, "alice", ssh_public_key=keys), old := new_key("desk"))
    eduteams.keys = {"data": {"alice@eduteams.org": {"ssh_keys": keys}}}
    outcome = run(scene, do, settings)
    assert keys_of(scene, user) == {old, keys[0]}
    assert (len(outcome.failures), len(outcome.warnings)) == (0, 1)


def test_nothing_differs_nothing_is_written(scene: Scene, eduteams: Eduteams, settings: dict[str, Any]) -> None:
    store_key(scene, person(scene, eduteams, "alice"), key := new_key())
    eduteams.keys = {"data": {"alice@eduteams.org": {"ssh_keys": [key]}}}
    assert run(scene, pull_ssh_keys, settings).rows == {}


def _blob(*parts: bytes) -> str:
    return base64.b64encode(b"".join(struct.pack(">I", len(part)) + part for part in parts)).decode()


def _openssh(key: Any) -> str:
    return str(key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode())


def _kinds() -> dict[str, str]:
    curve = ec.generate_private_key(ec.SECP256R1()).public_key()
    point = curve.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    raw = base64.b64decode(new_key().split()[1])[-32:]
    curves: dict[str, ec.EllipticCurve] = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p521": ec.SECP521R1()}
    hardware = {"sk-ssh-ed25519@openssh.com": (raw,), "sk-ecdsa-sha2-nistp256@openssh.com": (b"nistp256", point)}
    return {
        "ed25519": new_key("a comment with blanks"),
        "rsa": _openssh(rsa.generate_private_key(65537, 2048).public_key()),
        **{name: _openssh(ec.generate_private_key(kind).public_key()) for name, kind in curves.items()},
        **{name: f"{name} {_blob(name.encode(), *parts, b'ssh:')} token" for name, parts in hardware.items()},
    }


@pytest.mark.parametrize("kind", sorted(_kinds()))
def test_all_kinds_that_openssh_writes_are_taken(kind: str, tmp_path: Path) -> None:
    text = _kinds()[kind]
    assert is_public_key(text)
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen, which shows the fingerprints, is not installed")
    (tmp_path / "key.pub").write_text(text)
    found = fingerprints(text)
    for digest, wanted in (
        ("md5", f"MD5:{found['fingerprint_md5']}"),
        ("sha256", found["fingerprint_sha256"]),
        ("sha512", found["fingerprint_sha512"]),
    ):
        shown = subprocess.check_output(["ssh-keygen", "-l", "-E", digest, "-f", tmp_path / "key.pub"], text=True)
        assert shown.split()[1] == wanted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ssh-ed25519",
        "ssh-ed25519 AAAAbroken",
        "ssh-rsa AAAA",
        "x y z",
        "ssh-ed25519 AAAA\x00",
    ],
)
def test_what_is_no_key_is_not_taken(text: str) -> None:
    assert not is_public_key(text)


@pytest.mark.parametrize("end", ["\nevil", "\r\nevil", "\n\tevil", "\n\nevil\n", "\x0bevil", "\u2028evil"])
def test_a_second_line_is_no_comment(end: str) -> None:
    assert not is_public_key(f"{new_key()}{end}")


@pytest.mark.parametrize("end", ["\n", "\r\n", " at\thome", "\tat home\n"])
def test_a_line_as_in_a_file_is_taken_and_kept_as_it_is(
    scene: Scene, eduteams: Eduteams, settings: dict[str, Any], end: str
) -> None:
    user = person(scene, eduteams, "alice")
    eduteams.keys = {"data": {"alice@eduteams.org": {"ssh_keys": [text := f"{new_key()}{end}"]}}}
    for _ in range(2):
        assert not run(scene, pull_ssh_keys, settings).failures
    assert keys_of(scene, user) == {text} and len(scene.rows(logging.event)) == 1


def test_freeipa_gets_the_final_list_once_and_an_empty_one_too(
    scene: Scene, eduteams: Eduteams, settings: dict[str, Any]
) -> None:
    user = person(scene, eduteams, "alice")
    scene.add(freeipa.profile, user_id=user, username="waldur_alice", is_active=False)
    store_key(scene, user, new_key())
    with freeipa_server() as ipa:
        ipa.users["waldur_alice"] = {"ipasshpubkey": ["old"]}
        for keys in ([new_key("a"), new_key("b")], []):
            eduteams.keys = {"data": {"alice@eduteams.org": {"ssh_keys": keys}}}
            assert not run(scene, pull_ssh_keys, settings, freeipa=freeipa_settings(ipa)).failures
            assert ipa.users["waldur_alice"]["ipasshpubkey"] == (sorted(keys) or None)
        assert ipa.calls == {"user_show": 2, "user_mod": 2}


@pytest.mark.parametrize("do", ["pull_users", "pull_ssh_keys"])
@pytest.mark.parametrize("switch", ["on", "off"])
def test_a_run_with_nothing_to_do_costs_next_to_nothing(scene: Scene, do: str, switch: str) -> None:
    """No call, one or two statements, and no module but its own."""
    told = subprocess.run(
        [sys.executable, "-c", IDLE, url_of(scene), do, switch],
        check=True,
        cwd=PROJECT,
        env=os.environ,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert int(told[0]) <= 2
    assert [name for name in told[1:] if name.startswith("waldur_dagster")] in ([], ["waldur_dagster.eduteams.due"])
    assert {name.partition(".")[0] for name in told[1:]} <= {"waldur_dagster"}


def test_a_run_that_is_killed_doubles_nothing(scene: Scene, eduteams: Eduteams, settings: dict[str, Any]) -> None:
    user = person(scene, eduteams, "alice")
    eduteams.keys = {"data": {"alice@eduteams.org": {"ssh_keys": [new_key() for _ in range(3)]}}}
    with scene.engine.connect() as blocker:  # the child waits for the row, with its keys half written
        blocker.execute(select(core.user.c.id).where(core.user.c.id == user).with_for_update())
        child = started(CHILD, url_of(scene), arguments(settings))
        wait_until(lambda: bool(eduteams.asked))
        child.kill()
    wait_until_killed(child, scene.engine)
    for _ in range(2):
        assert not run(scene, pull_ssh_keys, settings).failures
    assert len(scene.rows(core.sshpublickey)) == len(scene.rows(logging.event)) == 3


def test_two_runs_and_both_entries_at_once_double_nothing(
    scene: Scene, eduteams: Eduteams, settings: dict[str, Any]
) -> None:
    keys = [new_key() for _ in range(3)]
    for number in range(5):
        person(scene, eduteams, f"u{number}", ssh_public_key=keys)
    eduteams.keys = {"data": {name: {"ssh_keys": keys} for name in eduteams.people}}
    both = [threading.Thread(target=run, args=(scene, do, settings)) for do in (pull_users, pull_ssh_keys)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert len(scene.rows(core.sshpublickey)) == 15
    with scene.site(waldur={"WALDUR_AUTH_SOCIAL": settings}) as site:
        site.hold(ENTRIES[pull_users])
        with pytest.raises(AlreadyRunning):
            run(scene, pull_users, settings)


def test_statements_do_not_grow_with_people(
    scene: Scene, twin_scene: Scene, eduteams: Eduteams, settings: dict[str, Any]
) -> None:
    def statements(own: Scene, many: int) -> int:
        names = [f"u{number}" for number in range(many)]
        for name in names:
            store_key(own, person(own, eduteams, name), new_key())
        eduteams.keys = {"data": {f"{name}@eduteams.org": {"ssh_keys": [new_key()]} for name in names}}
        with own.site(waldur={"WALDUR_AUTH_SOCIAL": settings}) as site, counted(site.engine) as seen:
            pull_ssh_keys(site.transactions(ENTRIES[pull_ssh_keys], NOW))
        return len(seen)

    assert statements(scene, 2) == statements(twin_scene, 20)
