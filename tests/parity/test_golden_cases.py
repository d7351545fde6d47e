"""Golden cases of the reference platform, for every entry that has a job; the facts lie in ../shared.

They are played on the schema of October 2024, on which most were recorded, and on the newest. Cases that newer
behaviour contradicts are listed in newest.toml, each with its reason and the test that proves the newer behaviour;
those that nobody can pass in faulty.toml.
"""

import importlib.util
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import URL

from tests.conftest import PROJECT, SHARED
from tests.parity import adapter
from waldur_dagster.definitions import implemented_entries

Listed = dict[str, dict[str, str]]


def _listed(file: str) -> Listed:
    cases: Listed = tomllib.loads(Path(__file__).with_name(file).read_text())["cases"]
    return cases


NEWEST, FAULTY = _listed("newest.toml"), _listed("faulty.toml")


def _name(path: Path) -> str:
    return path.name.removesuffix(".json.gz")


def _played(folder: str, generation: str) -> Iterator[Any]:
    entries = implemented_entries()
    for path in sorted(SHARED.glob(f"{folder}/*/*.json.gz")):
        if path.name.partition("--")[0] in entries:
            listed = (FAULTY | (NEWEST if (folder, generation) == ("cases", "newest") else {})).get(_name(path))
            marks = [pytest.mark.xfail(strict=True, reason=listed["reason"])] if listed else []
            yield pytest.param(generation, path, id=f"{generation}-{_name(path)}", marks=marks)


CASES = [*_played("cases", "recorded"), *_played("cases", "newest"), *_played("cases-8", "newest")]


@pytest.fixture(scope="module")
def referee(shared: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("referee", shared / "parity" / "referee.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["referee"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def case_databases(referee: ModuleType, postgresql: URL) -> Iterator[Callable[[str], Any]]:
    """The database of a generation, made when its first case is played."""
    made: dict[str, Any] = {}

    def of(generation: str) -> Any:
        if generation not in made:
            made[generation] = referee.CaseDatabases(postgresql, referee.GENERATIONS[generation]())
        return made[generation]

    yield of
    for databases in made.values():
        databases.close()


@pytest.mark.skipif(not SHARED.is_dir(), reason="no folder ../shared beside this checkout")
@pytest.mark.parametrize(("played_on", "path"), CASES)
def test_golden_case(played_on: str, path: Path, referee: ModuleType, case_databases: Callable[[str], Any]) -> None:
    databases, case = case_databases(played_on), referee.load_case(path)
    if reason := databases.generation.not_applicable(case):
        pytest.skip(reason)
    assert referee.judge(case, databases, adapter.run) == []


@pytest.mark.parametrize(("name", "listed"), [*NEWEST.items(), *FAULTY.items()])
def test_an_exempt_case_says_why_and_names_the_test_that_proves_what_is_right(
    name: str, listed: dict[str, str]
) -> None:
    path, _, function = listed["test"].partition("::")
    assert ("newer" in listed["reason"]) == (name in NEWEST)
    assert f"def {function}(" in (PROJECT / path).read_text()
