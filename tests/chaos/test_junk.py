"""Whatever one row holds, jobs end, do the others, and name it where it could not be done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from tests.chaos.junk import Junk, Usual, dry_run, junk_in, new_findings, places, troubles, usual_of, words_of
from tests.chaos.pairs import Job
from tests.chaos.steps import small_site, steps
from tests.conftest import Templates
from waldur_dagster.deployment import Deployment
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
    def usual(self) -> dict[str, Usual]:
        return {name: usual_of(self.deployment, job) for name, job in self.jobs.items()}

    @cached_property
    def jobs(self) -> dict[str, Job]:
        work = steps()
        return {name: Job(name, work[name], JUNE) for name in NAMES}

    def troubles(self, junk: Junk) -> list[str]:
        with junk_in(self.engine, junk) as taken:
            return [
                trouble
                for name, job in (self.jobs.items() if taken else ())
                for trouble in troubles(self.engine, self.deployment, job, self.usual[name], junk)
            ]


@pytest.fixture(scope="module")
def place(templates: Templates) -> Iterator[Place]:
    with templates.databases(Generation.OCTOBER_2024, migrated=True).lent() as engine:
        made = Place(engine, small_site(engine))
        assert made.usual  # before there is junk
        yield made


@settings(
    max_examples=3,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),  # a place is as small as it can be
    suppress_health_check=list(HealthCheck),
)
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


@pytest.mark.parametrize(
    "junk",
    [
        Junk("marketplace_resource", "limits", '"text"'),
        Junk("marketplace_resource", "limits", '{"ram": "many"}'),
        Junk("marketplace_resource", "limits", '{"ram": 1e300}'),
        Junk("marketplace_resource", "plan_id", None),
    ],
    ids=str,
)
def test_what_cannot_be_billed_is_named(place: Place, junk: Junk) -> None:
    name = "waldur-create-invoices 3"
    with junk_in(place.engine, junk) as taken:
        assert taken
        (told,) = new_findings(place.usual[name].outcome, dry_run(place.deployment, place.jobs[name]))
        assert any(word in told.item for word in words_of(place.engine, junk))
        assert "One" in told.item
