"""Months that are billed after they have passed: what was not there then is not billed."""

from __future__ import annotations

from waldur_dagster.platform.month import Month
from waldur_dagster.work import Work


def is_past(work: Work, month: Month) -> bool:
    """Whether a month is over when the run is made."""
    return month.number < Month.of(work.present, work.zone).number
