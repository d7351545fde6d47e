"""What becomes of a resource whose pull script has ended (spec marketplace, ...script-pull-resources)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import literal, select

from waldur_dagster.clients.containers import EngineFailed, ScriptFailed
from waldur_dagster.marketplace.resource_states import change_resources
from waldur_dagster.marketplace.states import ResourceState
from waldur_dagster.schema import marketplace
from waldur_dagster.script_offerings.pull_scripts import PULLED_STATES, Pull
from waldur_dagster.script_offerings.pulled import Pulled, read_output
from waldur_dagster.script_offerings.pulled_usage import NotTaken, keep_usages, plan_period_of
from waldur_dagster.users.system_robot import system_robot
from waldur_dagster.words import without
from waldur_dagster.work import Work

resource = marketplace.resource


def settle(work: Work, pull: Pull, result: str | Exception) -> None:
    """Keep what a script printed, or that it failed; a failure of the engine changes nothing.

    Only the columns that a pull owns are written, and only while the resource is still OK or erred: whatever has
    happened to it while the script ran stays.
    """
    if isinstance(result, EngineFailed):
        work.outcome.fail(str(pull), f"was not pulled: {result}")
        return
    current: Any = work.connection.execute(
        select(*(resource.c[name] for name in ("id", "state", "plan_id", "offering_id")))
        .where(resource.c.id == pull.resource_id)
        .with_for_update()
    ).one_or_none()
    if current is None:
        return
    work.outcome.figures["resources pulled"] += 1
    try:
        if isinstance(result, Exception):
            raise result
        _keep(work, pull, current, read_output(result))
    except ScriptFailed as problem:
        work.outcome.figures["resources whose pull failed"] += 1
        work.outcome.warn(str(pull), "could not be pulled; its error message says why")
        words = without(str(problem).replace("\0", ""))  # scripts are given secrets, and may print them
        first_line = next((line for line in words.splitlines() if line.strip()), "")
        _change(work, current, state=ResourceState.ERRED, error_message=first_line, error_traceback=words)
    else:
        if current.state == ResourceState.ERRED:
            _change(work, current, state=ResourceState.OK, error_message="", error_traceback="")


def _keep(work: Work, pull: Pull, current: Any, pulled: Pulled | None) -> None:
    """Raises ScriptFailed when the usages cannot be counted."""
    if pulled is None:
        return
    robot = system_robot(work)
    for problem in pulled.problems:
        work.outcome.warn(str(pull), problem)
    if pulled.reports_usage:
        plan_period = plan_period_of(work, current)
        if pulled.usages is not None:
            try:
                amounts = keep_usages(work, current, plan_period, pulled.usages, robot)
                _change(work, current, current_usages=amounts)
            except NotTaken as reason:
                work.outcome.warn(str(pull), f"its usages were not taken: {reason}")
    if pulled.report is not None:
        _change(work, current, report=pulled.report)


def _change(work: Work, current: Any, **values: Any) -> None:
    if current.state in PULLED_STATES:
        new = (literal(value, resource.c[name].type).label(name) for name, value in values.items())
        change_resources(work, select(literal(current.id).label("resource_id"), *new).subquery("pulled"))
