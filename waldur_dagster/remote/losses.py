"""A remote that suddenly answers with almost nothing deletes almost nothing here."""

from __future__ import annotations

from waldur_dagster.work import Work

FEWEST = 10  # known ones; of fewer, all may go at once


def loses_too_much(work: Work, place: str, what: str, *, lost: int, known: int) -> bool:
    """Whether more of what is known here would go than one run may take; it is then told as a failure of ``place``.

    ``what`` names the things in the plural. The share that may go is the deployment's (``[remote_waldurs] may_lose``).
    """
    share = work.deployment.remote_waldurs.may_lose
    if known < FEWEST or lost <= share * known:
        return False
    work.outcome.fail(
        place,
        f"{lost} of {known} {what} are gone at the remote, more than {share:.0%}; none was deleted. "
        "If that is right, raise may_lose under [remote_waldurs] of the deployment file for one run",
    )
    return True
