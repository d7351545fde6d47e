"""doctor, migrate and outbox; and how the program answers when it cannot work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Engine, insert, text

from tests.cli.conftest import ONLY_INVOICES, Terminal
from tests.scene import Scene
from waldur_dagster.outbox.tables import message, system
from waldur_dagster.schema import constance

SECRET = "hidden-word"


def _lines(table: str, word: str) -> list[str]:
    return [line for line in table.splitlines() if word in line]


# doctor


def test_the_doctor_is_content_with_a_whole_site(terminal: Terminal, scene: Scene) -> None:
    terminal.configure(scene.engine, ONLY_INVOICES)
    answer = terminal("doctor")
    assert answer.status == 0
    assert "reachable" in answer.out
    (billing,) = _lines(answer.out, "waldur-create-invoices")
    assert "yes" in billing
    assert "hand-overs wait" in answer.out


def test_the_doctor_names_what_is_missing_for_each_entry_and_says_so_to_scripts(
    terminal: Terminal, scene: Scene
) -> None:
    terminal.configure(scene.engine, ONLY_INVOICES)
    with scene.engine.begin() as connection:
        connection.execute(text("DROP TABLE promotions_campaign CASCADE"))
    answer = terminal("doctor")
    assert answer.status == 1
    (billing,), (totals,) = (
        _lines(answer.out, name) for name in ("waldur-create-invoices", "update-invoices-total-cost")
    )
    assert "no" in billing.split() and "promotions_campaign" in billing
    assert "yes" in totals.split()
    quiet = terminal("doctor", "--quiet")
    assert (quiet.status, quiet.out) == (1, "")


def test_the_doctor_misses_nothing_for_entries_that_an_older_waldur_does_not_have(
    terminal: Terminal, scene: Scene, tmp_path: Path
) -> None:
    terminal.configure(scene.engine, f'[celery]\nresult_store_url = "file://{tmp_path}"')
    answer = terminal("doctor")
    (line,) = _lines(answer.out, "sync-resources")
    assert (answer.status, "not here" in line, "logging_eventsubscription" in line) == (0, True, True)


def test_the_doctor_names_what_is_left_alone(terminal: Terminal, scene: Scene) -> None:
    with scene.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE openstack_loadbalancer (id integer)")
    terminal.configure(scene.engine, ONLY_INVOICES)
    answer = terminal("doctor")
    assert "does not pull them from clouds: openstack_loadbalancer." in answer.out
    assert answer.status == 0


def test_the_doctor_misses_the_outbox_until_it_is_migrated(terminal: Terminal, database: Engine) -> None:
    terminal.configure(database, ONLY_INVOICES)
    before = terminal("doctor")
    assert before.status == 1 and "waldur-dagster migrate" in before.out
    assert terminal("migrate").out == "The schema waldur_dagster is up to date.\n"
    assert terminal("migrate").status == 0
    assert terminal("doctor").status == 0


def test_the_doctor_examines_registered_entries_only(terminal: Terminal, scene: Scene) -> None:
    out = ONLY_INVOICES + "\n[entries.waldur-create-invoices]\nregistered = false"
    terminal.configure(scene.engine, out)
    with scene.engine.begin() as connection:
        connection.execute(text("DROP TABLE promotions_campaign CASCADE"))
    answer = terminal("doctor")
    assert answer.status == 0 and "waldur-create-invoices" not in answer.out


def test_the_doctor_shows_settings_of_a_newer_waldur_and_where_scripts_run(terminal: Terminal, scene: Scene) -> None:
    terminal.configure(scene.engine)
    for key, value in (("HOMEPORT_URL", "https://new.example.org/"), ("SCRIPT_RUN_MODE", "k8s")):
        stored = json.dumps({"__type__": "default", "__value__": value})
        scene.add(constance.config, key=key, value=stored)
    answer = terminal("doctor")
    assert "https://new.example.org/" in answer.out
    assert "the cluster of ~/.kube/config" in answer.out


def test_the_doctor_shows_where_agents_and_citations_are_told_of(terminal: Terminal, scene: Scene) -> None:
    rabbit = f'RABBITMQ = {{ HOST = "rabbit.example.org", STOMP_PORT = 61613, PASSWORD = "{SECRET}" }}'
    pids = f'DATACITE = {{ API_URL = "https://dois.example.org", REPOSITORY_ID = "A.B", PASSWORD = "{SECRET}" }}'
    terminal.configure(scene.engine, f"{ONLY_INVOICES}\n[waldur]\n{rabbit}\n[waldur.WALDUR_PID]\n{pids}")
    answer = terminal("doctor")
    assert "rabbit.example.org" in answer.out and "https://dois.example.org" in answer.out
    assert SECRET not in answer.out + answer.err


def test_the_doctor_tells_encrypted_values_that_no_key_opens(terminal: Terminal, scene: Scene) -> None:
    key, token = Fernet.generate_key().decode(), Fernet(Fernet.generate_key()).encrypt(b"hidden-word").decode()
    scene.offering(scene.customer(), secret_options={"token": token})
    for name, value in (("FREEIPA_PASSWORD", token), ("FREEIPA_ENABLED", True)):
        scene.add(constance.config, key=name, value=json.dumps({"__type__": "default", "__value__": value}))
    waldur = '[waldur]\n"WALDUR_CORE.INVITATION_CREATE_MISSING_USER" = true'
    terminal.configure(scene.engine, f'[encryption]\nkeys = ["{key}"]\n{waldur}')
    answer = terminal("doctor")
    assert answer.status == 1
    (told,) = _lines(answer.out, "Encrypted, and no key")
    assert "marketplace_offering.secret_options (1 row), setting FREEIPA_PASSWORD" in told
    (invitations,) = _lines(answer.out, "process-pending-project-invitations")
    assert "FREEIPA_PASSWORD is encrypted" in invitations
    assert not any(secret in answer.out + answer.err for secret in (SECRET, token, key))


def test_the_doctor_says_why_broker_and_results_cannot_be_used(terminal: Terminal, scene: Scene) -> None:
    results = f"db+postgresql+psycopg://u:{SECRET}@127.0.0.1:1/celery_results"
    celery = f'[celery]\nbroker_url = "amqp://u:{SECRET}@127.0.0.1:1//"\nresult_store_url = "{results}"'
    terminal.configure(scene.engine, f"{ONLY_INVOICES}\n{celery}")
    answer = terminal("doctor")
    (broker,), (store,) = (_lines(answer.out, name) for name in ("Celery broker", "Celery results"))
    assert "127.0.0.1:1 cannot be reached" in broker and "does not answer" in store
    assert answer.status == 0 and SECRET not in answer.out + answer.err


def test_the_doctor_shows_no_secret(terminal: Terminal, scene: Scene) -> None:
    url = scene.engine.url.set(password=SECRET).render_as_string(hide_password=False)
    terminal.configure(url, f'password = "{SECRET}"\n{ONLY_INVOICES}\n[celery]\nbroker_url = "redis://:{SECRET}@x/0"')
    answer = terminal("doctor")
    assert answer.status == 0 and "configured" in answer.out
    assert SECRET not in answer.out + answer.err


def test_the_doctor_names_columns_of_a_newer_waldur_that_cannot_be_filled(terminal: Terminal, scene: Scene) -> None:
    terminal.configure(scene.engine, ONLY_INVOICES)
    with scene.engine.begin() as connection:
        connection.execute(text("ALTER TABLE invoices_invoice ADD COLUMN novelty text NOT NULL"))
        connection.execute(text("ALTER TABLE invoices_invoiceitem ADD COLUMN lifetime tstzrange NOT NULL"))
    answer = terminal("doctor")
    assert answer.status == 0
    assert "invoices_invoiceitem.lifetime (tstzrange)" in answer.out and "novelty" not in answer.out


def test_the_doctor_tells_which_outside_systems_are_configured(terminal: Terminal, scene: Scene) -> None:
    api = '[waldur_api]\nurl = "https://waldur.example"\ntoken = "hidden-word"'
    waldur = '[waldur]\nWALDUR_FREEIPA = { ENABLED = true, HOSTNAME = "ipa.x.org" }'
    terminal.configure(scene.engine, f"{ONLY_INVOICES}\n{api}\n{waldur}")
    answer = terminal("doctor")
    shown = {name: _lines(answer.out, name)[0] for name in ("Waldur's API", "FreeIPA", "PayPal", "Celery results")}
    assert "https://waldur.example" in shown["Waldur's API"] and "ipa.x.org" in shown["FreeIPA"]
    assert "none" in shown["PayPal"] and "none" in shown["Celery results"]
    assert SECRET not in answer.out


# migrate


def test_a_user_who_may_not_make_the_schema_is_told_what_the_owner_has_to_do(
    terminal: Terminal, database: Engine
) -> None:
    name = str(database.url.database)
    with database.begin() as connection:
        connection.execute(text(f'CREATE ROLE "{name}" LOGIN'))
    terminal.configure(database.url.set(username=name).render_as_string(hide_password=False))
    refused = terminal("migrate")
    remedy = f'CREATE SCHEMA waldur_dagster AUTHORIZATION "{name}"'
    assert refused.status == 2 and remedy in refused.err and refused.err.count("\n") == 1
    with database.begin() as connection:
        connection.execute(text(remedy))
    assert terminal("migrate").status == 0
    assert terminal("outbox", "list").out == "Nothing waits.\n"
    with database.begin() as connection:
        connection.execute(text(f'DROP OWNED BY "{name}" CASCADE'))
        connection.execute(text(f'DROP ROLE "{name}"'))


# outbox


def _waiting(scene: Scene, *keys: str, **values: object) -> None:
    payload = {"kind": "mail", "subject": "Hello", "body": "B", "from_address": "site@x.org", "to": ["you@x.org"]}
    rows = [{"key": key, "kind": "mail", "entry": "e", "run_id": "", "payload": payload} | values for key in keys]
    with scene.engine.begin() as connection:
        connection.execute(insert(message).values(rows))


def _states(scene: Scene) -> dict[str, str]:
    return {row.key: row.state for row in scene.rows(message)}


def test_the_outbox_lists_what_waits_and_why(terminal: Terminal, scene: Scene) -> None:
    terminal.configure(scene.engine)
    assert terminal("outbox", "list").out == "Nothing waits.\n"
    _waiting(scene, "one", last_error="[mail] the server says no")
    _waiting(scene, "two", state="given up")
    _waiting(scene, "done", state="delivered")
    _waiting(scene, "odd", payload={"to": 7})
    listed = terminal("outbox", "list").out
    (one,) = _lines(listed, " one ")
    assert "to you@x.org: Hello" in one and "[mail] the server says no" in one
    assert "given up" in _lines(listed, " two ")[0]
    assert "malformed payload" in _lines(listed, " odd ")[0]
    assert not _lines(listed, " done ")
    assert _lines(terminal("outbox", "list", "--all").out, " done ")


def test_retry_delivers_what_is_named_or_all(terminal: Terminal, scene: Scene) -> None:
    terminal.configure(scene.engine)
    later = text("now() + interval '1 hour'")
    for key in ("one", "two"):
        _waiting(scene, key, next_attempt=later)
    answer = terminal("outbox", "retry", "one")
    assert (answer.status, answer.out) == (0, "1 made due, 1 delivered, 0 failed\n")
    assert _states(scene) == {"one": "delivered", "two": "waiting"}
    assert terminal("outbox", "retry", "--all").out == "1 made due, 1 delivered, 0 failed\n"
    assert len(terminal.mails) == 2
    assert terminal("outbox", "retry").status == 2


def test_retry_tells_what_failed_again(terminal: Terminal, scene: Scene) -> None:
    terminal.configure(scene.engine)
    _waiting(scene, "odd", payload={"to": 7}, state="given up")
    answer = terminal("outbox", "retry", "--all")
    assert answer.status == 1 and answer.err.startswith("odd: malformed payload")
    assert _states(scene) == {"odd": "given up"}


def test_a_key_that_no_message_has_is_an_error(terminal: Terminal, scene: Scene) -> None:
    terminal.configure(scene.engine)
    _waiting(scene, "one")
    for word in ("retry", "drop"):
        answer = terminal("outbox", word, "one", "onne")
        assert (answer.status, answer.out) == (1, "")
        assert answer.err == "No message has the key 'onne'; see `waldur-dagster outbox list`.\n"
    assert _states(scene) == {"one": "waiting"}


def test_retry_of_what_is_delivered_says_so(terminal: Terminal, scene: Scene) -> None:
    terminal.configure(scene.engine)
    _waiting(scene, "one", state="delivered")
    answer = terminal("outbox", "retry", "one")
    assert answer.status == 1 and "delivered, dropped, being sent" in answer.err


@pytest.mark.parametrize("columns", ["40", "80", "250"])
def test_keys_can_be_copied_whole_from_a_terminal_of_any_width(
    terminal: Terminal, scene: Scene, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    terminal.configure(scene.engine)
    keys = ["short", f"usage report {'0123456789abcdef' * 6} somebody.with.a.name@institute.example.org [2025-03]"]
    _waiting(scene, *keys)
    listed = terminal("outbox", "list").out
    assert all(_lines(listed, key) for key in keys)


def test_messages_of_another_deployment_are_shown_and_taken_over_on_purpose(terminal: Terminal, scene: Scene) -> None:
    terminal.configure(scene.engine)
    _waiting(scene, "theirs", origin="production on 1/waldur")
    listed = terminal("outbox", "list").out
    assert "not from here: production on 1/waldur" in listed and "1 belongs to another deployment" in listed
    assert terminal("outbox", "retry", "--all").out == "0 made due, 0 delivered, 0 failed\n"
    assert terminal("outbox", "adopt").out == "1 taken over; they are sent by the next delivery\n"
    assert terminal("outbox", "retry", "--all").out == "1 made due, 1 delivered, 0 failed\n"


def test_outside_systems_that_are_down_are_shown_with_the_time_of_the_next_try(
    terminal: Terminal, scene: Scene
) -> None:
    terminal.configure(scene.engine)
    _waiting(scene, "hook", kind="webhook", payload={"kind": "webhook", "url": "http://127.0.0.1/hidden-path"})
    with scene.engine.begin() as connection:
        later = {"name": "webhook 127.0.0.1", "reason": "web hook 127.0.0.1: it is down", "next_try": text("now()")}
        connection.execute(insert(system).values(later))
    listed = terminal("outbox", "list").out
    assert "webhook 127.0.0.1: left alone since" in listed and "it is down" in listed
    assert "hidden-path" not in listed


def test_migrating_gives_messages_from_before_an_owner(terminal: Terminal, scene: Scene) -> None:
    terminal.configure(scene.engine)
    _waiting(scene, "old")
    assert terminal("migrate").status == 0
    assert scene.one(message).origin.startswith("waldur on ")


def test_what_is_dropped_is_never_sent(terminal: Terminal, scene: Scene) -> None:
    terminal.configure(scene.engine)
    _waiting(scene, "one", "two")
    assert terminal("outbox", "drop", "one").out == "1 dropped\n"
    terminal("outbox", "retry", "--all")
    assert _states(scene) == {"one": "dropped", "two": "delivered"}
    nothing = terminal("outbox", "drop", "two")
    assert nothing.status == 1 and "neither wait nor were given up" in nothing.err


# What cannot work


@pytest.mark.parametrize(
    "words",
    [
        ("doctor",),
        ("migrate",),
        ("run", "update-invoices-total-cost"),
        ("partitions", "sync"),
        ("outbox", "list"),
        ("outbox", "retry", "--all"),
    ],
    ids=" ".join,
)
def test_a_database_that_is_down_is_told_in_one_line_without_the_password(
    terminal: Terminal, words: tuple[str, ...]
) -> None:
    terminal.configure(f"postgresql://waldur:{SECRET}@127.0.0.1:1/waldur")
    answer = terminal(*words)
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert "No connection to postgresql+psycopg://***@127.0.0.1:1/waldur" in answer.err
    assert SECRET not in answer.err


def test_an_outbox_that_is_not_there_is_told_in_one_line(terminal: Terminal, database: Engine) -> None:
    terminal.configure(database)
    for words in (("outbox", "list"), ("outbox", "retry", "--all"), ("outbox", "drop", "key")):
        answer = terminal(*words)
        assert answer.status == 2
        assert answer.err == "waldur-dagster: The site has no outbox yet: run `waldur-dagster migrate`.\n"


@pytest.mark.parametrize(
    ("url", "extra", "complaint"),
    [
        (f"mysql://waldur:{SECRET}@db/waldur", "", "[database.url] names mysql; Waldur runs on PostgreSQL"),
        (f"waldur:{SECRET}@db", "", "[database.url] is not a database URL"),
        (f"postgresql://waldur:{SECRET}@db/waldur", "[databases]", "[databases] is unknown; did you mean database?"),
        (f"postgresql://waldur:{SECRET}@db/waldur", "tls = true", "[mail.tls] is unknown"),
        (
            f"postgresql://waldur:{SECRET}@db/waldur",
            'password = { env = "NOT_SET_HERE" }',
            "wants the environment variable: NOT_SET_HERE for [mail.password]; set it.",
        ),
        (f"postgresql://waldur:{SECRET}@db/waldur", "[celery", "cannot be read"),
    ],
)
def test_a_wrong_deployment_file_is_told_in_one_line_with_the_place_and_without_secrets(
    terminal: Terminal, url: str, extra: str, complaint: str
) -> None:
    file = terminal.configure(url, extra)
    answer = terminal("doctor")
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert complaint in answer.err and str(file) in answer.err
    assert SECRET not in answer.err


def test_no_deployment_at_all_is_told_with_what_to_do(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WALDUR_DAGSTER_CONFIG", raising=False)
    answer = terminal("doctor")
    assert answer.status == 2 and "set WALDUR_DAGSTER_CONFIG" in answer.err
    terminal.configure("postgresql://x/y").unlink()
    assert "does not exist" in terminal("doctor").err
