"""Whatever one row holds, jobs end and do the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from tests.chaos.junk import Junk, dry_run, junk_in, missed, places
from tests.chaos.pairs import Job
from tests.chaos.steps import small_site, steps
from tests.conftest import Templates
from waldur_dagster.deployment import Deployment
from waldur_dagster.outcome import Outcome
from waldur_dagster.schema.generations import Generation

JUNE = datetime(2025, 6, 1, 4, tzinfo=UTC)
NAMES = (
    "waldur-create-invoices 2",
    "waldur-create-invoices 3",
    "update-invoices-total-cost",
    "send-notifications-about-upcoming-ends",
    "terminate_expired_resources",
    "terminate_resources_if_project_end_date_has_been_reached",
    "structure-set-erred-stuck-resources",
    "mark_resources_as_erred_after_timeout",
    "check-expired-permissions",
    "cancel-expired-invitations",
    "notification_about_resource_ending",
    "check-polices",
)


@dataclass
class Place:
    engine: Engine
    deployment: Deployment

    @cached_property
    def usual(self) -> dict[str, Outcome]:
        return {name: dry_run(self.deployment, job) for name, job in self.jobs.items()}

    @cached_property
    def jobs(self) -> dict[str, Job]:
        work = steps()
        return {name: Job(name, work[name], JUNE) for name in NAMES}

    def troubles(self, junk: Junk) -> list[str]:
        found: list[str] = []
        with junk_in(self.engine, junk) as taken:
            for name, job in self.jobs.items() if taken else ():
                try:
                    outcome = dry_run(self.deployment, job)
                except Exception as problem:  # that is what is looked for
                    found.append(f"{name}: {junk}: {str(problem).partition(chr(10))[0]}")
                else:
                    found += [f"{name}: {junk}: {one}" for one in missed(self.usual[name], outcome)]
        return found


@pytest.fixture(scope="module")
def place(templates: Templates) -> Iterator[Place]:
    with templates.databases(Generation.OCTOBER_2024, migrated=True).lent() as engine:
        yield Place(engine, small_site(engine))


@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@example(junk=Junk("structure_project", "end_date", "infinity"))
@example(junk=Junk("structure_project", "end_date", "-infinity"))
@example(junk=Junk("marketplace_resource", "end_date", "-infinity"))
@example(junk=Junk("marketplace_resource", "created", "infinity"))
@example(junk=Junk("invoices_customercredit", "end_date", "infinity"))
@example(junk=Junk("permissions_userrole", "expiration_time", "-infinity"))
@example(junk=Junk("users_invitation", "created", "-infinity"))
@example(junk=Junk("marketplace_plancomponent", "price", "999999999999"))
@given(junk=st.tuples(st.integers(0, 9999), st.integers(0, 99), st.integers(0, 2)))
def test_junk_in_one_row_stops_nothing(place: Place, junk: Junk | tuple[int, int, int]) -> None:
    if not isinstance(junk, Junk):
        where, what, position = junk
        known = places(place.engine)
        table, column, values = known[where % len(known)]
        junk = Junk(table, column, values[what % len(values)], position)
    assert place.troubles(junk) == []
