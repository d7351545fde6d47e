"""What the rendering of operators' texts may cost: one that never ends, or grows for ever, must not hold a run up."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import Any

# A purse of steps and of characters for each text, and what each mail adds to it again: one mail may be large, as an
# invoice of 100,000 items is, but not every one of ten thousand. A step takes a microsecond or two.
MOST_STEPS, STEPS_A_MAIL = 3_000_000, 30_000
MOST_CHARACTERS, CHARACTERS_A_MAIL = 64 * 2**20, 2 * 2**20
# Characters of a value that went through a filter, and of one for filters that take long over it.
LONGEST_VALUE, LONGEST_MARKUP = 2_000_000, 50_000
WIDEST = 1_000
# What a look-up that finds nothing is worth, as the size of a value: it takes twenty times as long.
MISSED = 2_000

PADDING = frozenset({"center", "ljust", "rjust"})
MARKUP = frozenset(
    {"linenumbers", "striptags", "truncatechars_html", "truncatewords_html", "urlize", "urlizetrunc", "wordwrap"}
)
NUMBER = re.compile(r"\d+")


class TooMuch(Exception):
    """A text wants more time or memory than a mail is worth; says which."""


class Meter:
    """The purse of one text."""

    def __init__(self) -> None:
        self._steps, self._characters = MOST_STEPS, MOST_CHARACTERS

    def next_mail(self) -> None:
        self._steps = min(MOST_STEPS, self._steps + STEPS_A_MAIL)
        self._characters = min(MOST_CHARACTERS, self._characters + CHARACTERS_A_MAIL)

    def step(self, size: int = 0) -> None:
        """Count a look-up, a round of a loop, a filter, on a value of this many characters or members."""
        self._steps -= 1 + size // 100
        if self._steps < 0:
            raise TooMuch("it takes too many steps: loops in loops, or too many of them")

    def value(self, value: Any) -> None:
        """Count a value that a text keeps under a name."""
        size = size_of(value)
        self.step(size)
        if size > LONGEST_VALUE:
            raise TooMuch("it keeps a value that is too long")

    def wrote(self, characters: int) -> None:
        self._characters -= characters
        if self._characters < 0:
            raise TooMuch("what it makes is too long")


def size_of(value: Any) -> int:
    """Characters or members of a value; 0 of one that has none."""
    return len(value) if isinstance(value, str | tuple | list | dict) else 0


def metered(name: str, apply: Callable[..., Any], meter: Callable[[], Meter]) -> Callable[..., Any]:
    """A filter that counts, and refuses what would make a value out of all proportion. Django sees the same filter."""

    @wraps(apply)
    def counting(value: Any, *arguments: Any, **options: Any) -> Any:
        meter().step(size_of(value) + sum(map(size_of, arguments)))
        _check(name, value, arguments)
        made = apply(value, *arguments, **options)
        if size_of(made) > LONGEST_VALUE:
            raise TooMuch(f"the filter {name} makes a value that is too long")
        meter().step(size_of(made))
        return made

    return counting


def _check(name: str, value: Any, arguments: tuple[Any, ...]) -> None:
    if name in MARKUP and len(str(value)) > LONGEST_MARKUP:
        raise TooMuch(f"the filter {name} is used on a value that is too long")
    if name in PADDING | {"stringformat", "floatformat"} and _widest(arguments) > WIDEST:
        raise TooMuch(f"the filter {name} is asked for a width of more than {WIDEST}")
    if name == "join" and size_of(value) * sum(map(size_of, arguments)) > LONGEST_VALUE:
        raise TooMuch(f"the filter {name} makes a value that is too long")


def _widest(arguments: tuple[Any, ...]) -> int:
    """The greatest number among the arguments, whatever their form: 40, "40", "-40.40s"."""
    return max((int(number[:9]) for argument in arguments for number in NUMBER.findall(str(argument)[:100])), default=0)
