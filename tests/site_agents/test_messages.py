"""Agents are told of silent resources and waiting orders, on a real RabbitMQ (spec people, newer form)."""

from __future__ import annotations

import json
import logging as python_logging
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from tests.mail_server import free_port
from tests.rabbitmq import PASSWORD, USER, RabbitMq
from tests.scene import Scene
from tests.site_agents.conftest import AGENTS
from tests.site_agents.scenes import NOON
from tests.statements import counted
from waldur_dagster.outbox.tables import agent_message
from waldur_dagster.outcome import Outcome
from waldur_dagster.schema import core, django, logging, marketplace
from waldur_dagster.site import Site
from waldur_dagster.site_agents.pending_orders import remind_of_pending_orders
from waldur_dagster.site_agents.recipients import recipients
from waldur_dagster.site_agents.silent_resources import ask_for_silent_resources

RESOURCES, ORDERS = "sync-resources", "send-messages-about-pending-orders"
HOUR = timedelta(hours=1)
pytestmark = pytest.mark.generation("8")


class Agents:
    """A site with offerings of site agents, and the RabbitMQ by which the agents are told."""

    def __init__(self, scene: Scene, server: RabbitMq | None):
        self.scene, self.server = scene, server
        self.customer = scene.customer()
        self.project = scene.project(self.customer)
        self.offering = self.new_offering()

    def new_offering(self, **values: Any) -> int:
        return self.scene.offering(self.customer, **{"type": "Marketplace.Slurm"} | values)

    def agent(self, number: int = 0, offering: int | None = None, **values: Any) -> int:
        """A user with a virtual host of his own and a role on an offering."""
        user = self.scene.user("agent@example.org", uuid=AGENTS[number], **values)
        self.scene.role(user, "OFFERING.MANAGER", "offering", offering or self.offering)
        return user

    def subscribe(self, user: int, *types: str, offering: int | None = None, declared: bool = True) -> list[str]:
        """A subscription to types of objects, with its queues; returns their names."""
        scene, made = self.scene, uuid4()
        subscription = scene.add(
            logging.eventsubscription,
            uuid=made,
            user_id=user,
            observable_objects=[{"object_type": name} for name in types],
        )
        sold: UUID = scene.one(marketplace.offering, id=offering or self.offering).uuid
        vhost = self.scene.rows(core.user, id=user)[0].uuid.hex
        names = [f"subscription_{made.hex}_offering_{sold.hex}_{name}" for name in types]
        for kind, name in zip(types, names, strict=True):
            if scene.schema.has("logging_eventsubscriptionqueue"):
                facts = {"offering_uuid": sold, "object_type": kind, "event_subscription_id": subscription}
                scene.add(logging.eventsubscriptionqueue, **facts)
            if declared and self.server is not None:
                self.server.declare_for_agent(vhost, name)
        return names

    def resource(self, hours: float = 2, offering: int | None = None, **values: Any) -> str:
        """The uuid of a resource that was synchronized so long ago."""
        made = uuid4()
        facts: dict[str, Any] = {"uuid": made, "last_sync": NOON - timedelta(hours=hours), "backend_id": "b-1"} | values
        self.scene.resource(self.project, offering or self.offering, None, **facts)
        return made.hex

    def order(self, hours: float = 2, state: int = 7) -> str:
        made = uuid4()
        resource = self.scene.resource(self.project, self.offering, None, last_sync=NOON)
        facts = {"offering_id": self.offering, "project_id": self.project, "resource_id": resource, "attributes": {}}
        self.scene.add(marketplace.order, uuid=made, state=state, created=NOON - timedelta(hours=hours), **facts)
        return made.hex

    def tell(self, entry: str = RESOURCES, as_of: datetime = NOON, *, dry_run: bool = False, **changed: Any) -> Outcome:
        port, amqp = (self.server.stomp_port, self.server.port) if self.server else (1, 1)
        rabbit = {"HOST": "127.0.0.1", "STOMP_PORT": port, "USER": USER, "PASSWORD": PASSWORD} | changed
        document = {"waldur": {"RABBITMQ": rabbit}, "site_agents": {"amqp_port": amqp}}
        do = ask_for_silent_resources if entry == RESOURCES else remind_of_pending_orders
        with self.scene.site(dry_run=dry_run, **document) as site:
            do(site.transactions(entry, as_of, python_logging.getLogger("test")))
            return site.outcome

    def heard(self, number: int, queue: str) -> list[dict[str, Any]]:
        assert self.server is not None
        return [json.loads(message.body) for message in self.server.messages(AGENTS[number].hex, queue)]


@pytest.fixture
def agents(scene: Scene, stomp: RabbitMq) -> Agents:
    return Agents(scene, stomp)


