"""Agents that have not called for an hour are shown as disconnected (spec people)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.scene import Scene
from tests.site_agents.scenes import NOON, Cluster
from tests.statements import counted
from waldur_dagster.schema import marketplace
from waldur_dagster.site_agents.connections import mark_silent_agents

agent = marketplace.integrationstatus
HOUR, MICROSECOND = timedelta(hours=1), timedelta(microseconds=1)


def _agent(scene: Scene, cluster: Cluster, number: int, **values: object) -> int:
    facts = {"status": 2, "last_request_timestamp": NOON - 2 * HOUR} | values
    return scene.add(agent, offering_id=cluster.offering, agent_type=str(number), **facts)


@pytest.mark.parametrize("_", [pytest.param("2024-10"), pytest.param("8", marks=pytest.mark.generation("8"))])
def test_more_than_an_hour_of_silence_disconnects_active_agents_of_site_agent_offerings(scene: Scene, _: str) -> None:
    cluster, other = Cluster(scene, state=4), Cluster(scene, type="Marketplace.Script")
    late = [_agent(scene, cluster, 1), _agent(scene, cluster, 2, last_request_timestamp=NOON - HOUR - MICROSECOND)]
    stays = [
        _agent(scene, cluster, 3, last_request_timestamp=NOON - HOUR),
        _agent(scene, cluster, 4, last_request_timestamp=None),
        _agent(scene, cluster, 5, status=1),
        _agent(scene, other, 1),
    ]
    with scene.site() as site:
        with site.work("entry", NOON) as work, counted(work.connection) as statements:
            assert mark_silent_agents(work) == len(late)
        with site.work("entry", NOON) as work:
            assert mark_silent_agents(work) == 0
    assert len(statements) == 1
    assert [scene.one(agent, id=one).status for one in late + stays] == [3, 3, 2, 2, 1, 2]
