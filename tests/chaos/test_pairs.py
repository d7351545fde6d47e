"""Jobs that write the same tables never wait for each other in a circle."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.chaos.pairs import Job, meetings
from tests.chaos.steps import small_site, steps
from tests.conftest import Templates
from tests.scene import Scene
from tests.structure.cloud import NOW, Cloud
from waldur_dagster.availability.writes import WRITES
from waldur_dagster.deployment import Deployment
from waldur_dagster.marketplace.states import OrderState, OrderType, ResourceState
from waldur_dagster.marketplace.timeouts import give_up_stale_orders
from waldur_dagster.platform.plugin_resources import CREATING
from waldur_dagster.plugin_operations.stuck_resources import set_stuck_resources_erred
from waldur_dagster.schema.generations import Generation

# Far enough for much to be over: both jobs then have the same rows to write.
LATER = datetime(2025, 6, 1, 4, tzinfo=UTC)
PAIRS = (
    ("terminate_expired_resources", "terminate_resources_if_project_end_date_has_been_reached"),
    ("waldur-create-invoices 3", "check-polices"),
    ("waldur-create-invoices 2", "update-invoices-total-cost"),
    ("check-expired-permissions", "structure-set-erred-stuck-resources"),
)


def problems(deployment: Deployment, first: Job, second: Job, every: int) -> list[str]:
    """Only a row of a table that both write can be waited for; make chaos stops at all others too."""
    written = [WRITES[job.name.partition(" ")[0]].keys() for job in (first, second)]
    tables = frozenset(written[0] & written[1])
    assert tables
    return [
        f"{name}: {problem}"
        for pair in ((first, second), (second, first))
        for found in meetings(deployment, *pair, every=every, tables=tables)
        for name, problem in found.problems.items()
    ]


def test_jobs_that_give_up_the_same_resource_do_not_block_each_other(scene: Scene) -> None:
    cloud = Cloud(scene)
    for _ in range(3):
        bought = cloud.bought(cloud.volume(CREATING), ResourceState.CREATING)
        cloud.order(bought, OrderType.CREATE, state=OrderState.EXECUTING, modified=NOW - timedelta(hours=5))
    with scene.engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE \"{scene.engine.url.database}\" SET deadlock_timeout='50ms'")
    deployment = scene.deployment()
    stuck = Job("structure-set-erred-stuck-resources", set_stuck_resources_erred, NOW)
    stale = Job("mark_resources_as_erred_after_timeout", give_up_stale_orders, NOW)
    assert problems(deployment, stuck, stale, every=1) == []


@pytest.fixture(scope="module")
def site(templates: Templates) -> Iterator[Deployment]:
    with templates.databases(Generation.OCTOBER_2024, migrated=True).lent() as engine:
        yield small_site(engine)


@pytest.mark.parametrize("names", PAIRS, ids=" and ".join)
def test_a_pair_of_jobs_does_not_deadlock(site: Deployment, names: tuple[str, str]) -> None:
    work = steps()
    first, second = (Job(name, work[name], LATER) for name in names)
    assert problems(site, first, second, every=5) == []
