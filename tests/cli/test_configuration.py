"""A deployment file is checked as a whole when it is read: places, nearest names, and never a secret."""

from __future__ import annotations

from typing import Any

import pytest

from waldur_dagster.deployment import ConfigurationError, parse_deployment
from waldur_dagster.outcome import counted
from waldur_dagster.timetable import check_cron

SECRET = "hidden-word"
SITE = {"database": {"url": f"postgresql://waldur:{SECRET}@db/waldur"}}
POLICIES = "check-polices"


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ({"databse": {}}, "[databse] is unknown; did you mean database?"),
        ({"mail": {"hots": "x"}}, "[mail.hots] is unknown; did you mean host?"),
        ({"celery": {"broker": "x"}}, "[celery.broker] is unknown; did you mean broker_url?"),
        ({"script_containers": {"memry": 5}}, "[script_containers.memry] is unknown; did you mean memory?"),
        ({"entries": {POLICIES: {"scedule": "x"}}}, f"[entries.{POLICIES}.scedule] is unknown; did you mean schedule?"),
        ({"families": {"quotas": {"runing": True}}}, "[families.quotas.runing] is unknown; did you mean running?"),
        ({"entries": {"check-policies": {}}}, f"[entries] has no check-policies; did you mean {POLICIES}?"),
        (
            {"waldur": {"WALDUR_CORE.HOMEPORT_URI": "x"}},
            "no setting WALDUR_CORE.HOMEPORT_URI; did you mean WALDUR_CORE.HOMEPORT_URL?",
        ),
        ({"waldur": {"WALDUR_CORE": {"HOMEPORT_URI": "x"}}}, "did you mean WALDUR_CORE.HOMEPORT_URL?"),
        ({"waldur": {"DEFAULT_FROM_MAIL": "x"}}, "did you mean DEFAULT_FROM_EMAIL?"),
        ({"waldur": {"WALDUR_INVOICES": {"PAYMENT_INTERVAL": "soon"}}}, "PAYMENT_INTERVAL is a text; write a number"),
        ({"waldur": {"WALDUR_PAYPAL.ENABLED": "yes"}}, "WALDUR_PAYPAL.ENABLED is a text; write true or false"),
        ({"entries": {POLICIES: {"schedule": "0 0 31 2 *"}}}, "'0 0 31 2 *' never ticks"),
        ({"entries": {POLICIES: {"schedule": "0 0 30 2,2 *"}}}, "never ticks"),
        ({"entries": {POLICIES: {"schedule": "61 * * * *"}}}, "is no cron expression"),
        ({"entries": {POLICIES: {"schedule": "@daily"}}}, "is no cron expression"),
        ({"mail": {"port": 70000}}, "[mail.port]"),
        ({"mail": {"port": "smtp"}}, "[mail.port]"),
        (
            {"database": {"url": f"postgresql://waldur:{SECRET}@db:77777/waldur"}},
            "[database.url] has a port that is no number",
        ),
        ({"database": {"url": f"postgresql://waldur:{SECRET}@db"}}, "[database.url] names no database"),
        (
            {"celery": {"broker_url": f"amqp://w:{SECRET}@mq:99999//"}},
            "[celery.broker_url] has a port that is no number",
        ),
        ({"waldur_api": {"url": "https://w.example.org:0", "token": SECRET}}, "[waldur_api.url] has a port"),
        ({"owners": ["cloud"]}, "[owners] 'cloud' is neither a mail address nor a team; write team:cloud"),
        ({"source_url": "git@x:y"}, "[source_url] is no address"),
        ({"refresh_reports": "often"}, "[refresh_reports]"),
    ],
)
def test_what_is_wrong_is_told_with_its_place_and_the_nearest_name(document: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse_deployment(SITE | document)
    assert complaint in str(refused.value)
    assert SECRET not in str(refused.value)


def test_everything_that_is_wrong_is_told_at_once() -> None:
    wrong = {"mail": {"hots": "x", "port": 0}, "time_zone": "Mars"}
    with pytest.raises(ConfigurationError) as refused:
        parse_deployment(SITE | wrong)
    assert all(place in str(refused.value) for place in ("[mail.hots]", "[mail.port]", "[time_zone]"))


def test_all_missing_variables_are_in_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IS_SET", "x")
    for name in ("FIRST", "SECOND"):
        monkeypatch.delenv(name, raising=False)
    document = SITE | {
        "mail": {"password": {"env": "FIRST"}, "user": {"env": "IS_SET"}},
        "alerts": {"to": [{"env": "SECOND"}]},
    }
    with pytest.raises(ConfigurationError) as refused:
        parse_deployment(document)
    assert "these environment variables: FIRST for [mail.password], SECOND for [alerts.to.0]; set them." in str(
        refused.value
    )


@pytest.mark.parametrize(
    "waldur",
    [
        {"WALDUR_PID": {"DATACITE": {"API_URL": "https://x"}}},
        {"WALDUR_CORE.NOTIFICATIONS_PROFILE_CHANGES": {"ENABLED": True}},
        {"WALDUR_INVOICES": {"INVOICE_REPORTING": {"SAP_PARAMS": {"NEW": "1"}}}},
        {"WALDUR_MARKETPLACE_SCRIPT.DOCKER_IMAGES": {"r": {"image": "r:4", "command": "Rscript"}}},
        {"WALDUR_CORE": {"INVITATION_LIFETIME": 3600.0}},
    ],
)
def test_settings_that_waldur_knows_are_taken_though_no_job_looks_at_them(waldur: dict[str, Any]) -> None:
    assert parse_deployment(SITE | {"waldur": waldur}).waldur == waldur


@pytest.mark.parametrize("cron", ["0 0 29 2 *", "*/5 * * * mon-fri", "30 2 1,15 * *"])
def test_a_schedule_that_ticks_at_last_is_taken(cron: str) -> None:
    assert check_cron(cron) == cron


@pytest.mark.parametrize(
    ("count", "name", "words"),
    [
        (1, "mails", "1 mail"),
        (2, "mails", "2 mails"),
        (1, "policies fired", "1 policy fired"),
        (1, "usage items", "1 usage item"),
        (1200, "invoices closed", "1,200 invoices closed"),
        (1, "resources whose pull failed", "1 resource whose pull failed"),
        (1, "hand-overs", "1 hand-over"),
        (1, "corrected nc_user_count", "1 corrected nc_user_count"),
    ],
)
def test_numbers_are_told_as_people_write_them(count: int, name: str, words: str) -> None:
    assert counted(count, name) == words