def test_silent_resources_are_asked_for_by_their_subscriptions(agents: Agents) -> None:
    (queue,) = agents.subscribe(agents.agent(), "resource")
    asked = {agents.resource(1), agents.resource(state=3, downscaled=True)}
    for hours, state in ((0.99, 2), (2, 1), (2, 4), (2, 5), (2, 6)):
        agents.resource(hours, state=state)
    agents.resource(offering=agents.new_offering(type="Marketplace.Basic"))
    done = agents.tell()
    assert done.figures["messages"] == 2 and not done.failures and not done.warnings
    heard = agents.heard(0, queue)
    assert {message["resource_uuid"] for message in heard} == asked
    offering = agents.scene.one(marketplace.offering, id=agents.offering).uuid.hex
    erred = next(message for message in heard if message["downscaled"])
    assert erred | {"resource_uuid": ""} == {
        "resource_uuid": "",
        "resource_backend_id": "b-1",
        "downscaled": True,
        "restrict_member_access": False,
        "paused": False,
        "offering_uuid": offering,
        "sequence_number": 1,
    }


def test_waiting_orders_are_told_of_after_an_hour(agents: Agents) -> None:
    orders, _ = agents.subscribe(agents.agent(), "order", "resource")
    waiting = agents.order(1.01)
    agents.order(1)
    for state in (1, 2, 3, 8, 9):
        agents.order(state=state)
    agents.tell(ORDERS)
    (heard,) = agents.heard(0, orders)
    assert (heard["order_uuid"], heard["order_state"]) == (waiting, "pending-provider")


def test_what_was_said_is_repeated_after_four_hours_or_when_it_has_changed(agents: Agents) -> None:
    (queue,) = agents.subscribe(agents.agent(), "resource")
    agents.resource()
    for hours in (0, 1, 3.9):
        agents.tell(as_of=NOON + timedelta(hours=hours))
    assert [message["sequence_number"] for message in agents.heard(0, queue)] == [1]
    with agents.scene.engine.begin() as connection:
        connection.execute(marketplace.resource.update().values(paused=True))
    agents.tell(as_of=NOON + timedelta(hours=3.95))
    agents.tell(as_of=NOON + timedelta(hours=8))
    heard = agents.heard(0, queue)
    assert [(message["sequence_number"], message["paused"]) for message in heard] == [(2, True), (3, True)]


def test_nobody_starves_behind_fifty_resources_whose_agent_is_silent(agents: Agents) -> None:
    (queue,) = agents.subscribe(agents.agent(), "resource")
    made = [agents.resource(200 - number) for number in range(120)]
    runs = []
    for minutes in range(0, 40, 10):
        agents.tell(as_of=NOON + timedelta(minutes=minutes))
        runs.append([message["resource_uuid"] for message in agents.heard(0, queue)])
    assert runs == [made[:50], made[50:100], made[100:], []]


def test_a_virtual_host_that_is_missing_is_told_and_the_others_are_served(agents: Agents) -> None:
    lost = agents.scene.user("lost@example.org", is_staff=True)
    for user in (lost, agents.agent()):
        queues = agents.subscribe(user, "resource", declared=user != lost)
    made = [agents.resource(100 - number) for number in range(60)]
    done = agents.tell()
    assert [finding.item for finding in done.failures] == [
        f"virtual host {agents.scene.one(core.user, id=lost).uuid.hex}"
    ]
    assert "does not open this virtual host" in done.failures[0].problem
    assert [message["resource_uuid"] for message in agents.heard(0, queues[0])] == made[:50]
    agents.tell(as_of=NOON + timedelta(minutes=10))
    assert [message["resource_uuid"] for message in agents.heard(0, queues[0])] == made[50:]


def test_a_queue_that_is_missing_is_told_and_the_others_are_served(agents: Agents) -> None:
    other = agents.new_offering()
    user = agents.agent()
    agents.scene.role(user, "OFFERING.MANAGER", "offering", other)
    (there,) = agents.subscribe(user, "resource")
    (gone,) = agents.subscribe(user, "resource", offering=other, declared=False)
    asked = agents.resource()
    agents.resource(offering=other)
    done = agents.tell()
    assert [finding.item for finding in done.warnings] == [f"queue {gone}"] and not done.failures
    assert [message["resource_uuid"] for message in agents.heard(0, there)] == [asked]
    assert agents.server is not None
    assert agents.server.queues(gone, virtual_host=AGENTS[0].hex) == []
    agents.server.declare_for_agent(AGENTS[0].hex, gone)
    agents.tell(as_of=NOON + timedelta(minutes=10))
    assert len(agents.heard(0, gone)) == 1 and agents.heard(0, there) == []


