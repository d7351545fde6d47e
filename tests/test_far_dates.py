"""Dates that Python does not know are read as the nearest that it has."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from tests.scene import Scene
from waldur_dagster.far_dates import FIRST_DATE, FIRST_TIME, LAST_DATE, LAST_TIME


@pytest.mark.parametrize(
    ("said", "day", "moment"),
    [
        ("infinity", LAST_DATE, LAST_TIME),
        ("-infinity", FIRST_DATE, FIRST_TIME),
        ("20000-01-01", LAST_DATE, LAST_TIME),
        ("0044-03-15 BC", FIRST_DATE, FIRST_TIME),
        ("9999-12-31", LAST_DATE, LAST_TIME.replace(hour=0, minute=0, second=0)),
    ],
)
def test_a_far_date_is_read_and_can_be_written_in_every_zone(
    scene: Scene, said: str, day: object, moment: object
) -> None:
    read = text("SELECT CAST(:said AS date), CAST(:said AS timestamptz), CAST(:said AS timestamp)")
    with scene.site() as site, site.engine.connect() as connection:
        found_day, found_moment, naive = connection.execute(read, {"said": said}).one()
    assert found_day == day
    assert abs((found_moment - moment).total_seconds()) <= 24 * 3600
    assert naive.tzinfo is None and naive.year == found_moment.year
    for zone in ("Pacific/Kiritimati", "America/Los_Angeles"):
        assert found_moment.astimezone(ZoneInfo(zone)).year == found_moment.year
