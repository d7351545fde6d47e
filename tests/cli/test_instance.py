"""What the command line says when Dagster's own instance, or the code location there, cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Terminal
from tests.conftest import PROJECT
from tests.mail_server import free_port

pytestmark = pytest.mark.waits
DOWN = "postgresql://waldur@127.0.0.1:1/waldur"
SCHEDULES = ("schedules",)
RUN = ("run", "update-invoices-total-cost", "--dry-run")
SECRET = "hidden-word"


def _says(terminal: Terminal, words: tuple[str, ...]) -> str:
    answer = terminal(*words)
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1), answer
    return answer.err


@pytest.mark.parametrize("words", [SCHEDULES, ("schedules", "start", "invoices"), ("cutover",)], ids=" ".join)
def test_a_code_server_that_does_not_answer_is_told_in_one_line(
    terminal: Terminal, tmp_path: Path, words: tuple[str, ...]
) -> None:
    terminal.configure(DOWN)
    workspace = tmp_path / "servers.yaml"
    text = (PROJECT / "deploy" / "workspace.yaml").read_text()
    workspace.write_text(text.replace("host: code", "host: 127.0.0.1").replace("4000", str(free_port())))
    said = _says(terminal, (*words, "--workspace", str(workspace)))
    assert f"Does the code server that {workspace} names run" in said and "UNAVAILABLE" in said


def test_without_a_home_nothing_is_switched_that_nobody_reads(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal.configure(DOWN)
    monkeypatch.delenv("DAGSTER_HOME")
    assert "DAGSTER_HOME is not set" in _says(terminal, ("schedules", "start", "invoices"))


@pytest.mark.parametrize("words", [SCHEDULES, RUN], ids=" ".join)
def test_an_instance_that_cannot_be_opened_is_told_in_one_line(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    terminal.configure(DOWN)
    (tmp_path / "dagster.yaml").write_text((PROJECT / "deploy" / "dagster.yaml").read_text())
    monkeypatch.setenv("DAGSTER_COMPUTE_LOGS", str(tmp_path))
    monkeypatch.delenv("DAGSTER_STORAGE_URL", raising=False)
    assert "DAGSTER_STORAGE_URL" in _says(terminal, words)
    monkeypatch.setenv("DAGSTER_STORAGE_URL", f"postgresql+psycopg2://dagster:{SECRET}@127.0.0.1:1/dagster")
    said = _says(terminal, words)
    assert f"Dagster's instance at {tmp_path} cannot be used: " in said and "Connection refused" in said
    assert SECRET not in said
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "nowhere"))
    assert "does not exist" in _says(terminal, words)
