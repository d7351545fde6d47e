"""Errors of a database that pass: who meets one does the same again a little later, and it works."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, PendingRollbackError

# PostgreSQL's codes (its manual, appendix A): serialization_failure, deadlock_detected, lock_not_available,
# too_many_connections, admin_shutdown, crash_shutdown, cannot_connect_now.
CODES = frozenset({"40001", "40P01", "55P03", "53300", "57P01", "57P02", "57P03"})
CONNECTION_CLASS = "08"


def passes(problem: BaseException) -> bool:
    """Whether a problem is one of a moment: a deadlock, a lock that was not to be had, a connection that was lost.

    Not a statement that took too long (it would take as long again), and not a full disk (nobody mends it in seconds).
    """
    import psycopg

    if isinstance(problem, PendingRollbackError):  # met after a passing error that somebody has swallowed
        return True
    if isinstance(problem, DBAPIError):
        if problem.connection_invalidated:
            return True
        problem = problem.orig or problem
    if not isinstance(problem, psycopg.Error):
        return False
    code = problem.sqlstate
    if code is None:  # said by the client: the server was not heard
        return isinstance(problem, psycopg.OperationalError)
    return code in CODES or code.startswith(CONNECTION_CLASS)


def is_lost(problem: BaseException) -> bool:
    """Whether the connection went with the problem, so that nobody was told whether a COMMIT was done."""
    import psycopg

    if isinstance(problem, DBAPIError):
        if problem.connection_invalidated:
            return True
        problem = problem.orig or problem
    return isinstance(problem, psycopg.OperationalError) and (
        problem.sqlstate is None or problem.sqlstate.startswith((CONNECTION_CLASS, "57P"))
    )


def in_short(problem: BaseException | None) -> str:
    """What a database says has happened, without the rows that it may show below that; in one line."""
    if isinstance(problem, DBAPIError):
        problem = problem.orig
    said = getattr(getattr(problem, "diag", None), "message_primary", None) or str(problem or "")
    return said.strip().partition("\n")[0].rstrip(".") or type(problem).__name__
