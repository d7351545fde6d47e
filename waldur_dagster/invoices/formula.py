"""The language of volume discounts: one arithmetic expression of the usage (spec newer_billing 1.10).

Operators of a site write these formulas, so they are read by the grammar below and nothing else: names, calls and
constructs that it does not list are errors, and nothing is ever executed. All numbers are floats, but those that
comparisons, FLOOR and CEIL make.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

MOST_CHARACTERS, MOST_NODES = 1000, 200

Number = float | int


class FormulaError(ValueError):
    """A formula cannot be read, or has no number as its value; the text says why."""


def _power(base: Number, exponent: Number) -> Any:
    """In floats, so that no power of whole numbers takes more than an instant; negative bases may become complex."""
    return float(base) ** float(exponent)


OPERATORS: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
SIGNS: Mapping[type, Callable[[Any], Any]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}
FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "MIN": min,
    "MAX": max,
    "LN": math.log,
    "LOG10": math.log10,
    "FLOOR": math.floor,
    "CEIL": math.ceil,
    "POW": math.pow,
    "ABS": abs,
}


def evaluate(formula: str, usage: Decimal) -> Number:
    """The value of a formula: a finite float, or an int where FLOOR or CEIL made it. Raises FormulaError."""
    try:
        value = _value(_parse(formula).body, float(usage))
    except (ArithmeticError, TypeError, ValueError) as error:
        raise FormulaError(str(error)) from None
    if isinstance(value, bool) or not isinstance(value, float | int):
        raise FormulaError(f"its value {value} is no number")
    try:
        finite = math.isfinite(value)
    except OverflowError:
        finite = False
    if not finite:
        raise FormulaError("its value is not finite")
    return value


def _parse(formula: str) -> ast.Expression:
    text = formula.strip()
    if len(text) > MOST_CHARACTERS:
        raise FormulaError(f"it has more than {MOST_CHARACTERS} characters")
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise FormulaError(f"it is no expression: {error}") from None
    if sum(1 for _ in ast.walk(tree)) > MOST_NODES:
        raise FormulaError(f"it has more than {MOST_NODES} parts")
    return tree


def _value(node: ast.AST, usage: float) -> Any:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return float(number)
        case ast.Name(id="usage"):
            return usage
        case ast.UnaryOp(op=sign, operand=operand) if type(sign) in SIGNS:
            return SIGNS[type(sign)](_value(operand, usage))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            return OPERATORS[type(op)](_value(left, usage), _value(right, usage))
        case ast.Compare():
            return _holds(node, usage)
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_value(value, usage) for value in values)
        case ast.BoolOp(values=values):
            return any(_value(value, usage) for value in values)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return _value(body if _value(test, usage) else orelse, usage)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name.upper() in FUNCTIONS:
            return FUNCTIONS[name.upper()](*(_value(argument, usage) for argument in arguments))
        case ast.Name(id=name) | ast.Call(func=ast.Name(id=name)):
            raise FormulaError(f"it does not know {name}")
    raise FormulaError(f"it has a part that is not allowed: {ast.unparse(node)}")


def _holds(comparison: ast.Compare, usage: float) -> bool:
    """Chained as in ``10 <= usage < 20``."""
    left = _value(comparison.left, usage)
    for op, operand in zip(comparison.ops, comparison.comparators, strict=True):
        if type(op) not in OPERATORS:
            raise FormulaError(f"it has a comparison that is not allowed: {ast.unparse(comparison)}")
        right = _value(operand, usage)
        if not OPERATORS[type(op)](left, right):
            return False
        left = right
    return True
