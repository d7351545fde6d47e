"""Outside systems that break, each with every fault of the table: nothing is lost, it ends in time, and it is told.

A family that visits a system gets a line in ``families`` (or ``providers``): how a small site with it is made, and what
visits it.
"""

from __future__ import annotations

import base64
import binascii
import re
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch
from urllib.parse import unquote_plus

from sqlalchemy import URL, create_engine, text

from tests.chaos.families import FAMILIES
from tests.chaos.faults import faulty
from tests.chaos.providers import OUTBOX, PROVIDERS
from tests.chaos.sizes import Size
from tests.chaos.systems import SECRET, System
from tests.databases import Databases
from tests.datacite.server import PASSWORD as OF_DATACITE
from tests.eduteams.scenes import SECRETS as OF_EDUTEAMS
from tests.freeipa.scenes import PASSWORD as OF_FREEIPA
from tests.help_desks.desk_site import SECRET as OF_DESKS
from tests.openstack.cloud import PASSWORD as OF_CLOUDS
from tests.openstack.scenes import NOW
from tests.rabbitmq import PASSWORD as OF_RABBITMQ
from tests.rancher.keycloak_server import PASSWORD as OF_KEYCLOAK
from tests.rancher.rancher_server import SECRET as OF_RANCHER
from tests.remote.remote_waldur import TOKEN as OF_REMOTES
from tests.scene import Scene
from tests.services.azure_server import SECRET as OF_AZURE
from tests.services.test_amazon import SECRET as OF_AMAZON
from waldur_dagster.clients import agent_queues, broker, datacite, freeipa, http, patience, waldur
from waldur_dagster.demo import server
from waldur_dagster.outbox.delivery import deliver
from waldur_dagster.outbox.migrate import migrate
from waldur_dagster.outbox.tables import message
from waldur_dagster.outcome import Outcome
from waldur_dagster.platform.month import Month
from waldur_dagster.remote import offerings_sync, project_permissions, robot_accounts
from waldur_dagster.schema.generations import Generation, create_tables
from waldur_dagster.visits import loop

SYSTEMS = (*OUTBOX, *PROVIDERS, *FAMILIES)
# Seconds that a visit may take with the short time-outs below; on a busy machine too.
LONGEST = 60.0
WAITS = {"waiting", "perhaps delivered"}
REFUSES = ("400", "404", "redirect", "5xx", "echo")
KEPT = text(
    "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' "
    "AND pg_relation_size(c.oid) > 0"
)
SECRETS = (
    *(SECRET, OF_AMAZON, OF_AZURE, OF_CLOUDS, OF_DATACITE, OF_DESKS, OF_FREEIPA, OF_KEYCLOAK, OF_RABBITMQ),
    *(*OF_EDUTEAMS, OF_RANCHER, OF_REMOTES),
)
# Columns in which Waldur shows what went wrong.
SHOWN = ("error_message", "error_traceback", "last_error", "last_output")
Rows = Mapping[tuple[str, Any], Mapping[str, Any]]


@contextmanager
def short_time_outs() -> Iterator[None]:
    """What takes tens of seconds takes one."""
    with (
        patch.multiple(http, TIMEOUT=1.0),
        patch.multiple(freeipa, LONG=2.0),
        patch.multiple(patience, TIMEOUT=1.0, LONGEST_PAUSE=0.01, LONGEST_ANSWER=2.0),
        patch.multiple(loop, ALLOWED=3.0),
        patch.multiple(offerings_sync, ALLOWED=3.0),
        patch.multiple(project_permissions, ALLOWED=3.0),
        patch.multiple(robot_accounts, ALLOWED=3.0),
        patch.multiple(broker, CONNECT_TIMEOUT=1.0, ANSWER_TIMEOUT=1.0),
        patch.multiple(agent_queues, CONNECT_TIMEOUT=1.0, ANSWER_TIMEOUT=1.0),
        patch.multiple(waldur, PAUSE=0.01),
        patch.multiple(datacite, PAUSE=0),
    ):
        yield


def problems(scene: Scene, system: System, fault: str) -> list[str]:
    """What is wrong when a system has a fault; ``short_time_outs`` hold."""
    with faulty(fault) as port, system.prepare(scene, port) as document:
        before = _rows(scene)
        begun = time.monotonic()
        told = list((_visited if system.do else _delivered)(scene, document, system, fault))
        took = time.monotonic() - begun
    found = [f"took {took:.0f} seconds"] if took > LONGEST else []
    found += _touched(system, before, _rows(scene))
    return [f"{system.name}, {fault}: {one}" for one in (*found, *told)]


