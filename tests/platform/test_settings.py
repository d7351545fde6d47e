"""Waldur's settings, wherever a version of Waldur keeps them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import insert

from tests.freeipa_server import freeipa_server
from tests.scene import Scene
from waldur_dagster.outbox import delivery
from waldur_dagster.outbox.tables import message, system
from waldur_dagster.schema import constance
from waldur_dagster.settings import Settings

NOW = datetime(2025, 3, 10, tzinfo=UTC)
IMAGES = "WALDUR_MARKETPLACE_SCRIPT.DOCKER_IMAGES"


def test_what_newer_versions_keep_in_the_database_wins(scene: Scene) -> None:
    def store(key: str, value: object) -> None:
        stored = json.dumps({"__type__": "default", "__value__": value})
        scene.add(constance.config, key=key, value=stored)

    store("HOMEPORT_URL", "https://new.example.org/")
    store("DOCKER_IMAGES", {"r": {"image": "r-base:4", "command": "Rscript"}})
    store("TIME_ZONE", "Asia/Tokyo")  # is none of those
    waldur = {"WALDUR_CORE.HOMEPORT_URL": "https://old.example.org/", "WALDUR_MARKETPLACE_SCRIPT.K8S_NAMESPACE": "jobs"}
    with scene.site(waldur=waldur) as site, site.work("entry", NOW) as work:
        assert work.settings["WALDUR_CORE.HOMEPORT_URL"] == "https://new.example.org/"
        assert list(work.settings["WALDUR_MARKETPLACE_SCRIPT.DOCKER_IMAGES"]) == ["r"]
        assert work.settings["WALDUR_MARKETPLACE_SCRIPT.K8S_NAMESPACE"] == "jobs"
        assert work.settings["TIME_ZONE"] == "UTC"


def test_a_site_that_writes_one_of_docker_s_settings_writes_all_of_it() -> None:
    settings = Settings({"WALDUR_MARKETPLACE_SCRIPT.DOCKER_RUN_OPTIONS": {"network": "scripts"}})
    assert settings["WALDUR_MARKETPLACE_SCRIPT.DOCKER_RUN_OPTIONS"] == {"network": "scripts"}


def test_a_site_of_2024_has_its_defaults_for_scripts(scene: Scene) -> None:
    with scene.site() as site, site.work("entry", NOW) as work:
        assert work.settings[IMAGES]["python"]["image"] == "python:3.11-alpine"
        assert work.settings["WALDUR_MARKETPLACE_SCRIPT.DOCKER_VOLUME_NAME"] == ""


@pytest.mark.generation("8")
def test_a_site_that_keeps_settings_in_the_database_has_its_defaults(scene: Scene) -> None:
    with scene.site() as site, site.work("entry", NOW) as work:
        assert work.settings[IMAGES]["python"]["image"] == "python:3.12-alpine"
        assert work.settings[IMAGES]["ansible"]["command"] == "ansible-playbook"
        assert work.settings["WALDUR_MARKETPLACE_SCRIPT.DOCKER_VOLUME_NAME"].endswith("_waldur_script_launchzone")
    own = {"python": {"image": "ours", "command": "python3"}}
    with scene.site(waldur={IMAGES: own}) as site, site.work("entry", NOW) as work:
        assert work.settings[IMAGES] == own


@pytest.mark.parametrize("opened", [True, False])
def test_freeipa_s_settings_are_those_of_the_database_when_an_account_is_asked_for(scene: Scene, opened: bool) -> None:
    key = Fernet.generate_key()
    token = Fernet(key).encrypt(b"geheim").decode()
    with freeipa_server() as server:
        for name, value in (("HOSTNAME", server.hostname), ("PASSWORD", token), ("VERIFY_SSL", False)):
            stored = json.dumps({"__type__": "default", "__value__": value})
            scene.add(constance.config, key=f"FREEIPA_{name}", value=stored)
        request = {"kind": "account", "user_id": 1, "username": "waldur_mia", "password": "for-mia"}
        row = {"key": "account", "kind": "account", "entry": "e", "run_id": "", "payload": request}
        with scene.engine.begin() as connection:
            connection.execute(insert(message).values(row))
        keys = {"keys": [key.decode()]} if opened else {}
        waldur = {"WALDUR_FREEIPA": {"HOSTNAME": "nowhere.invalid", "PASSWORD": "old"}}
        delivery.deliver(scene.engine, scene.deployment(waldur=waldur, encryption=keys))
        assert server.passwords == (["geheim"] if opened else [])
        assert list(server.users) == (["waldur_mia"] if opened else [])
    left = scene.one(message)
    if not opened:
        (freeipa,) = scene.rows(system)
        assert (left.state, left.attempts) == ("waiting", 0)
        assert "FREEIPA_PASSWORD is encrypted" in freeipa.reason and token not in freeipa.reason
