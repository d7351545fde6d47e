"""A run that is killed while agents are told: the next one tells the rest, and nobody is forgotten."""

from __future__ import annotations

import json
from datetime import timedelta

from tests.processes import started, wait_until, wait_until_killed
from tests.rabbitmq import PASSWORD, USER, RabbitMq
from tests.scene import Scene
from tests.sessions import ending
from tests.site_agents.conftest import AGENTS
from tests.site_agents.scenes import NOON
from tests.site_agents.test_messages import Agents, pytestmark  # noqa: F401  of the newest generation
from waldur_dagster.outbox.tables import agent_message

RUN = """
import json, sys
from datetime import datetime
from waldur_dagster.deployment import parse_deployment
from waldur_dagster.site import Site
from waldur_dagster.site_agents.silent_resources import ask_for_silent_resources
deployment = parse_deployment(json.loads(sys.argv[1]))
with Site(deployment) as site:
    ask_for_silent_resources(site.transactions("sync-resources", datetime.fromisoformat(sys.argv[2])))
"""

# What was said cannot be noted: a run that is killed then has noted nothing.
HOLD = """
    CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$;
    CREATE TRIGGER hold BEFORE INSERT ON waldur_dagster.agent_message EXECUTE FUNCTION hold()
"""
# PostgreSQL notices only at the end of a statement that its client has gone.
END = ending("datname = current_database() AND wait_event = 'PgSleep'")


def test_what_a_killed_run_did_not_say_is_said_by_the_next(scene: Scene, stomp: RabbitMq) -> None:
    agents = Agents(scene, stomp)
    (queue,) = agents.subscribe(agents.agent(), "resource")
    made = {agents.resource() for _ in range(3)}
    rabbit = {"HOST": "127.0.0.1", "STOMP_PORT": stomp.stomp_port, "USER": USER, "PASSWORD": PASSWORD}
    document = {
        "database": {"url": scene.engine.url.render_as_string(hide_password=False)},
        "waldur": {"RABBITMQ": rabbit},
        "site_agents": {"amqp_port": stomp.port},
    }
    with scene.engine.begin() as connection:
        connection.exec_driver_sql(HOLD)
    run = started(RUN, json.dumps(document), NOON.isoformat())
    heard: list[str] = []

    def all_said() -> bool:
        heard.extend(message["resource_uuid"] for message in agents.heard(0, queue))
        return set(heard) == made

    wait_until(all_said)
    run.kill()
    with scene.engine.begin() as connection:
        connection.exec_driver_sql(END)
        connection.exec_driver_sql("DROP FUNCTION hold CASCADE")
    wait_until_killed(run, scene.engine)
    assert scene.rows(agent_message) == []
    agents.tell(as_of=NOON + timedelta(minutes=10))  # a hint that comes twice does no harm
    assert {message["resource_uuid"] for message in agents.heard(0, queue)} == made
    assert {row.topic.partition("/")[0] for row in scene.rows(agent_message)} == {"subscription"}
    assert AGENTS[0].hex not in queue