def _touched(system: System, before: Rows, after: Rows) -> Iterator[str]:
    for table in {table for table, _ in before}:
        own = [key for key in before if key[0] == table]
        if lost := [id for _, id in own if (table, id) not in after]:
            yield f"{table} lost the rows {lost}"
        changed = [key for key in own if key in after and after[key] != before[key]]
        if len(changed) > system.changes.get(table, 0):
            names = {name for key in changed for name, value in after[key].items() if before[key].get(name) != value}
            yield f"{len(changed)} rows of {table} are changed: {', '.join(sorted(names))}"
    for row in after.values():
        yield from (f"{name} shows a secret" for name in SHOWN if shows_secret(str(row.get(name) or "")))


def _visited(scene: Scene, document: Mapping[str, Any], system: System, fault: str) -> Iterator[str]:
    assert system.do is not None
    try:
        with scene.site(**document) as site:
            month = [Month.of(NOW, site.deployment.zone)] if system.by_month else []
            system.do(site.transactions(system.entry, NOW), *month)
    except Exception as problem:  # that is what is looked for
        yield f"raised {type(problem).__name__}: {problem}"
        return
    outcome = site.outcome
    if not outcome.failures and not outcome.warnings and fault not in system.taken:
        yield "nothing was told"
    if system.does and not outcome.rows.get(system.does) and not outcome.figures[system.does]:
        yield f"what is well was not done: no {system.does}"
    if shows_secret(words := _words(outcome)):
        yield f"a secret is told: {words}"


def _words(outcome: Outcome) -> str:
    return " ".join(f"{one.item} {one.problem}" for one in (*outcome.failures, *outcome.warnings))


def _delivered(scene: Scene, document: Mapping[str, Any], system: System, fault: str) -> Iterator[str]:
    delivered = deliver(scene.engine, scene.deployment(**document))
    rows = scene.rows(message)
    allowed = WAITS | ({"given up"} if fault.startswith(REFUSES) else set())
    allowed |= {"delivered"} if fault in system.taken else set()
    yield from (f"a message is {row.state}: {row.last_error}" for row in rows if row.state not in allowed)
    if not delivered.not_delivered and any(row.state != "delivered" for row in rows):
        yield "nothing was told"
    if shows_secret(" ".join([*delivered.findings(), *(row.last_error or "" for row in rows)])):
        yield "a secret is told"


def shows_secret(words: str) -> bool:
    """As it is, as in a form, or as in a header of name and password."""
    shown = [unquote_plus(words)]
    for piece in re.findall(r"[A-Za-z0-9+/]{12,}={0,2}", words):
        try:
            shown.append(base64.b64decode(piece + "=" * (-len(piece) % 4)).decode(errors="replace"))
        except binascii.Error:
            continue
    return any(secret in one for secret in SECRETS for one in shown)


def _rows(scene: Scene) -> Rows:
    with scene.engine.connect() as connection:
        return {
            (table, row.get("id", str(row))): row
            for table in connection.scalars(KEPT).all()
            for row in connection.scalars(text(f'SELECT to_jsonb(t) FROM "{table}" t'))
        }


def all_faults(server_url: URL, size: Size) -> Iterator[list[str]]:
    """Every system with every fault, a few at once: most of the time is waited for."""
    databases = {one: _databases(server_url, one) for one in {system.generation for system in SYSTEMS}}

    def attempt(pair: tuple[System, str]) -> list[str]:
        with databases[pair[0].generation].lent() as own:
            return problems(Scene(own), *pair)

    with short_time_outs(), ThreadPoolExecutor(4) as pool:
        yield from pool.map(attempt, [(system, fault) for system in SYSTEMS for fault in system.faults])


def _databases(server_url: URL, generation: Generation) -> Databases:
    name = f"outside_{generation}"
    engine = create_engine(server.create_database(server_url, name))
    with engine.begin() as connection:
        create_tables(connection, generation)
    migrate(engine)
    engine.dispose()
    return Databases(server_url, name)


__all__ = ["SYSTEMS", "all_faults", "problems", "short_time_outs"]
