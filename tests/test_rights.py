"""Roles that may not do what an entry does are told, with what they lack, before anything is done."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest
from sqlalchemy import Engine, text

from sensors.outbox import outbox_sensor
from tests.cli.conftest import ONLY_INVOICES, Terminal, terminal  # noqa: F401  a fixture
from tests.scene import Scene
from waldur_dagster.availability import missing_parts
from waldur_dagster.deployment import Deployment, parse_deployment
from waldur_dagster.site import Site

BILLING, TOTALS = "waldur-create-invoices", "update-invoices-total-cost"
READ = "GRANT SELECT ON ALL TABLES IN SCHEMA public"
OUTBOX = (
    "GRANT USAGE ON SCHEMA waldur_dagster TO {role}",
    "GRANT ALL ON ALL TABLES IN SCHEMA waldur_dagster TO {role}",
)


@pytest.fixture
def role(scene: Scene) -> Iterator[str]:
    """A role of the test alone, without rights of its own."""
    name = f"role_{scene.engine.url.database}"
    _do(scene.engine, f"CREATE ROLE {name} LOGIN")
    try:
        yield name
    finally:
        _do(scene.engine, f"DROP OWNED BY {name} CASCADE", f"DROP ROLE {name}")


def _do(engine: Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def _as(scene: Scene, role: str) -> Deployment:
    url = scene.engine.url.set(username=role).render_as_string(hide_password=False)
    return parse_deployment({"first_month": "2024-01", "database": {"url": url}})


def _lacking(scene: Scene, role: str, entry: str = TOTALS) -> list[str]:
    with Site(_as(scene, role)) as site:
        return missing_parts(site, entry)


def test_a_role_that_may_only_read_is_told_what_it_may_not_write(scene: Scene, role: str) -> None:
    outbox = [statement.format(role=role) for statement in OUTBOX]
    _do(scene.engine, f"{READ} TO {role}", *outbox)
    assert _lacking(scene, role) == [f"the right to UPDATE invoices_invoice (grant it to {role})"]
    _do(scene.engine, f"GRANT UPDATE (total_cost, total_price) ON invoices_invoice TO {role}")
    assert _lacking(scene, role) == []
    billing = "\n".join(_lacking(scene, role, BILLING))
    assert "the right to INSERT invoices_invoice " in billing and "DELETE, INSERT invoices_invoiceitem" in billing
    assert "structure_customer" not in billing


def test_a_table_that_may_not_be_read_and_an_outbox_that_may_not_be_used_are_named(scene: Scene, role: str) -> None:
    _do(scene.engine, f"{READ} TO {role}", f"GRANT UPDATE ON invoices_invoice TO {role}")
    _do(scene.engine, f"REVOKE SELECT ON structure_customer FROM {role}")
    lacking = _lacking(scene, role)
    assert f"the right to SELECT structure_customer (grant it to {role})" in lacking
    assert any("waldur_dagster.outbox_message" in part for part in lacking)


def test_the_outbox_waits_for_a_role_that_may_use_it(scene: Scene, role: str) -> None:
    sensor = outbox_sensor(_as(scene, role))
    with dg.DagsterInstance.ephemeral() as instance, dg.build_sensor_context(instance) as context:
        waits = sensor.evaluate_tick(context)
        _do(scene.engine, *(statement.format(role=role) for statement in OUTBOX))
        looks = sensor.evaluate_tick(context)
    assert (
        waits.skip_message is not None and f"waldur_dagster.outbox_message (grant it to {role})" in waits.skip_message
    )
    assert looks.skip_message is not None and looks.skip_message.startswith("Nothing waits")


def test_the_doctor_and_a_run_by_hand_tell_it_in_their_ways(
    scene: Scene,
    role: str,
    terminal: Terminal,  # noqa: F811
) -> None:
    url = _as(scene, role).database.url.get_secret_value()
    terminal.configure(url, ONLY_INVOICES)
    nothing = terminal("doctor")
    assert (nothing.status, nothing.out, nothing.err.count("\n")) == (2, "", 1)
    assert "may read none of Waldur's tables" in nothing.err and "GRANT SELECT" in nothing.err
    outbox = terminal("outbox", "list")
    assert (outbox.status, outbox.err.count("\n")) == (2, 1) and "permission denied" in outbox.err
    _do(scene.engine, f"{READ} TO {role}", *(one.format(role=role) for one in OUTBOX))
    some = terminal("doctor")
    assert some.status == 1 and "UPDATE invoices_invoice" in " ".join(some.out.split())
