"""Plays the head node of a SLURM cluster: an ``ssh`` that knows what the commands of a case print."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

SSH = """#!{python}
import json, shlex, sys
outputs = json.load(open({outputs!r}))
command = shlex.split(sys.argv[-1])
found = [known["output"] for known in outputs if sorted(known["command"]) == sorted(command)]
if not found:
    sys.exit(f"no output of {{command}} was recorded")
print(found[0])
"""


@contextmanager
def slurm_commands(commands: list[dict[str, Any]] | None) -> Iterator[None]:
    """While the block runs, ssh answers from ``commands``."""
    if not commands:
        yield
        return
    before = os.environ["PATH"]
    with TemporaryDirectory() as folder:
        outputs = Path(folder, "outputs.json")
        outputs.write_text(json.dumps(_with_joint_call(commands)))
        ssh = Path(folder, "ssh")
        ssh.write_text(SSH.format(python=sys.executable, outputs=str(outputs)))
        ssh.chmod(0o755)
        os.environ["PATH"] = f"{folder}{os.pathsep}{before}"
        try:
            yield
        finally:
            os.environ["PATH"] = before


def _with_joint_call(commands: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The reference asks for each account by itself, and for all of them; any of its lists of accounts may be asked."""
    joint = [c for c in commands if any(word.startswith("--accounts=") and "," in word for word in c["command"])]
    single = {w for c in commands for w in c["command"] if w.startswith("--accounts=") and "," not in w}
    accounts = ",".join(sorted(word.removeprefix("--accounts=") for word in single))
    extra = [
        {
            "command": [f"--accounts={accounts}" if w.startswith("--accounts=") else w for w in c["command"]],
            "output": c["output"],
        }
        for c in joint[:1]
    ]
    return commands + extra
