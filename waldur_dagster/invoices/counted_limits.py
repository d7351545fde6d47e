"""What an item of a limit counts: periods with a limit and days each (spec invoices 1.12; newer_billing 1.7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from decimal import ROUND_UP, Decimal
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, TypeAdapter, ValidationError

from waldur_dagster.invoices import rules
from waldur_dagster.work import Work

LAST_SECOND = time(23, 59, 59)
LARGEST = 10**15  # more than the column of an item's quantity holds
HUNDREDTH, DAY = Decimal("0.01"), timedelta(days=1)


class _Period(BaseModel):
    """What an item's details keep of a limit, and of the days for which it held."""

    start: AwareDatetime
    end: AwareDatetime
    quantity: Decimal
    billing_periods: int
    total: Decimal


_PERIODS = TypeAdapter(list[_Period])


def periods(work: Work, item: Any) -> list[dict[str, Any]]:
    """The periods that an item (name, uuid, details) counts; none, with a warning, where they cannot be read."""
    found = (item.details or {}).get("resource_limit_periods") or []
    try:
        _PERIODS.validate_python(found)
    except ValidationError:
        work.outcome.warn(f"invoice item {item.name} ({item.uuid.hex})", "its resource_limit_periods cannot be read")
        return []
    return list(found)


def ended(work: Work, item: Any, counted: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The quantity and details of an item (unit, details) whose last period ends now."""
    return _recounted(work, item, [*counted[:-1], _period(work, counted[-1], work.local_time)])


def resumed(work: Work, item: Any, counted: Sequence[dict[str, Any]], limit: Any, end: datetime) -> dict[str, Any]:
    """Those of one that has ended, and has this limit from now to ``end``; the days between count nothing."""
    return _recounted(work, item, [*counted, _period(work, _of(limit, work.local_time), end)])


def warn_of_too_large(work: Work, name: str, uuid: UUID) -> None:
    work.outcome.warn(
        f"invoice item {name} ({uuid.hex})", "its new limit is too large for an invoice; it stays as it was"
    )


def changed(work: Work, item: Any, counted: Sequence[dict[str, Any]], limit: Any) -> dict[str, Any] | None:
    """Those of one whose limit is another one from today, or where it is lower from tomorrow, on; None: as before.

    A limit that no invoice can hold changes nothing, and is told.
    """
    last = counted[-1]
    old, new = Decimal(str(last["quantity"])), max(Decimal(limit or 0), Decimal(0))  # -1 is unlimited
    if new > LARGEST:
        warn_of_too_large(work, item.name, item.uuid)
        return None
    begin = datetime.combine(work.today, time.min, work.zone) + (DAY if new < old else timedelta())
    end = datetime.fromisoformat(last["end"])
    if new == old or begin >= end:
        return None
    before = datetime.combine(begin - DAY, LAST_SECOND, work.zone)
    kept = [_period(work, last, before)] if datetime.fromisoformat(last["start"]) < before else []
    return _recounted(work, item, [*counted[:-1], *kept, _period(work, _of(new, begin), end)])


def _of(limit: Any, begin: datetime) -> dict[str, Any]:
    number = Decimal(limit)
    return {"start": begin.isoformat(), "quantity": int(number) if number == int(number) else float(number)}


def _period(work: Work, given: Mapping[str, Any], end: datetime) -> dict[str, Any]:
    """A period (start, quantity) that ends at an instant."""
    days, limit = _days(datetime.fromisoformat(given["start"]), end), given["quantity"]
    exact = isinstance(limit, int) or rules.has_one_billing_service(work.schema)
    total = str(Decimal(str(limit)) * days if exact else limit * days)
    return dict(given) | {"end": end.isoformat(), "billing_periods": days, "total": total}


def _days(start: datetime, end: datetime) -> int:
    """Begun days count."""
    return max(-(-(end - start) // DAY), 1)


def _recounted(work: Work, item: Any, counted: list[dict[str, Any]]) -> dict[str, Any]:
    """The sum of limits times days; in newer versions their mean over all days, unless days are sold.

    The mean is also what the item adds to the volume of a discount.
    """
    details = item.details | {"resource_limit_periods": counted}
    total = sum((Decimal(str(one["total"])) for one in counted), Decimal(0))
    if not rules.has_own_limit_periods(work.schema):
        return {"quantity": total, "details": details}
    whole = _days(*(datetime.fromisoformat(text) for text in (counted[0]["start"], counted[-1]["end"])))
    mean = total / max(whole, sum(int(one["billing_periods"]) for one in counted))
    if "discount_usage" in details:
        details["discount_usage"] = float(mean)
    return {"quantity": total if item.unit == "day" else mean.quantize(HUNDREDTH, ROUND_UP), "details": details}
