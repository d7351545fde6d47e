"""The loop that visits items in outside systems: fetch, then merge."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sqlalchemy import text

from waldur_dagster.clients.failures import ItemFailed, VisitFailed, without_secrets
from waldur_dagster.clients.patience import allowing
from waldur_dagster.platform.isolation import Attempt, isolated
from waldur_dagster.site import Transactions
from waldur_dagster.visits.circuit import Circuit
from waldur_dagster.visits.stops import Clients, Stop, Visit
from waldur_dagster.work import Work

Facts = TypeVar("Facts")
Fetched = TypeVar("Fetched")

PARALLEL = 4  # items of one system that are fetched at once
IN_FLIGHT = 16  # items that are fetched, or wait to be merged, in all systems together
ALLOWED = 600.0  # seconds for all calls of one item
PROGRESS = 5.0  # seconds


class Partly(Exception):
    """An item was fetched in part: ``fetched`` is merged, and ``problem`` is what became of the rest."""

    def __init__(self, fetched: Any, problem: VisitFailed):
        super().__init__(str(problem))
        self.fetched, self.problem = fetched, problem


def visit(
    transaction: Transactions,
    stops: Iterable[Stop[Facts]],
    fetch: Callable[[Visit, Facts], Fetched],
    merge: Callable[[Work, Facts, Fetched], Any] | None,
    *,
    failed: Callable[[Work, Facts, VisitFailed], bool] | None = None,
    parallel: int = PARALLEL,
    allowed: float | None = None,
) -> None:
    """Visit every stop: ``fetch`` its facts from the outside, then ``merge`` them in one transaction.

    ``fetch`` runs in threads, ``parallel`` at once for each system, while no transaction is open; all its calls
    together may take ``allowed`` seconds (ALLOWED by default). It raises what its clients raise (``clients.failures``),
    or Partly. ``merge`` runs in the caller's thread, wholly or not at all; after a passing error of the database it is
    tried again, so what it keeps in memory must be the same when it is kept twice. Without one, items are only visited,
    to change something there.

    What fails is an item, which is reported while the others go on; or a system: when its login is refused, or three
    items in a row got no answer, its remaining items are not tried, and one finding says how many. ``failed`` may store
    the failure of an item, in a transaction of its own; where it returns True the run does not fail for it.
    """
    _Journey(transaction, fetch, merge, failed, parallel=parallel, allowed=allowed or ALLOWED).make(stops)


@dataclass
class _System(Generic[Facts]):
    """One outside system: what is still to be visited there, and whether it answers."""

    name: str
    waiting: deque[Stop[Facts]] = field(default_factory=deque)
    clients: Clients = field(default_factory=Clients)
    running: int = 0
    circuit: Circuit = field(default_factory=Circuit)
    down: str = ""

    def note(self, problem: VisitFailed | None) -> None:
        if self.circuit.note(problem):
            self.down = self.down or str(problem)


@dataclass
class _Result(Generic[Facts, Fetched]):
    system: _System[Facts]
    stop: Stop[Facts]
    visit: Visit
    fetched: Fetched | None = None
    problem: VisitFailed | None = None
    is_fetched: bool = False
    attempt: Attempt = field(default_factory=Attempt)


class _Journey(Generic[Facts, Fetched]):
    def __init__(
        self,
        transaction: Transactions,
        fetch: Callable[[Visit, Facts], Fetched],
        merge: Callable[[Work, Facts, Fetched], Any] | None,
        failed: Callable[[Work, Facts, VisitFailed], bool] | None,
        *,
        parallel: int,
        allowed: float,
    ):
        self._transaction, self._fetch, self._merge, self._failed = transaction, fetch, merge, failed
        self._parallel, self._allowed = parallel, allowed
        self._systems: dict[str, _System[Facts]] = {}
        self._stopped = threading.Event()
        self._items = self._done = self._unsuccessful = 0

    def make(self, stops: Iterable[Stop[Facts]]) -> None:
        for stop in stops:
            self._systems.setdefault(stop.system, _System(stop.system)).waiting.append(stop)
            self._items += 1
        if not self._items:
            return
        begun = told = time.monotonic()
        running: set[Future[_Result[Facts, Fetched]]] = set()
        workers = min(IN_FLIGHT, self._parallel * len(self._systems))
        with ThreadPoolExecutor(workers, "visit") as pool:
            try:
                while self._start(pool, running, workers) or running:
                    done, running = wait(running, timeout=PROGRESS, return_when=FIRST_COMPLETED)
                    for future in done:
                        self._settle(future.result())
                    if time.monotonic() - told >= PROGRESS:
                        told = time.monotonic()
                        self._tell(told - begun)
            except BaseException:  # the run is being stopped: no thread goes on
                self._stopped.set()
                raise
        for system in self._systems.values():
            system.clients.close()
        self._report()
        self._tell(time.monotonic() - begun)

    def _start(self, pool: ThreadPoolExecutor, running: set[Future[Any]], workers: int) -> bool:
        """Begin what there is room for, a little of every system; says whether something was begun."""
        begun = False
        for system in self._turns():
            while len(running) < workers and system.waiting and not system.down and system.running < self._parallel:
                system.running += 1
                running.add(pool.submit(self._fetched, system, system.waiting.popleft()))
                begun = True
        return begun

    def _turns(self) -> list[_System[Facts]]:
        """Those with the fewest in flight first, so that a large system does not keep the others waiting."""
        return sorted(self._systems.values(), key=lambda system: system.running)

    def _fetched(self, system: _System[Facts], stop: Stop[Facts]) -> _Result[Facts, Fetched]:
        """In a thread: what came of one item. Never raises for what an item or a system does."""
        dry_run = self._transaction.dry_run
        result: _Result[Facts, Fetched] = _Result(system, stop, Visit(system.clients, dry_run))
        try:
            with allowing(self._allowed, self._stopped):
                result.fetched = self._fetch(result.visit, stop.facts)
            result.is_fetched = True
        except Partly as part:
            result.fetched, result.problem, result.is_fetched = part.fetched, part.problem, True
        except VisitFailed as problem:
            result.problem = problem
        except Exception as error:  # an answer of an unforeseen form must not stop the others
            result.problem = ItemFailed(without_secrets(f"{type(error).__name__}: {error}", ()))
        return result

    def _settle(self, result: _Result[Facts, Fetched]) -> None:
        result.system.running -= 1
        result.system.note(result.problem)
        self._note_changes(result)
        self._transaction.do(lambda work: self._write(work, result))
        self._done += 1
        self._unsuccessful += bool(result.problem or result.attempt.problem)

    def _write(self, work: Work, result: _Result[Facts, Fetched]) -> None:
        """In a transaction, which may be tried again: what came of one item."""
        stop, problem = result.stop, result.problem
        work.outcome.figures["visited"] += 1
        if changes := result.visit.changes:
            dry = result.visit.dry_run
            work.outcome.figures["outside changes that would be made" if dry else "outside changes"] += len(changes)
        if result.is_fetched and self._merge is not None:
            with isolated(work, stop.item) as result.attempt:
                self._merge(work, stop.facts, result.fetched)  # type: ignore[arg-type]
                _check_references(work)
            if result.attempt.problem:
                self._store(work, stop, ItemFailed(result.attempt.problem))
        if problem is not None and not self._store(work, stop, problem):
            work.outcome.fail(stop.item, str(problem))
        elif problem is not None:
            work.outcome.warn(stop.item, str(problem))

    def _store(self, work: Work, stop: Stop[Facts], problem: VisitFailed) -> bool:
        stored = False
        if self._failed is not None:
            with isolated(work, stop.item):
                stored = self._failed(work, stop.facts, problem)
        return stored

    def _note_changes(self, result: _Result[Facts, Fetched]) -> None:
        for words in result.visit.changes:
            self._transaction.log.info(f"{'Would' if result.visit.dry_run else 'Did'}: {words}")

    def _report(self) -> None:
        """One finding for each system that is down."""
        for system in self._systems.values():
            if system.down and system.waiting:
                with self._transaction() as work:
                    left = len(system.waiting)
                    work.outcome.fail(system.name, f"{left} of its items were not visited: {system.down}")

    def _tell(self, seconds: float) -> None:
        rate = self._done / seconds if seconds else 0.0
        self._transaction.log.info(
            f"{self._done} of {self._items} visited, {self._unsuccessful} of them failed, {rate:.1f} a second"
        )


def _check_references(work: Work) -> None:
    """Waldur's foreign keys are checked at the end of a transaction; an item's are checked with the item."""
    work.connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    work.connection.execute(text("SET CONSTRAINTS ALL DEFERRED"))
