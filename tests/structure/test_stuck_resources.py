"""Resources that are being created for too long."""

import json
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from sqlalchemy import Engine, select, text

from tests.scene import BORN, Scene
from tests.statements import counted
from tests.structure.cloud import NOW, Cloud
from waldur_dagster.marketplace.states import OrderState, OrderType, ResourceState
from waldur_dagster.outbox.delivery import deliver
from waldur_dagster.outbox.tables import message
from waldur_dagster.outcome import Outcome
from waldur_dagster.platform.plugin_resources import CREATING, CREATION_SCHEDULED, ERRED
from waldur_dagster.plugin_operations.stuck_resources import set_stuck_resources_erred
from waldur_dagster.schema import constance, logging, marketplace, openstack, structure

ENTRY = "structure-set-erred-stuck-resources"
CHANGED = "marketplace_resource_has_been_changed"


@pytest.fixture
def cloud(scene: Scene) -> Cloud:
    return Cloud(scene)


def run(scene: Scene, *, dry_run: bool = False) -> tuple[Outcome, int]:
    """What a run did, and with how many statements."""
    with scene.site(dry_run=dry_run) as site, site.work(ENTRY, NOW) as work, counted(work.connection) as statements:
        set_stuck_resources_erred(work)
        return work.outcome, len(statements)


def kinds(scene: Scene) -> list[str]:
    return [row.event_type for row in scene.rows(logging.event)]


