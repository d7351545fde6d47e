"""Pulling the state of script offerings' resources (spec marketplace, waldur-marketplace-script-pull-resources)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from threading import Event
from typing import Any

from waldur_dagster.clients.containers import (
    NAME,
    Engine,
    EngineFailed,
    EngineUnreachable,
    Limits,
    ScriptSettings,
    open_engine,
)
from waldur_dagster.platform.isolation import isolated
from waldur_dagster.script_offerings.pull_scripts import Pull, due_resources, read_pull
from waldur_dagster.script_offerings.settlement import settle
from waldur_dagster.site import Transactions
from waldur_dagster.work import Work


def pull_script_resources(transaction: Transactions) -> None:
    """Run the pull script of each resource that has one, some at once, and keep what they report, one by one.

    No transaction is open while scripts run. A script that fails makes its own resource erred; an engine that fails
    changes nothing and is reported. The lock of the entry keeps a script from being started twice at a time.
    """
    with transaction() as work:
        due = due_resources(work)
        if work.dry_run:
            work.outcome.figures["scripts that would be run"] = len(due)
            return
        configured, bounds = work.settings[NAME], work.deployment.script_containers
    if not due:
        return
    limits = Limits(bounds.time_limit, bounds.output_limit, bounds.memory, bounds.cpus)
    try:
        settings = ScriptSettings.read(configured)
        engine = open_engine(settings, limits)
    except EngineFailed as problem:
        with transaction() as work:
            work.outcome.fail(f"{len(due)} resources", f"were not pulled: {problem}")
        return
    gone = Event()
    with engine:
        pulls = _read(transaction, due, settings.DOCKER_IMAGES, gone)
        for pull, result in _run(engine, pulls, bounds.parallel):
            if isinstance(result, EngineUnreachable):
                gone.set()
            transaction.do(partial(_settle, pull=pull, result=result))


def _settle(work: Work, pull: Pull, result: str | Exception) -> None:
    with isolated(work, str(pull)):
        settle(work, pull, result)


def _read(transaction: Transactions, due: list[int], images: Mapping[str, Any], gone: Event) -> Iterator[Pull]:
    """What to run, read as late as possible; nothing more once the engine is ``gone``."""
    for position, resource_id in enumerate(due):
        with transaction() as work:
            if gone.is_set():
                rest = len(due) - position
                work.outcome.fail(f"{rest} more resources", "were not pulled: the container engine does not answer")
                return
            pull = read_pull(work, resource_id, images)
        if pull is not None:
            yield pull


def _run(engine: Engine, pulls: Iterable[Pull], parallel: int) -> Iterator[tuple[Pull, str | Exception]]:
    """What each script printed, or what went wrong, as soon as it is known."""
    running: dict[Future[str], Pull] = {}
    with ThreadPoolExecutor(parallel, "script") as pool:
        try:
            for pull in pulls:
                running[pool.submit(engine.run, pull.script)] = pull
                if len(running) == parallel:
                    yield from _ended(running)
            while running:
                yield from _ended(running)
        except BaseException:  # the run is being stopped: wait for no script
            engine.stop()
            raise


def _ended(running: dict[Future[str], Pull]) -> Iterator[tuple[Pull, str | Exception]]:
    """Wait for one script or more to end, and take those out."""
    for future in wait(running, return_when=FIRST_COMPLETED).done:
        pull, error = running.pop(future), future.exception()
        if error is not None and not isinstance(error, Exception):
            raise error
        yield pull, future.result() if error is None else error
