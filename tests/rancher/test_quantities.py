"""Quantities by Kubernetes' grammar."""

from __future__ import annotations

from typing import Any

import pytest

from waldur_dagster.rancher.quantities import cores, mib, whole

JUNK: tuple[Any, ...] = ("", None, "much", "-1", "NaN", "1Xi", {}, [])


@pytest.mark.parametrize(
    ("read", "written", "wanted"),
    [
        (cores, "380m", 0.38),
        (cores, "2", 2.0),
        (cores, 2, 2.0),
        (cores, "0", 0.0),
        (whole, "3920m", 3),
        (whole, "110", 110),
        (mib, "8002Mi", 8002),
        (mib, "16163180Ki", 15784),
        (mib, "134217728000m", 128),
        (mib, "1073741824", 1024),
        (mib, "1Ti", 2**20),
        (mib, "1Pi", 2**30),
        (mib, "1e9", 953),
        (mib, "1k", 0),
        (mib, "1G", 953),
        (mib, "1E", None),
        *((read, junk, None) for read in (cores, whole, mib) for junk in JUNK),
    ],
)
def test_a_quantity_is_read_by_its_grammar_or_not_at_all(read: Any, written: Any, wanted: Any) -> None:
    assert read(written) == wanted