def mails(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return [payload["to"][0] for payload in connection.scalars(select(message.c.payload)) if "to" in payload]


def test_a_resource_without_an_order_gets_all_its_news_and_stops_nobody(cloud: Cloud) -> None:
    cloud.bought(cloud.volume(CREATING), ResourceState.CREATING)
    cloud.volume(CREATING, name="other")
    outcome, _ = run(cloud.scene)
    assert [row.state for row in cloud.scene.rows(openstack.volume)] == [ERRED, ERRED]
    assert kinds(cloud.scene) == ["resource_creation_failed"] * 2 + [CHANGED, "marketplace_resource_create_failed"]
    assert [finding.problem for finding in outcome.warnings] == ["has no single order that is creating it"]


def test_a_resource_goes_straight_to_erred_and_its_expired_project_stays(cloud: Cloud) -> None:
    with cloud.scene.engine.begin() as connection:
        connection.execute(structure.project.update().values(end_date=date(2025, 3, 1)))
    bought = cloud.bought(cloud.volume(CREATION_SCHEDULED), ResourceState.CREATING, cloud.plan, backend_id="")
    cloud.scene.add(marketplace.resourceplanperiod, resource_id=bought, plan_id=cloud.plan, start=BORN)
    order = cloud.order(bought, OrderType.CREATE)
    run(cloud.scene)
    assert cloud.scene.one(marketplace.order, id=order).state == OrderState.ERRED
    assert cloud.scene.one(marketplace.order).error_message == "Provisioning has timed out."
    assert not cloud.scene.one(structure.project).is_removed
    assert cloud.scene.one(marketplace.resourceplanperiod).end is None
    assert kinds(cloud.scene) == ["marketplace_order_failed", CHANGED, "marketplace_resource_create_failed"]


@pytest.mark.parametrize(("in_database", "told"), [(True, []), (False, ["marketplace_resource_create_failed"])])
def test_news_of_changes_can_be_switched_off_and_in_newer_versions_their_events_too(
    cloud: Cloud, in_database: bool, told: list[str]
) -> None:
    cloud.bought(cloud.volume(CREATING), ResourceState.CREATING)
    waldur = {} if in_database else {"WALDUR_MARKETPLACE.NOTIFY_ABOUT_RESOURCE_CHANGE": False}
    if in_database:
        off = json.dumps({"__type__": "default", "__value__": False})
        cloud.scene.add(constance.config, key="NOTIFY_ABOUT_RESOURCE_CHANGE", value=off)
    with cloud.scene.site(waldur=waldur) as site, site.work(ENTRY, NOW) as work:
        set_stuck_resources_erred(work)
    assert kinds(cloud.scene) == ["resource_creation_failed", CHANGED, *told]
    assert cloud.scene.rows(message) == []


def test_the_one_who_ordered_is_called_back_without_a_body(cloud: Cloud) -> None:
    calls: list[tuple[str, bytes, str | None]] = []

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            calls.append((self.path, body, self.headers["Authorization"]))
            self.send_response(500)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Tests are quiet."""

    server = HTTPServer(("127.0.0.1", 0), Listener)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    bought = cloud.bought(cloud.volume(CREATING), ResourceState.CREATING)
    cloud.order(bought, OrderType.CREATE, callback_url=f"http://127.0.0.1:{server.server_port}/done?token=x")
    run(cloud.scene)
    deliver(cloud.scene.engine, cloud.scene.deployment())
    server.shutdown()
    assert calls == [("/done?token=x", b"", None)]


def test_malformed_facts_of_one_row_stop_nobody_and_are_kept_as_text(cloud: Cloud) -> None:
    cloud.bought(cloud.volume(CREATING, action_details="{broken"), ResourceState.CREATING, backend_metadata=[1])
    cloud.bought(cloud.volume(CREATING), ResourceState.CREATING, backend_metadata={"kept": 1})
    run(cloud.scene)
    broken, sound = (row.backend_metadata for row in cloud.scene.rows(marketplace.resource))
    assert broken["action_details"] == "{broken" and broken["state"] == "Erred"
    assert (sound["kept"], sound["action_details"], sound["size"]) == (1, {}, 1024)


def test_name_and_backend_id_are_copied_with_events_that_show_the_old_state(cloud: Cloud) -> None:
    cloud.bought(cloud.volume(CREATING, backend_id="abc", name="new"), ResourceState.CREATING)
    run(cloud.scene)
    bought = cloud.scene.one(marketplace.resource)
    assert (bought.name, bought.backend_id, bought.state) == ("new", "abc", ResourceState.ERRED)
    states = [row.context["resource_get_state_display"] for row in cloud.scene.rows(logging.event, event_type=CHANGED)]
    assert states == ["Creating", "Creating", "Erred"]


def test_plugins_that_are_not_installed_are_passed_over(cloud: Cloud) -> None:
    with cloud.scene.engine.begin() as connection:
        connection.execute(text("DROP TABLE waldur_firecrest_job, waldur_slurm_allocation CASCADE"))
    cloud.volume(CREATING)
    assert run(cloud.scene)[0].rows["openstack_volume"]["updated"] == 1


def test_a_row_that_somebody_else_is_writing_is_left_to_the_next_run(cloud: Cloud) -> None:
    held = cloud.volume(CREATING)
    cloud.volume(CREATING)
    with cloud.scene.engine.connect() as other:
        other.execute(text("SELECT FROM openstack_volume WHERE id = :id FOR UPDATE"), {"id": held})
        run(cloud.scene)
    assert [row.state for row in cloud.scene.rows(openstack.volume)] == [CREATING, ERRED]


def test_the_team_is_mailed_once_however_often_the_job_runs(cloud: Cloud) -> None:
    cloud.bought(cloud.volume(CREATING), ResourceState.CREATING)
    run(cloud.scene)
    run(cloud.scene)
    assert mails(cloud.scene.engine) == ["member@example.org"]


def test_a_dry_run_reports_all_and_changes_nothing(cloud: Cloud) -> None:
    cloud.bought(cloud.volume(CREATING), ResourceState.CREATING)
    outcome, _ = run(cloud.scene, dry_run=True)
    assert outcome.rows["marketplace_resource"]["updated"] == 2 and outcome.figures["mails"] == 1
    assert cloud.scene.one(openstack.volume).state == CREATING
    assert mails(cloud.scene.engine) == [] and kinds(cloud.scene) == []


def test_the_number_of_statements_does_not_depend_on_the_number_of_rows(cloud: Cloud) -> None:
    def stuck(rows: int) -> None:
        for _ in range(rows):
            cloud.order(cloud.bought(cloud.volume(CREATING), ResourceState.CREATING), OrderType.CREATE)

    stuck(2)
    _, few = run(cloud.scene)
    stuck(20)
    outcome, many = run(cloud.scene)
    assert outcome.rows["marketplace_order"]["updated"] == 20
    assert many == few
