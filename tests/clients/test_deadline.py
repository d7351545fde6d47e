"""A total time for an exchange is over when the clock says so."""

from __future__ import annotations

import time

from waldur_dagster.clients.deadline import Deadline


def test_time_is_up_though_the_timer_is_late() -> None:
    with Deadline(0.1) as deadline:
        deadline._timer.cancel()
        assert not deadline.expired
        time.sleep(0.15)
        assert deadline.expired
