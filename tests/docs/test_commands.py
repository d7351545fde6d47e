"""Every command that the documentation shows is run as it is written, on a site of the test."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Terminal
from tests.conftest import PROJECT
from tests.dagster.runs import billable
from tests.scene import Scene
from waldur_dagster.cli import COMMANDS
from waldur_dagster.outbox import Mail, put

PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
PROGRAMS = ("waldur-dagster", "dagster", "dg", "make", "pip", ".venv/bin/python")
# What a reader puts in for a word in capitals.
WORDS = {"ENTRY": "cancel-expired-invitations", "KEY": "some-key", "NAME": "invoices"}
# Programs that run until they are stopped; tests/dagster/test_up.py runs both commands with their servers.
SERVERS = {"make up", "make up PORT=3001", "dagster dev -m waldur_dagster.definitions"}
BIN = Path(sys.executable).parent


def commands_of(text: str) -> list[str]:
    """The commands of a page: in code blocks, fenced or indented, and in the text between backticks."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    lines += [line.strip() for line in prose.splitlines() if line.startswith("    ")]
    lines += re.findall(r"`([^`\n]+)`", prose)
    bare = [line.partition(" #")[0].strip() for line in lines]
    return list(dict.fromkeys(one for line in bare if line.split(" ")[0] in PROGRAMS for one in _spelled(line)))


def _spelled(line: str) -> list[str]:
    """``outbox list|retry|drop`` as three commands, without what is optional, with words for those in capitals."""
    line = re.sub(r"\s*\[[^\]]*\]", "", line.replace("\\|", "|"))
    line = re.sub(r"\b[A-Z]{3,}\b(?!=)", lambda word: WORDS.get(word[0], word[0]), line)
    choice = re.search(r"\S+(\|\S+)+", line)
    if choice is None:
        return [line]
    return [line.replace(choice[0], one) for one in choice[0].split("|")]


COMMANDS_SHOWN = list(dict.fromkeys(one for page in PAGES for one in commands_of(page.read_text(encoding="utf-8"))))
OURS = [one for one in COMMANDS_SHOWN if one.startswith("waldur-dagster ")]
DAGSTERS = [one for one in COMMANDS_SHOWN if one.split(" ")[0] in ("dagster", "dg") and one not in SERVERS]
MAKE = [one for one in COMMANDS_SHOWN if one.startswith("make ")]
PYTHON = [one for one in COMMANDS_SHOWN if one.startswith(".venv/bin/python ")]


def test_all_commands_are_run_by_one_of_these_tests() -> None:
    assert len(OURS) > 10 and DAGSTERS and MAKE and PYTHON
    known = {*OURS, *DAGSTERS, *MAKE, *PYTHON, *SERVERS, "pip install ."}
    # Names of programs without anything to do, as the text mentions them.
    assert [one for one in COMMANDS_SHOWN if one not in known and " " in one] == []
    assert {name for name, command in COMMANDS.items() if not command.hidden} <= {one.split(" ")[1] for one in OURS} | {
        "demo"
    }


@pytest.mark.parametrize("command", OURS)
def test_a_command_of_the_program_does_what_it_is_shown_for(
    terminal: Terminal, scene: Scene, command: str, tmp_path: Path
) -> None:
    billable(scene)
    terminal.configure(scene.engine, f'[celery]\nresult_store_url = "file://{tmp_path}"')
    words = shlex.split(command)[1:]
    if words[0] == "readme":  # writes into the project; here into a copy
        words += ["--file", str(tmp_path / "README.md")]
        (tmp_path / "README.md").write_text(PAGES[0].read_text(encoding="utf-8"), encoding="utf-8")
    if words[:2] in (["outbox", "retry"], ["outbox", "drop"]):
        words += [] if WORDS["KEY"] in words else [WORDS["KEY"]]
        mail = Mail(key=WORDS["KEY"], to=("you@x.org",), subject="S", body="B", from_address="site@x.org")
        with scene.site() as site, site.work("docs", datetime.now(UTC)) as work:
            put(work, [mail])
    answer = terminal(*words)
    assert answer.status == 0, answer.out + answer.err


@pytest.mark.parametrize("command", DAGSTERS)
def test_a_command_of_dagster_works_with_this_project(terminal: Terminal, scene: Scene, command: str) -> None:
    terminal.configure(scene.engine, head='first_month = "2024-01"')
    words = shlex.split(command)
    if not (BIN / words[0]).exists():
        pytest.skip(f"{words[0]} is not installed: pip install dagster-dg-cli")
    if words[1:3] == ["job", "backfill"]:
        words.append("--noprompt")
    answer = subprocess.run(
        [str(BIN / words[0]), *words[1:]],
        check=False,
        cwd=PROJECT,
        env=os.environ | {"VIRTUAL_ENV": str(BIN.parent)},
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize("command", MAKE)
def test_a_target_of_make_is_there_and_its_programs_are(command: str) -> None:
    answer = subprocess.run(
        [*shlex.split(command), "--dry-run", "--always-make"], check=True, cwd=PROJECT, capture_output=True, text=True
    )
    for program, name in re.findall(r"\.venv/bin/(waldur-dagster) (?:demo )?(\w+)", answer.stdout):
        assert program and name in {*COMMANDS, "run", "up", "clean"}


@pytest.mark.parametrize("command", PYTHON)
def test_a_benchmark_takes_the_options_that_are_shown(command: str) -> None:
    """Their work on small sites is tested in tests/benchmarks."""
    words = shlex.split(command)[1:]
    answer = subprocess.run(
        [sys.executable, *words, "--help"],
        check=True,
        cwd=PROJECT,
        env=os.environ | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
    )
    assert {word for word in words if word.startswith("--")} <= set(re.findall(r"--\w+", answer.stdout))


def test_the_demo_is_made_shown_and_removed(tmp_path: Path) -> None:
    """What ``make demo`` and ``make demo-clean`` call; the demo's runs are in the history that the UI shows."""
    folder, program = tmp_path / "demo", str(BIN / "waldur-dagster")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "XDG_RUNTIME_DIR"}
    environment |= {"TMPDIR": str(temporary)}
    apart: dict[str, Any] = {"cwd": PROJECT, "capture_output": True, "text": True, "env": environment}
    made = subprocess.run([program, "demo", "run", "--folder", str(folder)], check=False, **apart)
    assert made.returncode == 0, made.stdout + made.stderr
    assert "organizations" in made.stdout and "Warning" not in made.stderr
    code = (
        "import dagster as dg\nwith dg.DagsterInstance.get() as instance:\n"
        "    print(*[run.job_name + run.tags['.dagster/repository'] for run in instance.get_runs()])"
    )
    home = os.environ | {"DAGSTER_HOME": str(folder / "dagster")}
    runs = subprocess.run([sys.executable, "-c", code], check=True, env=home, capture_output=True, text=True)
    assert "waldur_create_invoices__repository__@waldur" in runs.stdout
    subprocess.run([program, "demo", "clean", "--folder", str(folder)], check=True, **apart)
    assert not folder.exists()
    assert list(temporary.glob("waldur-dagster-*")) == []
