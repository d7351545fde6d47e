"""Loading the code location stays cheap: it brings in no library that only some runs need, and no job's own code."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from jobs import OPERATIONAL_JOBS
from tests.conftest import PROJECT
from waldur_dagster.deployment import CONFIG_VARIABLE
from waldur_dagster.functions import ROOT, Function

# By their top-level names.
NOT_FOR_LOADING = {
    *("pandas", "numpy", "pyarrow", "matplotlib", "tabulate", "upath", "fsspec"),
    *("django", "celery", "kombu", "redis", "kubernetes", "docker", "requests", "python_freeipa", "httpx", "pycountry"),
    *("sqlalchemy", "alembic", "psycopg", "tenacity", "typer", "rich"),
}
OWN = {
    "catalog",
    "clock",
    "definitions",
    "deployment",
    "deployment_sections",
    "functions",
    "outcome",
    "resources",
    "rounds",
    "setting_names",
    "settings",
    "timetable",
    "words",
}
LOAD = """
import json, sys
from waldur_dagster.definitions import defs
repository = defs().get_repository_def()
assert repository.get_all_jobs() and repository.schedule_defs and repository.sensor_defs
print(json.dumps(sorted(sys.modules)))
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The modules of a process that has loaded the code location."""
    file = tmp_path_factory.mktemp("deployment") / "waldur.toml"
    file.write_text('[database]\nurl = "postgresql://nobody@127.0.0.1:1/waldur"\n[alerts]\nto = ["ops@x.org"]\n')
    answer = subprocess.run(
        [sys.executable, "-c", LOAD],
        check=True,
        cwd=PROJECT,
        env={CONFIG_VARIABLE: str(file), "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert answer.stderr == "", "warnings of our own making"
    return set(json.loads(answer.stdout))


def test_loading_the_code_location_imports_nothing_that_only_runs_need(loaded: set[str]) -> None:
    assert {name.partition(".")[0] for name in loaded} & NOT_FOR_LOADING == set()


def test_it_loads_none_of_what_the_jobs_do(loaded: set[str]) -> None:
    ours = {name.split(".")[1] for name in loaded if name.startswith("waldur_dagster.")}
    assert ours <= OWN


@pytest.mark.parametrize(
    ("words", "unwanted"),
    [
        (["--help"], {"dagster", "sqlalchemy", "pydantic"}),
        (["outbox", "--help"], {"dagster", "pandas", "httpx", "celery"}),
        (["migrate", "--help"], {"dagster", "pandas", "httpx", "celery"}),
        (
            ["doctor", "--help"],
            {"pandas", "matplotlib", "docker", "kubernetes", "requests", "httpx", "celery", "keystoneauth1"},
        ),
    ],
)
def test_a_command_loads_only_what_it_needs(words: list[str], unwanted: set[str]) -> None:
    code = (
        "import sys\nsys.argv = ['waldur-dagster', *sys.argv[1:]]\nfrom waldur_dagster.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print('\\n' + ' '.join({name.partition('.')[0] for name in sys.modules}))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, *words], check=True, cwd=PROJECT, stdout=subprocess.PIPE, text=True
    )
    assert set(answer.stdout.splitlines()[-1].split()) & unwanted == set()


def _named() -> list[Function]:
    """All functions that jobs, assets, checks and reports name."""
    import gc

    from assets import build_assets
    from waldur_dagster.deployment import parse_deployment

    build_assets(parse_deployment({"database": {"url": "postgresql://x/y"}}))
    assert OPERATIONAL_JOBS
    return sorted({found for found in gc.get_objects() if isinstance(found, Function)}, key=lambda f: f.place)


@pytest.mark.parametrize("function", _named(), ids=lambda f: f.place)
def test_every_function_that_is_named_is_there_where_its_source_is_said_to_be(function: Function) -> None:
    assert callable(function.load())
    file, line = function.source
    assert file.is_relative_to(ROOT)
    assert file.read_text().splitlines()[line - 1].startswith(f"def {function.__name__}(")
