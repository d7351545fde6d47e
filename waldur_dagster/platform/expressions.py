"""SQL expressions that several families need."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Numeric,
    Select,
    TableValuedAlias,
    Text,
    case,
    cast,
    column,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB


def hex_of(uuid: ColumnElement[Any]) -> ColumnElement[str]:
    """A uuid as Waldur shows it: 32 hex digits without dashes (spec core 1.2)."""
    return func.replace(cast(uuid, Text), "-", "")


def json_object(**values: Any) -> ColumnElement[Any]:
    """A jsonb object of plain values and SQL expressions."""
    return func.jsonb_build_object(*(part for key, value in values.items() for part in (literal(key, Text), value)))


def json_list(*items: Any) -> ColumnElement[Any]:
    return func.jsonb_build_array(*items)


def json_number(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """The number in a JSON value, NULL when it is none."""
    return case((func.jsonb_typeof(value) == "number", cast(value, Numeric)))


def merged(*objects: ColumnElement[Any]) -> ColumnElement[Any]:
    """jsonb objects put together; later keys win."""
    first, *others = objects
    for other in others:
        first = first.op("||", return_type=JSONB())(other)
    return first


def text_from(template: str, **values: ColumnElement[Any]) -> ColumnElement[str]:
    """A text with ``{name}`` places filled by SQL expressions; NULL counts as empty."""
    parts: list[Any] = []
    while template:
        before, _, template = template.partition("{")
        name, _, template = template.partition("}")
        parts += [literal(before, Text)] if before else []
        parts += [cast(values[name], Text)] if name else []
    return func.concat(*parts)


def given_rows(rows: Sequence[Mapping[str, Any]], **types: Any) -> TableValuedAlias:
    """Rows that the program made, as a FROM clause with typed columns; one parameter, however many rows."""
    document = literal(json.dumps(list(rows), default=str), Text)
    columns = (column(name, kind) for name, kind in types.items())
    return (
        func.jsonb_to_recordset(cast(document, JSONB))
        .table_valued(*columns)
        .render_derived(name="given", with_types=True)
    )


def given_ids(ids: Collection[int]) -> Select[Any]:
    """A SELECT of these ids; one parameter, however many there are."""
    return select(func.unnest(literal(sorted(ids), ARRAY(Integer)), type_=Integer()).label("id"))


def whole_part(amount: ColumnElement[Any]) -> ColumnElement[int]:
    """An amount of money without its decimals, as events tell it."""
    return cast(func.trunc(amount), BigInteger)
