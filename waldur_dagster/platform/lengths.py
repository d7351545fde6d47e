"""Texts as long as the site's columns can hold: outside systems allow longer ones, and versions of Waldur differ."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, ColumnElement, Text, func

from waldur_dagster.work import Work


def fitting(work: Work, column: Column[Any], text: str | None) -> str:
    """A text for a column, cut where the column ends; none is empty."""
    return (text or "")[: work.schema.length(column)]


def fitted(work: Work, column: Column[Any], value: ColumnElement[Any]) -> ColumnElement[Any]:
    """The same in SQL, for what is copied from a column that may be longer."""
    length = work.schema.length(column)
    return value if length is None else func.left(value, length, type_=Text())