def test_a_rabbitmq_that_is_down_is_told_once_and_nothing_counts_as_said(agents: Agents) -> None:
    queues = [agents.subscribe(agents.agent(number), "resource")[0] for number in range(4)]
    agents.resource()
    done = agents.tell(STOMP_PORT=free_port())
    assert 1 <= len(done.failures) <= 4 and all("cannot be reached" in one.problem for one in done.failures)
    assert all(PASSWORD not in one.problem for one in done.failures)
    assert all(row.sent is None for row in agents.scene.rows(agent_message))
    agents.tell()
    assert [len(agents.heard(number, queue)) for number, queue in enumerate(queues)] == [1] * 4


def test_a_wrong_password_is_not_tried_for_everybody(agents: Agents) -> None:
    for number in range(4):
        agents.subscribe(agents.agent(number), "resource")
    agents.resource()
    done = agents.tell(PASSWORD="geheim-wrong")
    assert done.failures and "does not let this program in" in done.failures[0].problem
    assert "geheim-wrong" not in str(done.failures)


def test_without_a_port_nobody_is_told_and_the_run_says_so(scene: Scene) -> None:
    agents = Agents(scene, None)
    agents.subscribe(agents.agent(), "resource")
    agents.resource()
    done = agents.tell(STOMP_PORT=None)
    assert not done.failures and "STOMP_PORT is empty" in done.warnings[0].problem


def test_where_amqp_cannot_be_reached_messages_go_out_and_the_run_says_what_is_not_known(agents: Agents) -> None:
    (queue,) = agents.subscribe(agents.agent(), "resource")
    agents.resource()
    assert agents.server is not None
    real, agents.server.port = agents.server.port, free_port()
    try:
        done = agents.tell()
    finally:
        agents.server.port = real
    assert len(agents.heard(0, queue)) == 1
    assert ["amqp_port" in finding.problem for finding in done.warnings] == [True]


def test_a_dry_run_says_what_it_would_send(agents: Agents) -> None:
    (queue,) = agents.subscribe(agents.agent(), "resource")
    agents.resource()
    done = agents.tell(dry_run=True)
    assert done.figures["outside changes that would be made"] == 1
    assert agents.heard(0, queue) == [] and agents.scene.rows(agent_message) == []


def test_who_may_see_an_offering_is_told_of_it(agents: Agents) -> None:
    """By a role on the offering, its customer or its project, or as staff or support; inactive users select none."""
    scene, other = agents.scene, agents.new_offering()
    of_project = agents.new_offering(project_id=agents.project)
    users = {
        name: scene.user(f"{name}@example.org", **values)
        for name, values in {
            "staff": {"is_staff": True},
            "support": {"is_support": True},
            "customer": {},
            "project": {},
            "nobody": {},
            "inactive": {"is_staff": True, "is_active": False},
            "revoked": {},
        }.items()
    }
    scene.role(users["customer"], "CUSTOMER.SUPPORT", "customer", agents.customer)
    scene.role(users["project"], "PROJECT.MEMBER", "project", agents.project)
    scene.role(users["revoked"], "CUSTOMER.OWNER", "customer", agents.customer, is_active=False)
    offerings = (agents.offering, other, of_project)
    for user in users.values():
        for offering in offerings:
            agents.subscribe(user, "order", offering=offering, declared=False)
    with scene.site() as site, site.work(ORDERS, NOON) as work:
        seen = recipients(work, "order")
        rows = work.connection.execute(select(seen.c.vhost, seen.c.offering_id).distinct()).all()
        none = recipients(work, "resource")
        assert work.connection.execute(select(none)).all() == []
    names = {scene.one(core.user, id=user).uuid.hex: name for name, user in users.items()}
    found = {(names[row.vhost], offerings.index(row.offering_id)) for row in rows}
    wanted = {(name, number) for name in ("staff", "support", "customer", "inactive") for number in range(3)}
    assert found == wanted | {("project", 2)}


def test_only_offerings_of_active_subscribers_are_looked_at(agents: Agents) -> None:
    agents.subscribe(agents.agent(is_active=False), "resource")
    agents.resource()
    assert agents.tell().figures["messages"] == 0


def test_a_consumer_has_one_queue_in_the_place_of_its_user_s_subscriptions(agents: Agents) -> None:
    scene, user = agents.scene, agents.agent()
    (own,) = agents.subscribe(user, "resource")
    (others,) = agents.subscribe(agents.agent(1), "resource")
    uuid = uuid4()
    facts = {"rmq_username": "u", "queue_created": True, "object_types": ["resource"], "user_id": user}
    consumer = scene.add(logging.eventconsumer, uuid=uuid, **facts)
    kind = scene.one(django.content_type, model="offering").id
    scope = {"consumer_id": consumer, "content_type_id": kind, "object_id": agents.offering}
    scene.add(logging.eventconsumerscope, **scope)
    queue = f"consumer_{uuid.hex}"
    assert agents.server is not None
    agents.server.declare_for_agent(AGENTS[0].hex, queue)
    asked = agents.resource()
    agents.tell()
    (heard,) = agents.heard(0, queue)
    assert (heard["resource_uuid"], heard["object_type"], heard["schema_version"]) == (asked, "resource", 1)
    assert agents.heard(0, own) == [] and len(agents.heard(1, others)) == 1


