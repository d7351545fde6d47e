"""Which settings of Waldur there are: what a deployment file writes under ``[waldur]`` is checked against them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from waldur_dagster.settings import DEFAULTS, WHOLE, nested

# Settings of Waldur by their dotted names, one a line: a site may repeat those that no job looks at.
OTHERS = Path(__file__).with_name("waldur_settings.txt")
# Values whose keys are the site's own, beside those that are taken whole.
OPEN = WHOLE | {"RABBITMQ", "SERIALIZER_EXTRA_KWARGS", "SAF_PARAMS", "SAP_PARAMS"}


def wrong_settings(site: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the settings of a site: names that Waldur does not know, values of another type."""
    yield from _wrong(nested(site), DEFAULTS, ())


def _wrong(written: Mapping[str, Any], known: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    for name, value in written.items():
        dotted = ".".join((*path, name))
        if name not in known:
            if not _is_waldurs(dotted, value):
                yield f"[waldur] Waldur has no setting {dotted}{nearest(dotted, _names())}"
        elif isinstance(known[name], Mapping) and isinstance(value, Mapping):
            if name not in OPEN:
                yield from _wrong(value, known[name], (*path, name))
        elif (wanted := _type(known[name])) and not _fits(value, wanted):
            yield f"[waldur] {dotted} is {_type(value) or 'nothing'}; write {wanted}"


def _is_waldurs(dotted: str, value: Any) -> bool:
    """Whether Waldur knows a name that no job here looks at; of a section, whether it knows every name in it."""
    if any(name == dotted or dotted.startswith(f"{name}.") for name in _others()):
        return True
    return isinstance(value, Mapping) and bool(value) and all(_is_waldurs(f"{dotted}.{k}", v) for k, v in value.items())


def nearest(name: str, known: Any) -> str:
    """``; did you mean ...?``, when something that is known looks like the name."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


@cache
def _others() -> frozenset[str]:
    return frozenset(OTHERS.read_text(encoding="utf-8").split())


@cache
def _names() -> tuple[str, ...]:
    return (*_dotted(DEFAULTS, ()), *sorted(_others()))


def _dotted(known: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    for name, value in known.items():
        yield ".".join((*path, name))
        if isinstance(value, Mapping) and name not in OPEN:
            yield from _dotted(value, (*path, name))


_TYPES = ((bool, "true or false"), ((int, float), "a number"), (str, "a text"), (list, "a list"), (dict, "a table"))


def _type(value: Any) -> str | None:
    return next((words for kind, words in _TYPES if isinstance(value, kind)), None)


def _fits(value: Any, wanted: str) -> bool:
    return _type(value) == wanted
