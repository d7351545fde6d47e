"""How an evaluation runs: its statements, its dry run, and two of them at once."""

from __future__ import annotations

from threading import Barrier, Thread
from typing import Any

from sqlalchemy import event, update

from tests.policies.scenes import MARCH, Place, allow_mails, evaluate
from tests.scene import Scene
from tests.statements import counted
from waldur_dagster.outbox.tables import message
from waldur_dagster.policies import evaluate_policies
from waldur_dagster.schema import invoices, logging, policy

READS = ("SELECT", "WITH")


def _idle_statements(scene: Scene, policies: int) -> list[str]:
    """What an evaluation sends when there are that many policies of each state, none of which changes."""
    for _ in range(policies):
        place = Place.make(scene)
        scene.add(invoices.customercredit, customer_id=place.customer, value=1, minimal_consumption_logic="fixed")
        place.on_project("request_pausing,notify_project_team", has_fired=True)
        place.on_customer("request_pausing", limit_cost=100)
    with scene.site() as site, site.work("check-polices", MARCH) as work:
        work.content_types, work.schema.has("structure_customer")
        with counted(work.connection) as sent:
            evaluate_policies(work)
        assert work.outcome.rows == {}
    return sent


def test_policies_that_do_not_change_cost_the_same_few_reads_however_many_they_are(scene: Scene) -> None:
    few = _idle_statements(scene, 2)
    many = _idle_statements(scene, 18)
    assert len(many) == len(few) <= 12
    assert all(statement.lstrip().startswith(READS) for statement in many)
    assert not any("FOR UPDATE" in statement for statement in many)


def test_policies_without_an_action_of_their_own_fire_and_are_released_all_at_once(scene: Scene) -> None:
    def statements(policies: int) -> int:
        for _ in range(policies):
            place = Place.make(scene)
            place.on_project("block_creation_of_new_resources")
            place.on_customer("", limit_cost=100, has_fired=True)
        with scene.site() as site, site.work("check-polices", MARCH) as work:
            work.content_types, work.schema.has("structure_customer")
            with counted(work.connection) as sent:
                evaluate_policies(work)
            figures = work.outcome.figures
            assert figures["policies fired"] == figures["policies released"] == policies
        return len(sent)

    assert statements(2) == statements(20)


def test_a_dry_run_tells_what_would_happen_and_leaves_everything(scene: Scene) -> None:
    allow_mails(scene)
    place = Place.make(scene)
    place.member("member@example.org")
    place.on_project("notify_project_team,request_pausing,terminate_resources")
    with scene.site(dry_run=True) as site:
        planned = evaluate(site)
    assert scene.rows(logging.event) == scene.rows(message) == []
    assert [row.has_fired for row in scene.rows(policy.projectestimatedcostpolicy)] == [False]
    with scene.site() as site:
        done = evaluate(site)
    assert (planned.rows, planned.figures, planned.failures) == (done.rows, done.figures, [])
    assert (done.figures["mails"], done.figures["handovers"], done.figures["policies fired"]) == (1, 1, 1)


def test_two_evaluations_at_once_notify_once(scene: Scene) -> None:
    """Billing and check-polices hold different locks; the policy's own row decides who acts."""
    allow_mails(scene)
    place = Place.make(scene)
    place.member("member@example.org")
    place.on_project("notify_project_team")
    both_have_read, problems = Barrier(2, timeout=30), list[Any]()

    def run(entry: str) -> None:
        try:
            with scene.site() as site, site.work(entry, MARCH) as work:

                def wait(*args: Any) -> None:
                    if args[2].startswith("UPDATE policy_"):
                        both_have_read.wait()

                event.listen(work.connection, "before_cursor_execute", wait)
                evaluate_policies(work)
                problems.extend(work.outcome.failures)
        except Exception as error:
            problems.append(error)

    threads = [Thread(target=run, args=(entry,)) for entry in ("check-polices", "waldur-create-invoices")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert len(scene.rows(message)) == 1
    assert len(scene.rows(logging.event, event_type="policy_notification")) == 1


def test_what_somebody_edits_during_an_evaluation_is_kept(scene: Scene) -> None:
    place = Place.make(scene)
    place.on_project("")
    table = policy.projectestimatedcostpolicy

    def edit(*args: Any) -> None:
        if args[2].startswith("UPDATE policy_"):
            with scene.engine.begin() as other:
                other.execute(update(table).values(limit_cost=15, actions="request_pausing"))

    with scene.site() as site, site.work("check-polices", MARCH) as work:
        event.listen(work.connection, "before_cursor_execute", edit)
        evaluate_policies(work)
    row = scene.one(table)
    assert (row.has_fired, row.limit_cost, row.actions) == (True, 15, "request_pausing")
