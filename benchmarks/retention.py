"""How long it takes to remove 100,000 old runs with their events and ticks from Dagster's storage in PostgreSQL.

``python -m benchmarks.retention`` fills a storage on an embedded server, mostly with old runs, and removes those as the
job ``remove_old_history`` does.
"""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import dagster as dg
import typer
from rich.console import Console
from sqlalchemy import Connection, create_engine, text

from waldur_dagster.demo import server
from waldur_dagster.deployment_sections import Retention
from waldur_dagster.retention import forget_history

EVENTS = 20  # of a run of one step, with its logs
FILL = (
    "INSERT INTO runs (run_id, pipeline_name, status, run_body, create_timestamp, update_timestamp) "
    "SELECT gen_random_uuid()::text, 'job', 'SUCCESS', repeat('x', 1500), made, made FROM ("
    "SELECT now() - CASE WHEN n <= :old THEN interval '200 days' ELSE interval '0' END AS made "
    "FROM generate_series(1, :runs) n) AS times",
    "INSERT INTO run_tags (run_id, key, value) SELECT run_id, 'waldur/entry', 'entry' FROM runs",
    "INSERT INTO event_logs (run_id, event, dagster_event_type, timestamp) SELECT run_id, repeat('x', 300), "
    "CASE WHEN n = 1 THEN 'ASSET_MATERIALIZATION' ELSE 'STEP_OUTPUT' END, create_timestamp "
    "FROM runs, generate_series(1, :events) n",
    "INSERT INTO job_ticks (job_origin_id, selector_id, status, type, timestamp, tick_body) "
    "SELECT 'origin', 'origin', 'SUCCESS', 'SCHEDULE', create_timestamp, repeat('x', 500) FROM runs",
    "ANALYZE",
)


def fill(connection: Connection, old: int, young: int) -> None:
    """So many runs, each with its events and its tick."""
    for statement in FILL:
        connection.execute(text(statement), {"old": old, "runs": old + young, "events": EVENTS})


def measure(folder: Path, runs: int) -> tuple[dict[str, int], float]:
    """What was removed, and in how many seconds."""
    running = server.start(folder / "postgresql")
    url = server.url_of(running)
    address = url.set(drivername="postgresql+psycopg2").render_as_string(hide_password=False)
    (folder / "dagster.yaml").write_text(f'storage:\n  postgres:\n    postgres_url: "{address}"\n')
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        instance.get_runs(limit=1)
        engine = create_engine(url)
        with engine.begin() as connection:
            fill(connection, runs, runs // 10)
        engine.dispose()
        begun = time.perf_counter()
        removed = forget_history(instance, Retention(), datetime.now(UTC), lambda _: None)
        seconds = time.perf_counter() - begun
    running.stop()
    return removed, seconds


def main(runs: Annotated[int, typer.Option(help="How many old runs there are.")] = 100_000) -> None:
    """Print how long the removal of so many runs takes."""
    with tempfile.TemporaryDirectory() as folder:
        removed, seconds = measure(Path(folder), runs)
    counts = ", ".join(f"{count:,} {kind}" for kind, count in removed.items())
    Console().print(f"removed {counts} in {seconds:.1f} s")


if __name__ == "__main__":
    typer.run(main)
