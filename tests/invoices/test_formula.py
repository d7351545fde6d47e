"""The language of volume discounts: what it can say, and what it refuses (spec newer_billing 1.10)."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given, strategies

from waldur_dagster.invoices.formula import FormulaError, evaluate


def value(formula: str, usage: float = 12) -> str:
    """As it is printed: floats and whole numbers differ."""
    return str(evaluate(formula, Decimal(str(usage))))


@pytest.mark.parametrize(
    ("formula", "printed"),
    [
        ("20", "20.0"),
        (" 20 if usage >= 10 else 0 ", "20.0"),
        ("5 if usage < 10 else 10 if usage < 20 else 15", "10.0"),
        ("10 if 10 <= usage < 20 else 0", "10.0"),
        ("10 if usage > 100 or usage == 12 and usage != 0 else 0", "10.0"),
        ("usage / 5 - 1", "1.4"),
        ("-usage + +20", "8.0"),
        ("2 ** 3 * usage // 5 % 4", "3.0"),
        ("floor(usage / 5)", "2"),
        ("CEIL(usage / 5)", "3"),
        ("Min(usage, 7, 9) + max(1, 2)", "9.0"),
        ("pow(2, 3) + abs(-1) + log10(1000)", "12.0"),
        ("ln(2.718281828459045)", "1.0"),
        ("(usage > 10) * 5 + (usage > 100)", "5.0"),
        ("5 * (usage > 10 and usage < 20)", "5.0"),
    ],
)
def test_a_formula_has_a_value(formula: str, printed: str) -> None:
    assert value(formula) == printed


@pytest.mark.parametrize(
    "formula",
    [
        "",
        "usage >",
        "amount",
        "usage.real",
        "usage > 10",
        "True",
        "not usage",
        "'20'",
        "2j",
        "[20][0]",
        "lambda: 1",
        "(x := 5)",
        "__import__('os').getcwd()",
        "ROUND(usage)",
        "LOG(usage)",
        "MIN(usage)",
        "POW(2)",
        "FLOOR(usage=2)",
        "MAX(*[1, 2])",
        "1 / 0",
        "1 // 0",
        "LN(0)",
        "LN(-1)",
        "(-8) ** 0.5",
        "1e308 * 10",
        "1e308 * 10 - 1e308 * 10",
        "9 ** 9 ** 9 ** 9",
        "FLOOR(1e300) ** FLOOR(1e300)",
        "FLOOR(1e300) * FLOOR(1e300)",
        "usage in (1, 2)",
        "1 if usage is 12 else 2",
        "usage & 4",
        "~usage",
        "usage; 5",
        "5 " + " " * 1000 + "+ 1",
        "+".join(["1"] * 101),
        "(" * 150 + "1" + ")" * 150 + "\0",
    ],
)
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_what_is_no_formula_or_has_no_number_as_its_value_is_refused(formula: str) -> None:
    with pytest.raises(FormulaError):
        value(formula)


@given(strategies.text(alphabet="usage0123456789.+-*/%()<>=!, andorifelseMINMAXFLOOR", max_size=60))
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_whatever_is_written_has_a_finite_value_or_is_refused(formula: str) -> None:
    try:
        assert math.isfinite(evaluate(formula, Decimal(12)))
    except FormulaError as refusal:
        assert str(refusal)


TIERS = strategies.lists(
    strategies.tuples(strategies.integers(1, 1000), strategies.integers(0, 100)), min_size=1, max_size=8
)


@given(TIERS, strategies.decimals(0, 1200, places=2))
def test_tiers_are_those_of_a_table(tiers: list[tuple[int, int]], usage: Decimal) -> None:
    table = sorted(dict(tiers).items(), reverse=True)
    formula = "".join(f"{percent} if usage >= {bound} else " for bound, percent in table) + "0"
    looked_up = next((percent for bound, percent in table if usage >= bound), 0)
    assert evaluate(formula, usage) == looked_up
