"""What a pull script reports, and what becomes of it (spec marketplace, waldur-marketplace-script-pull-resources)."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from waldur_dagster.clients.containers import ScriptFailed


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("has a NUL character, which the database cannot keep")
    return text


AnyText = Annotated[str, AfterValidator(_without_nul)]
Words = Annotated[AnyText, Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, str_strip_whitespace=True, coerce_numbers_to_str=True)


class Usage(_Part):
    """How much of a component was used in the running month."""

    type: Words
    amount: Annotated[Decimal, Field(max_digits=20, decimal_places=2, allow_inf_nan=False)]
    description: AnyText = ""
    recurring: bool = False

    @property
    def cents(self) -> Decimal:
        """The amount with two decimals, as Waldur's API understands it."""
        return self.amount.quantize(Decimal("0.01"))


class ReportSection(_Part):
    header: Words
    body: Words


USAGES = TypeAdapter(list[Usage])
REPORT = TypeAdapter(Annotated[list[ReportSection], Field(min_length=1)])


@dataclass(frozen=True)
class Pulled:
    """What the last line of a script's output said. Absent parts are None, malformed ones have a problem instead."""

    usages: list[Usage] | None = None
    report: list[dict[str, str]] | None = None
    reports_usage: bool = False
    problems: tuple[str, ...] = ()


def read_output(output: str) -> Pulled | None:
    """Understand a script's output: base64 of a JSON object in its last line. None when it printed nothing.

    Raises ScriptFailed when the last line is anything else. A malformed part is a problem, not a failure.
    """
    if not output:
        return None
    try:
        said = json.loads(base64.b64decode(output.splitlines()[-1]))
    except (ValueError, RecursionError) as error:
        raise ScriptFailed(f"the last line of the output is not base64 of a JSON object: {error}") from None
    if not isinstance(said, dict):
        raise ScriptFailed("the last line of the output is base64 of JSON, but not of an object")
    problems: list[str] = []
    usages = _part(USAGES, said, "usages", problems)
    report = _part(REPORT, said, "report", problems)
    return Pulled(usages, report and [section.model_dump() for section in report], "usages" in said, tuple(problems))


def _part(form: TypeAdapter[Any], said: dict[str, Any], name: str, problems: list[str]) -> Any:
    if name not in said:
        return None
    try:
        return form.validate_python(said[name])
    except ValidationError as error:
        wrong = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, (name, *wrong["loc"])))
        problems.append(f"its {name} cannot be taken, since {place} is wrong: {wrong['msg']}")
        return None
