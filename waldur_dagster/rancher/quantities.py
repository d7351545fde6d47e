"""Quantities as Kubernetes writes them (spec rancher_support, update-clusters-nodes)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

MIB = 2**20
LARGEST = 2**31 - 1


def quantity(written: Any) -> Decimal | None:
    """``380m``, ``2``, ``16163180Ki`` as a number; None for what is none, empty or negative."""
    from kubernetes.utils.quantity import parse_quantity

    if not written or isinstance(written, bool):
        return None
    try:
        found: Decimal = parse_quantity(written)
        found = found if found.is_finite() and found >= 0 else Decimal(-1)
    except (ValueError, ArithmeticError):
        return None
    return found if found >= 0 else None


def cores(written: Any) -> float | None:
    """Cores, with parts of them: ``380m`` is 0.38."""
    found = quantity(written)
    return None if found is None else float(found)


def whole(written: Any) -> int | None:
    """Whole pieces, rounded down: ``3920m`` cores are 3."""
    return _fitting(quantity(written))


def mib(written: Any) -> int | None:
    """Bytes as whole MiB, rounded down: ``16163180Ki`` is 15784."""
    found = quantity(written)
    return None if found is None else _fitting(found / MIB)


def _fitting(found: Decimal | None) -> int | None:
    return None if found is None or found > LARGEST else int(found)
