"""What a billing run has done stands, whatever the mail server does."""

from __future__ import annotations

import dagster as dg

from tests.dagster.runs import APRIL, billable, execute, figures
from tests.mail_server import free_port, mail_server
from tests.scene import Scene
from waldur_dagster.billing.monthly import ENTRY as BILLING
from waldur_dagster.deployment import Deployment
from waldur_dagster.invoices.customer_mails import NOTIFICATION
from waldur_dagster.outbox.operating import retry
from waldur_dagster.outbox.tables import message
from waldur_dagster.schema import core, invoices

OWNERS = ["a@x.org", "b@x.org", "c@x.org"]


def _deployment(scene: Scene, port: int) -> Deployment:
    """A customer whose owners are mailed its invoice."""
    if not scene.rows(core.notification):
        scene.add(core.notification, key=NOTIFICATION, enabled=True)
        customer = billable(scene)
        for address in OWNERS:
            scene.owner(customer, address)
    mail = {"host": "127.0.0.1", "port": port}
    return scene.deployment(mail=mail, waldur={"WALDUR_INVOICES.SEND_CUSTOMER_INVOICES": True})


def test_while_the_server_is_down_the_month_is_billed_and_the_mails_wait(
    scene: Scene, instance: dg.DagsterInstance
) -> None:
    result = execute(_deployment(scene, free_port()), BILLING, instance, partition=APRIL)
    assert result.success and figures(result)["not delivered"] == 3
    assert len(scene.rows(invoices.invoiceitem)) == 1
    assert [row.state for row in scene.rows(message)] == ["waiting"] * 3


def test_mails_of_an_outage_go_out_once_the_server_is_back(scene: Scene, instance: dg.DagsterInstance) -> None:
    execute(_deployment(scene, free_port()), BILLING, instance, partition=APRIL)
    retry(scene.engine)  # as when their pauses are over
    with mail_server() as server:
        assert execute(_deployment(scene, server.port), "deliver_waiting_messages", instance).success
        assert server.addresses == OWNERS


def test_an_address_that_is_refused_is_given_up_and_the_others_get_theirs(
    scene: Scene, instance: dg.DagsterInstance
) -> None:
    with mail_server(refused={"b@x.org"}) as server:
        result = execute(_deployment(scene, server.port), BILLING, instance, partition=APRIL)
        assert server.addresses == ["a@x.org", "c@x.org"]
    assert result.success and figures(result)["not delivered"] == 1
    assert [row.state for row in scene.rows(message)] == ["delivered", "given up", "delivered"]
