"""Golden cases of the reference platform, for every entry that has a job; the facts lie in ../shared."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import URL

from tests.conftest import SHARED
from tests.parity import adapter
from waldur_dagster.definitions import implemented_entries

CASES = sorted(
    path for path in SHARED.glob("cases/*/*.json.gz") if path.name.partition("--")[0] in implemented_entries()
)


@pytest.fixture(scope="module")
def referee(shared: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("referee", shared / "parity" / "referee.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["referee"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def case_databases(referee: ModuleType, postgresql: URL) -> Iterator[Any]:
    databases = referee.CaseDatabases(postgresql)
    yield databases
    databases.close()


@pytest.mark.skipif(not SHARED.is_dir(), reason="no folder ../shared beside this checkout")
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.name.removesuffix(".json.gz"))
def test_golden_case(path: Path, referee: ModuleType, case_databases: Any) -> None:
    assert referee.judge(referee.load_case(path), case_databases, adapter.run) == []