@pytest.mark.parametrize(
    ("bound", "role", "others", "told"),
    [
        ("offering", False, False, True),
        ("customer", True, False, False),
        ("customer", True, True, True),
        ("customer", False, True, False),
        (None, False, True, False),
    ],
)
def test_a_consumer_that_is_bound_to_an_offering_selects_it_without_a_role(
    agents: Agents, bound: str | None, role: bool, others: bool, told: bool
) -> None:
    """One that is bound to its customer needs a role, and is told where others have selected the offering."""
    scene, user = agents.scene, agents.scene.user("bound@example.org")
    if others:
        agents.subscribe(agents.agent(), "resource", declared=False)
    if role:
        scene.role(user, "CUSTOMER.SUPPORT", "customer", agents.customer)
    facts = {"rmq_username": "u", "queue_created": True, "object_types": [], "user_id": user}
    consumer = scene.add(logging.eventconsumer, uuid=uuid4(), **facts)
    if bound:
        at = agents.offering if bound == "offering" else agents.customer
        kind = scene.one(django.content_type, model=bound).id
        scene.add(logging.eventconsumerscope, consumer_id=consumer, content_type_id=kind, object_id=at)
    with scene.site() as site, site.work(RESOURCES, NOON) as work:
        seen = recipients(work, "resource")
        found = work.connection.execute(select(seen.c.offering_id).where(seen.c.unified)).all()
    assert found == [(agents.offering,)] * told


@pytest.mark.parametrize(
    "change",
    [{"queue_created": False}, {"rmq_username": ""}, {"object_types": ["order"]}],
    ids=["no queue", "no user", "other objects"],
)
def test_a_consumer_that_gets_nothing_takes_no_subscription_s_place(agents: Agents, change: dict[str, Any]) -> None:
    user = agents.agent()
    (queue,) = agents.subscribe(user, "resource")
    facts = {"rmq_username": "u", "queue_created": True, "object_types": [], "user_id": user} | change
    consumer = agents.scene.add(logging.eventconsumer, uuid=uuid4(), **facts)
    kind = agents.scene.one(django.content_type, model="offering").id
    scope = {"consumer_id": consumer, "content_type_id": kind, "object_id": agents.offering}
    agents.scene.add(logging.eventconsumerscope, **scope)
    agents.resource()
    agents.tell()
    assert len(agents.heard(0, queue)) == 1


def test_sites_of_2025_have_queues_made_by_the_first_message_and_plain_contents(agents: Agents) -> None:
    scene = agents.scene
    with scene.engine.begin() as connection:
        for table in ("eventsubscriptionqueue", "eventconsumerscope", "eventconsumer"):
            connection.exec_driver_sql(f"DROP TABLE logging_{table} CASCADE")
    agents.scene = Scene(scene.engine, known=True)
    (queue,) = agents.subscribe(agents.agent(), "order", declared=False)
    order = agents.order()
    for minutes in (0, 60):
        agents.tell(ORDERS, NOON + timedelta(minutes=minutes))
    heard = agents.heard(0, queue)
    offering = scene.one(marketplace.offering, id=agents.offering).uuid.hex
    assert heard == [{"order_uuid": order, "offering_uuid": offering}] * 2
    assert agents.server is not None
    agents.server.delete(queue, AGENTS[0].hex)


def test_a_run_with_nothing_to_say_asks_once_and_one_with_much_to_say_as_often_as_one_with_little(
    agents: Agents,
) -> None:
    def statements(site: Site) -> list[str]:
        with counted(site.engine) as seen:
            ask_for_silent_resources(site.transactions(RESOURCES, NOON))
        return [
            statement for statement in seen if "logging_eventsubscription" in statement or "agent_message" in statement
        ]

    assert agents.server is not None
    rabbit = {"HOST": "127.0.0.1", "STOMP_PORT": agents.server.stomp_port, "USER": USER, "PASSWORD": PASSWORD}
    document: dict[str, Any] = {"waldur": {"RABBITMQ": rabbit}, "site_agents": {"amqp_port": agents.server.port}}
    agents.subscribe(agents.agent(), "resource")
    counts = []
    for number in (0, 2, 20):
        for _ in range(number):
            agents.resource()
        with agents.scene.site(**document) as site:
            counts.append(len(statements(site)))
    assert counts[0] == 1 and counts[1] == counts[2]
