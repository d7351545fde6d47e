"""What is done again by Dagster when the tries inside a step were in vain, and what is not."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from sqlalchemy import text

from jobs.entry_job import entry_job, item_by_item_job
from tests.conftest import PROJECT
from tests.dagster.runs import QUIET, troubles
from tests.scene import Scene
from waldur_dagster import resources
from waldur_dagster import site as site_module
from waldur_dagster.deployment import Deployment
from waldur_dagster.functions import Function
from waldur_dagster.resources import LATER_TRIES, site_resource
from waldur_dagster.schema import structure
from waldur_dagster.site import TRIES, Transactions
from waldur_dagster.work import Refused, Work

ENTRY = "waldur-marketplace-script-remove-old-dry-runs"
customer = structure.customer
# How often a step has been begun; the functions below are named by place, so they can hold nothing.
begun: list[str] = []


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    begun.clear()
    monkeypatch.setattr(site_module, "PAUSES", site_module.wait_random(0, 0.01))
    monkeypatch.setattr(resources, "SECONDS_BETWEEN", 0)


def _rename(work: Work, name: str = "after") -> None:
    work.execute(customer.update().values(name=name, abbreviation=customer.c.abbreviation + "x"))


def _fail(work: Work, code: str = "40P01") -> None:
    work.connection.execute(text(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{code}'; END $$"))


def fails_as_often_as_a_step_is_tried(work: Work) -> None:
    begun.append("")
    _rename(work)
    if len(begun) <= TRIES:
        _fail(work)


def fails_always(work: Work) -> None:
    begun.append("")
    _rename(work)
    _fail(work)


def meets_what_does_not_pass(work: Work) -> None:
    begun.append("")
    _rename(work)
    _fail(work, "57014")


def refuses(_: Work) -> None:
    begun.append("")
    raise Refused("not on this site; ask for another")


def fails_at_the_second_item(transaction: Transactions) -> None:
    for name in ("one", "two", "three"):
        with transaction() as work:
            chosen = customer.update().where(customer.c.name == name)
            work.execute(chosen.values(name=f"{name} is done", abbreviation=customer.c.abbreviation + "x"))
            begun.append(name)
            if begun.count("two") == 1 and name == "two":
                _fail(work)


def _run(
    deployment: Deployment,
    do: Callable[..., None],
    instance: dg.DagsterInstance,
    make: Callable[..., dg.JobDefinition] = entry_job,
    **options: Any,
) -> dg.ExecuteInProcessResult:
    job = make(ENTRY, Function(f"tests.dagster.test_retries:{do.__name__}"))
    bound = dg.Definitions(jobs=[job], resources={"site": site_resource(deployment)}, executor=dg.in_process_executor)
    return bound.resolve_job_def(job.name).execute_in_process(
        instance=instance, run_config=QUIET | {"resources": {"site": {"config": options}}}, raise_on_error=False
    )


def _repeated(result: dg.ExecuteInProcessResult) -> int:
    return sum(event.event_type == dg.DagsterEventType.STEP_UP_FOR_RETRY for event in result.all_events)


def test_a_step_that_was_tried_in_vain_is_repeated_a_minute_later_and_counted_once(
    scene: Scene, instance: dg.DagsterInstance
) -> None:
    scene.customer("before")
    result = _run(scene.deployment(), fails_as_often_as_a_step_is_tried, instance)
    assert result.success and (_repeated(result), len(begun)) == (1, TRIES + 1)
    row = scene.one(customer)
    assert (row.name, row.abbreviation) == ("after", "x")
    (made,) = [event for event in result.all_events if event.event_type == dg.DagsterEventType.STEP_OUTPUT]
    assert made.step_output_data.metadata["structure_customer updated"].value == 1


def test_after_the_last_repetition_the_run_fails_with_the_reason_and_nothing_is_done(
    scene: Scene, instance: dg.DagsterInstance
) -> None:
    scene.customer("before")
    result = _run(scene.deployment(), fails_always, instance)
    assert not result.success and (_repeated(result), len(begun)) == (LATER_TRIES, TRIES * (LATER_TRIES + 1))
    assert f"tried {TRIES} times; nothing of this step is done" in troubles(result)
    assert scene.one(customer).name == "before"


@pytest.mark.parametrize("do", [meets_what_does_not_pass, refuses])
def test_what_would_fail_again_is_not_repeated(
    scene: Scene, instance: dg.DagsterInstance, do: Callable[..., None]
) -> None:
    scene.customer("before")
    result = _run(scene.deployment(), do, instance)
    assert not result.success and (_repeated(result), len(begun)) == (0, 1)
    assert scene.one(customer).name == "before"


def test_a_dry_run_is_repeated_from_its_beginning_and_leaves_nothing(
    scene: Scene, instance: dg.DagsterInstance
) -> None:
    scene.customer("before")
    result = _run(scene.deployment(), fails_always, instance, dry_run=True)
    assert not result.success and len(begun) == LATER_TRIES + 1
    assert scene.one(customer).name == "before"


def test_what_is_done_item_by_item_goes_on_where_it_was_interrupted(scene: Scene, instance: dg.DagsterInstance) -> None:
    for name in ("one", "two", "three"):
        scene.customer(name)
    result = _run(scene.deployment(), fails_at_the_second_item, instance, item_by_item_job)
    assert result.success and _repeated(result) == 1
    rows = {row.name: row.abbreviation for row in scene.rows(customer)}
    assert rows == {"one is done": "x", "two is done": "x", "three is done": "x"}


@pytest.mark.parametrize("file", ["dagster.yaml", "deploy/dagster.yaml"])
@pytest.mark.parametrize("is_step", [True, False], ids=["step failed", "process died"])
def test_a_run_whose_process_died_is_started_again_and_one_whose_step_failed_is_not(
    scene: Scene, tmp_path: Path, file: str, is_step: bool
) -> None:
    retries = yaml.safe_load((PROJECT / file).read_text())["run_retries"]
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides={"run_retries": retries}) as instance:
        if is_step:
            run_id = _run(scene.deployment(), meets_what_does_not_pass, instance).run_id
        else:
            job = entry_job(ENTRY, Function("tests.dagster.test_retries:refuses"))
            run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
            instance.report_run_failed(run)  # as the code server and the sensor lost_runs do
            run_id = run.run_id
        found = instance.get_run_by_id(run_id)
        assert found is not None and found.tags["dagster/will_retry"] == str(not is_step).lower()


def renames(work: Work) -> None:
    _rename(work)


@pytest.mark.parametrize(("times", "is_told"), [(TRIES - 1, False), (99, True)])
@pytest.mark.parametrize("make", [entry_job, item_by_item_job])
def test_trouble_of_the_database_while_messages_are_sent_costs_no_run_that_has_done_its_work(
    scene: Scene, instance: dg.DagsterInstance, times: int, is_told: bool, make: Callable[..., dg.JobDefinition]
) -> None:
    scene.customer("before")
    with scene.engine.begin() as connection:
        connection.execute(text("CREATE SEQUENCE met"))
        connection.execute(
            text(
                "CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                f"IF nextval('met') <= {times} THEN RAISE deadlock_detected; END IF; RETURN NULL; END $$"
            )
        )
        trigger = "CREATE TRIGGER trouble BEFORE UPDATE ON waldur_dagster.outbox_message EXECUTE FUNCTION trouble()"
        connection.execute(text(trigger))
    do = renames if make is entry_job else renames_by_item
    result = _run(scene.deployment(), do, instance, make, deliver=True)
    assert result.success and scene.one(customer).abbreviation == "x"
    told = [event.message for event in instance.all_logs(result.run_id) if "all waits for the sensor" in event.message]
    assert len(told) == is_told


def renames_by_item(transaction: Transactions) -> None:
    with transaction() as work:
        _rename(work)


def fails_for_two(work: Work) -> None:
    for name in ("one", "two"):
        work.outcome.fail(f"item {name}", "cannot be read")


def test_items_that_failed_are_told_in_the_log_too(scene: Scene, instance: dg.DagsterInstance) -> None:
    result = _run(scene.deployment(), fails_for_two, instance)
    told = [event.user_message for event in instance.all_logs(result.run_id) if event.level == logging.ERROR]
    assert not result.success and told[:2] == ["item one cannot be read", "item two cannot be read"]
