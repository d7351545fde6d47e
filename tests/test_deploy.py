"""What is in deploy/ fits the program; images are not built here."""

from pathlib import Path

import pytest
import yaml
from dagster._config import validate_config
from dagster._core.instance.config import dagster_instance_config_schema

from waldur_dagster.catalog import CATALOG, FAMILIES
from waldur_dagster.deployment import ConfigurationError, load_deployment

DEPLOY = Path(__file__).parents[1] / "deploy"
EXAMPLE = DEPLOY / "waldur.example.toml"


def test_the_example_deployment_is_read_and_names_only_what_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WALDUR_DB_PASSWORD", "WALDUR_MAIL_PASSWORD"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("WALDUR_CELERY_BROKER_URL", "redis://localhost/0")
    monkeypatch.setenv("WALDUR_CELERY_RESULT_URL", "redis://localhost/1")
    deployment = load_deployment(EXAMPLE)
    assert set(deployment.families) <= set(FAMILIES) and set(deployment.entries) <= set(CATALOG)
    assert deployment.options("update-invoices-total-cost", "invoices").schedule == "30 2 * * *"
    assert deployment.database.sqlalchemy_url.password == "secret"
    assert deployment.zone.key == "Europe/Tallinn"
    assert deployment.alerts.to == ("operators@example.org",)


def test_an_empty_secret_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WALDUR_DB_PASSWORD", "")
    with pytest.raises(
        ConfigurationError, match=r"WALDUR_DB_PASSWORD for \[database.password\].*WALDUR_CELERY_RESULT_URL"
    ):
        load_deployment(EXAMPLE)


@pytest.mark.parametrize("file", [DEPLOY / "dagster.yaml", DEPLOY.parent / "dagster.yaml"], ids=["server", "laptop"])
def test_dagster_accepts_the_instance_configuration(file: Path) -> None:
    settings = yaml.safe_load(file.read_text())
    result = validate_config(dagster_instance_config_schema(), settings)
    assert result.success, result.errors


def test_the_containers_share_one_image_and_name_the_front_door() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    assert {"storage", "code", "webserver", "daemon"} == set(compose["services"])
    workspace = yaml.safe_load((DEPLOY / "workspace.yaml").read_text())
    assert workspace["load_from"][0]["grpc_server"]["host"] in compose["services"]
    (helm,) = yaml.safe_load((DEPLOY / "helm-values.yaml").read_text())["dagster-user-deployments"]["deployments"]
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    assert "waldur_dagster.definitions" in helm["codeServerArgs"] and "waldur_dagster.definitions" in dockerfile
    copied = [line.split()[1] for line in dockerfile.splitlines() if line.startswith("COPY")]
    assert all((DEPLOY.parent / name).exists() for name in copied)
