"""Functions named by their place, so that a list of jobs loads nothing of what the jobs do.

The code location names some eighty functions; importing them all would bring in every library that any of them needs,
in each process that only wants to know which jobs there are.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Function:
    """A function by its ``place``, ``package.module:name``; it is imported when it is first called."""

    place: str

    @property
    def __name__(self) -> str:
        return self.place.rpartition(":")[2]

    def load(self) -> Callable[..., Any]:
        """The function itself. Raises ImportError or AttributeError when it is not there."""
        function: Callable[..., Any] = pkgutil.resolve_name(self.place)
        return function

    def __call__(self, *arguments: Any) -> Any:
        return self.load()(*arguments)

    @property
    def source(self) -> tuple[Path, int]:
        """The file that it is written in, and the line where it begins; found without importing it."""
        module = ROOT.joinpath(*self.place.partition(":")[0].split("."))
        file = module / "__init__.py" if module.is_dir() else module.with_suffix(".py")
        beginning = re.search(rf"^def {self.__name__}\b", file.read_text(encoding="utf-8"), re.MULTILINE)
        return file, 1 + (beginning.string.count("\n", 0, beginning.start()) if beginning else 0)
