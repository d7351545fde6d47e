"""What a run costs beside an empty Dagster job, and what loading the code location and the command line cost.

``python -m benchmarks.run_cost`` starts whole processes, one after the other and in turns, so that a busy machine is
unfair to none of them, and shows medians of CPU seconds and of the largest resident memory.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks import runner
from benchmarks.runner import DirectoryOption
from benchmarks.site import Size, lay
from waldur_dagster.deployment import CONFIG_VARIABLE
from waldur_dagster.schema.generations import Generation

PROJECT = Path(__file__).parents[1]
IMPORT, LOAD = "import dagster", "load the code location"
# The location freezes what it has built, which also spares the collection at the end of the process. Beside an import
# that is spared the same, its own cost is seen; beside a plain one it would look cheaper than the import within it.
FROZEN = "import dagster, spared the last collection"
EMPTY, JOB = "empty Dagster job", "cancel-expired-invitations"
COMMANDS = {"waldur-dagster --help": ("--help",), "waldur-dagster doctor": ("doctor",)}
MOST_OF_A_RUN, MOST_OF_LOADING, MOST_SECONDS, MOST_MIB = 1.3, 1.5, 2.0, 150.0
# A small process starts each command, since the peak of a child begins with the memory of its parent.
LAUNCHER = """
import os, sys
child = os.fork()
if not child:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1), os.dup2(nowhere, 2)
    os.execv(sys.argv[1], sys.argv[1:])
_, status, used = os.wait4(child, 0)
print(os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""


@dataclass
class Cost:
    """CPU seconds and peak MiB of one command, run by run."""

    cpu: list[float] = field(default_factory=list)
    peak: list[float] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return statistics.median(self.cpu)

    @property
    def mib(self) -> float:
        return statistics.median(self.peak)


def commands() -> Mapping[str, Sequence[str]]:
    """What is measured, by name."""
    folder = Path(sys.executable).parent
    execute = (str(folder / "dagster"), "job", "execute")
    ours = ("-m", "waldur_dagster.definitions", "-a", "defs", "-j", JOB.replace("-", "_"))
    load = "from waldur_dagster.definitions import defs; defs().get_repository_def()"
    return {
        IMPORT: (sys.executable, "-c", "import dagster"),
        FROZEN: (sys.executable, "-c", "import dagster, gc; gc.freeze()"),
        LOAD: (sys.executable, "-c", load),
        EMPTY: (*execute, "-m", "benchmarks.empty_job", "-j", "empty"),
        JOB: (*execute, *ours),
    } | {name: (str(folder / "waldur-dagster"), *words) for name, words in COMMANDS.items()}


def measure(runs: int, environment: Mapping[str, str], progress: runner.Tell = print) -> dict[str, Cost]:
    """Each command so many times, in turns; once before, to write the compiled modules."""
    costs = {name: Cost() for name in commands()}
    for number in range(runs + 1):
        progress(f"round {number} of {runs}" if number else "warming up")
        for name, command in commands().items():
            answer = subprocess.run(
                (sys.executable, "-S", "-c", LAUNCHER, *command),
                check=True,
                cwd=PROJECT,
                env=environment,
                stdout=subprocess.PIPE,
            )
            status, cpu, peak = map(float, answer.stdout.split())
            if status:
                raise typer.BadParameter(f"{name} failed: run it by hand")
            if number:
                costs[name].cpu.append(cpu)
                costs[name].peak.append(peak)
    return costs


def misses(costs: Mapping[str, Cost]) -> list[str]:
    """The targets that were missed."""
    run, loading = costs[JOB].seconds / costs[EMPTY].seconds, costs[LOAD].seconds / costs[FROZEN].seconds
    return runner.missed(
        [
            ("times the CPU of an empty job", run, MOST_OF_A_RUN),
            ("MiB in a run", costs[JOB].mib, MOST_MIB),
            ("times the CPU of import dagster", loading, MOST_OF_LOADING),
            *((f"CPU seconds of {name}", costs[name].seconds, MOST_SECONDS) for name in COMMANDS),
        ]
    )


def shown(costs: Mapping[str, Cost]) -> Table:
    table = Table(title="Whole processes, medians", title_justify="left")
    table.add_column("process")
    for heading in ("CPU seconds", "peak MiB", "beside"):
        table.add_column(heading, justify="right")
    beside = {LOAD: FROZEN, JOB: EMPTY}
    for name, cost in costs.items():
        ratio = f"{cost.seconds / costs[beside[name]].seconds:.2f} x" if name in beside else ""
        table.add_row(name, f"{cost.seconds:.2f}", f"{cost.mib:.0f}", ratio)
    return table


def main(
    runs: Annotated[int, typer.Option(min=1, help="How often each command is run.")] = 7,
    directory: DirectoryOption = None,
) -> None:
    """Measure whole processes on a small site."""
    console = Console()
    with (
        runner.empty_database(directory, console) as (engine, tell),
        tempfile.TemporaryDirectory(prefix="waldur-bench-") as home,
    ):
        lay(engine, Size(customers=20), tell, generation=Generation.OCTOBER_2024)
        url = engine.url.render_as_string(hide_password=False)
        file = Path(home) / "waldur.toml"
        file.write_text(
            f"[database]\nurl = {json.dumps(url)}\n[celery]\nresult_store_url = {json.dumps('file://' + home)}\n"
        )
        (Path(home) / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        own = {CONFIG_VARIABLE: str(file), "DAGSTER_HOME": home, "PYTHONPATH": str(PROJECT)}
        costs = measure(runs, kept | own, tell)
    console.print(shown(costs))
    runner.conclude(console, misses(costs))


if __name__ == "__main__":
    typer.run(main)
