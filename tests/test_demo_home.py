"""The demo's folder: nobody but its owner reads it, or connects to its database."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from waldur_dagster.demo.home import CONFIG_VARIABLE, DemoHome

PROJECT = Path(__file__).parents[1]


@pytest.fixture
def mask() -> Iterator[None]:
    """As on a machine where new files are for everybody to read."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("mask")
def test_the_demo_s_server_files_and_folders_are_their_owner_s_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(PROJECT)
    for name in (CONFIG_VARIABLE, "DAGSTER_HOME"):
        monkeypatch.setenv(name, "set by the demo")
    home = DemoHome(tmp_path / ".demo")
    home.folder.mkdir()  # as an earlier version left it
    deployment, _ = home.prepare()
    found = [home.folder, *home.folder.rglob("*"), *_sockets(str(deployment.database.url.get_secret_value()))]
    # Run by root the database is another user's, who may enter folders; numbers of processes are the server library's.
    others = 0o066 if os.geteuid() == 0 else 0o077
    open_ones = [
        path for path in found if stat.S_IMODE(path.lstat().st_mode) & others and not path.name.endswith("_pids.json")
    ]
    home.remove()
    assert [path for path in found if path.name.startswith(".s.PGSQL.")]
    assert open_ones == []


def _sockets(url: str) -> list[Path]:
    from sqlalchemy import make_url

    folder = make_url(url).query["host"]
    assert isinstance(folder, str)
    return [path for path in Path(folder).iterdir() if path.is_socket()]
