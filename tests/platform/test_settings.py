"""Waldur's settings, wherever a version of Waldur keeps them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from tests.scene import Scene
from waldur_dagster.schema import constance
from waldur_dagster.settings import Settings

NOW = datetime(2025, 3, 10, tzinfo=UTC)


def test_what_newer_versions_keep_in_the_database_wins(outbox_scene: Scene) -> None:
    def store(key: str, value: object) -> None:
        stored = json.dumps({"__type__": "default", "__value__": value})
        outbox_scene.add(constance.config, key=key, value=stored)

    store("HOMEPORT_URL", "https://new.example.org/")
    store("DOCKER_IMAGES", {"r": {"image": "r-base:4", "command": "Rscript"}})
    store("TIME_ZONE", "Asia/Tokyo")  # is none of those
    waldur = {"WALDUR_CORE.HOMEPORT_URL": "https://old.example.org/", "WALDUR_MARKETPLACE_SCRIPT.K8S_NAMESPACE": "jobs"}
    with outbox_scene.site(waldur=waldur) as site, site.work("entry", NOW) as work:
        assert work.settings["WALDUR_CORE.HOMEPORT_URL"] == "https://new.example.org/"
        assert list(work.settings["WALDUR_MARKETPLACE_SCRIPT.DOCKER_IMAGES"]) == ["r"]
        assert work.settings["WALDUR_MARKETPLACE_SCRIPT.K8S_NAMESPACE"] == "jobs"
        assert work.settings["TIME_ZONE"] == "UTC"


def test_a_site_that_writes_one_of_docker_s_settings_writes_all_of_it() -> None:
    settings = Settings({"WALDUR_MARKETPLACE_SCRIPT.DOCKER_RUN_OPTIONS": {"network": "scripts"}})
    assert settings["WALDUR_MARKETPLACE_SCRIPT.DOCKER_RUN_OPTIONS"] == {"network": "scripts"}
