"""The command line on a deployment file and a Dagster home of the test alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.conftest import PROJECT
from waldur_dagster import cli
from waldur_dagster.catalog import FAMILIES
from waldur_dagster.deployment import CONFIG_VARIABLE

ONLY_INVOICES = "\n".join(f"[families.{name}]\nregistered = false" for name in FAMILIES if name != "invoices")


@dataclass(frozen=True)
class Answer:
    status: int
    out: str
    err: str


class Terminal:
    """Runs ``waldur-dagster`` with arguments, as the console script does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path):
        self._monkeypatch, self._capsys, self._folder = monkeypatch, capsys, folder
        for name, value in (("DAGSTER_HOME", folder), ("PYTHONPATH", PROJECT), ("COLUMNS", "250")):
            monkeypatch.setenv(name, str(value))
        monkeypatch.chdir(PROJECT)

    def configure(self, database: Engine | str, extra: str = "", *, head: str = "") -> Path:
        """Write the deployment file, and let the program find it."""
        url = database if isinstance(database, str) else database.url.render_as_string(hide_password=False)
        file = self._folder / "waldur.toml"
        mails = json.dumps(str(self._folder / "mails"))
        file.write_text(f"{head}\n[database]\nurl = {json.dumps(url)}\n[mail]\ndirectory = {mails}\n{extra}\n")
        self._monkeypatch.setenv(CONFIG_VARIABLE, str(file))
        return file

    @property
    def mails(self) -> list[Path]:
        return sorted((self._folder / "mails").glob("*.eml"))

    def __call__(self, *words: str) -> Answer:
        self._monkeypatch.setattr("sys.argv", ["waldur-dagster", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = self._capsys.readouterr()
        assert "Traceback" not in told.err
        return Answer(int(ended.value.code or 0), told.out, told.err)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Terminal:
    return Terminal(monkeypatch, capsys, tmp_path)
