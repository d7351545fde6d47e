"""Work on one item that fails alone: row-wise isolation inside a step, for the few items that need it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from waldur_dagster.outcome import Outcome
from waldur_dagster.passing_errors import passes
from waldur_dagster.work import Work


@dataclass
class Attempt:
    """How the work on an item went; ``problem`` is empty when it is done."""

    problem: str = ""


@contextmanager
def isolated(work: Work, item: str, *, tell: bool = True) -> Iterator[Attempt]:
    """Do the block for ``item`` wholly or not at all.

    When it raises, its rows, messages and figures are taken back, ``item`` is reported as failed, and the caller goes
    on; without ``tell`` it is the caller who does something about it. What ends the unit of work is a lost connection;
    and a passing error of the database, a deadlock say, as long as the unit will be tried again (``Work.is_last_try``):
    what stands in the way may be rows that it has locked before, so trying again here would not help.
    """
    before, work.outcome = work.outcome, Outcome()
    attempt = Attempt()
    try:
        with work.connection.begin_nested():
            yield attempt
        before.add(work.outcome)
    except Exception as error:  # whatever one item's rows hold, the others go on
        if work.connection.invalidated or (passes(error) and not work.is_last_try):
            raise
        attempt.problem = _short(error)
        if tell:
            before.fail(item, attempt.problem)
    finally:
        work.outcome = before


def _short(error: Exception) -> str:
    """The database's own words, without the statement and its values, which may be secret."""
    return f"{type(error).__name__}: {getattr(error, 'orig', None) or error}".partition("\n")[0]
