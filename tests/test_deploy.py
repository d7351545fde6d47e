"""The example deployment file is one that the program accepts."""

from pathlib import Path

import pytest

from waldur_dagster.catalog import CATALOG, FAMILIES
from waldur_dagster.deployment import load_deployment

EXAMPLE = Path(__file__).parents[1] / "deploy" / "waldur.example.toml"


def test_the_example_deployment_is_read_and_names_only_what_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WALDUR_DB_PASSWORD", "WALDUR_MAIL_PASSWORD"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("WALDUR_CELERY_BROKER_URL", "redis://localhost/0")
    deployment = load_deployment(EXAMPLE)
    assert set(deployment.families) <= set(FAMILIES) and set(deployment.entries) <= set(CATALOG)
    assert deployment.options("update-invoices-total-cost", "invoices").schedule == "30 2 * * *"
    assert deployment.database.sqlalchemy_url.password == "secret"
    assert deployment.zone.key == "Europe/Tallinn"
