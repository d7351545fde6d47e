"""Runs of the tests side by side keep out of each other's folders, and clear away after those that were killed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests import memory


def test_what_a_killed_run_has_left_is_removed_and_a_running_one_keeps_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "memory_folder", lambda: str(tmp_path))
    gone = subprocess.Popen(["true"])
    gone.wait()
    left, running, other = (tmp_path / f"waldur-{what}" for what in (gone.pid, os.getppid(), "chaos-1"))
    for folder in (left, running, other):
        folder.mkdir()
        (folder / "file").touch()
    with memory.own_folder() as own:
        assert own.is_dir() and len(own.name) < 15
        assert (left.exists(), (running / "file").exists(), (other / "file").exists()) == (False, True, True)
    assert set(tmp_path.iterdir()) == {running, other}
