"""An entry needs what it uses: on a site that has only the declared tables and columns, every entry does its work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import Engine

from assets.partitions import partition_key
from tests.conftest import Templates
from tests.dagster.runs import QUIET, passing_instance
from tests.docker_server import Container, Ended, docker_server
from tests.result_store import folder_store
from waldur_dagster import clock
from waldur_dagster.availability import NEEDS, missing_parts
from waldur_dagster.availability.superseded import SUPERSEDED
from waldur_dagster.catalog import entry
from waldur_dagster.database.site_schema import SiteSchema
from waldur_dagster.definitions import build_definitions, implemented_entries
from waldur_dagster.demo.home import fill
from waldur_dagster.deployment import Deployment, parse_deployment
from waldur_dagster.schema import metadata
from waldur_dagster.schema.generations import Generation
from waldur_dagster.site import Site

NOW = clock.now()
# Their clouds are not there; what they say of that is tested elsewhere.
VISITORS = ("pull-service-properties", "pull-service-resources")


def strip(engine: Engine) -> None:
    """Drop the tables that are not declared, and of the others the columns that are not."""
    with engine.begin() as connection:
        for name, columns in SiteSchema(connection).tables.items():
            declared = metadata.tables.get(name)
            if declared is None:
                connection.exec_driver_sql(f'DROP TABLE "{name}" CASCADE')
            elif others := [column for column in columns if column not in declared.c]:
                dropped = ", ".join(f'DROP COLUMN "{column}" CASCADE' for column in others)
                connection.exec_driver_sql(f'ALTER TABLE "{name}" {dropped}')


@dataclass(frozen=True)
class Stripped:
    deployment: Deployment
    definitions: dg.Definitions


@pytest.fixture(scope="module", params=list(Generation))
def stripped(request: pytest.FixtureRequest, templates: Templates, tmp_path_factory: Any) -> Iterator[Stripped]:
    """The demo site of one generation with declared columns only."""
    folder: Path = tmp_path_factory.mktemp("stripped")

    def played(container: Container) -> Ended:
        return Ended(b"e30=")  # the last line of a script that reports nothing: {}

    with ExitStack() as parts:
        engine = parts.enter_context(templates.databases(request.param, migrated=True).lent())
        store = parts.enter_context(folder_store({}))
        docker = parts.enter_context(docker_server(played))
        strip(engine)
        document = {
            "database": {"url": engine.url.render_as_string(hide_password=False)},
            "mail": {"directory": str(folder / "mails")},
            "reports": str(folder / "reports"),
            "celery": {"result_store_url": store},
            "waldur": {
                "WALDUR_MARKETPLACE_SCRIPT": {"DOCKER_CLIENT": {"base_url": docker.url}},
                "WALDUR_MARKETPLACE": {"ENABLE_STALE_RESOURCE_NOTIFICATIONS": True, "TELEMETRY_URL": ""},
                "WALDUR_INVOICES": {"SEND_CUSTOMER_INVOICES": True, "INVOICE_REPORTING": {"ENABLE": True}},
            },
            "entries": {name: {"superseded": "run"} for name in SUPERSEDED},
        }
        deployment = parse_deployment(document)
        fill(engine, deployment, NOW)
        yield Stripped(deployment, build_definitions(deployment))


@pytest.mark.parametrize("name", sorted(implemented_entries()))
def test_an_entry_does_its_work_where_nothing_but_the_declared_columns_is(stripped: Stripped, name: str) -> None:
    with Site(stripped.deployment) as site:
        if NEEDS[name].too_new(site):
            return
        assert missing_parts(site, name) == []
    job = stripped.definitions.resolve_job_def(entry(name).dagster_name)
    result = job.execute_in_process(
        run_config=QUIET | {"resources": {"site": {"config": {"as_of": NOW.isoformat()}}}},
        partition_key=partition_key(job.partitions_def, NOW),
        instance=passing_instance(),
        raise_on_error=False,
    )
    failed = [str(event.event_specific_data) for event in result.all_events if event.is_failure]
    assert result.success or (name in VISITORS and "psycopg" not in " ".join(failed)), failed
