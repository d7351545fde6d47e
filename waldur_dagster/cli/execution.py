"""Running a job in this process while a person looks on: its steps as they begin and end, then its figures."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import dagster as dg
from rich.console import Console
from rich.markdown import Markdown
from rich.markup import escape
from rich.status import Status
from rich.table import Table

LOCATION = "waldur"
# By this tag the UI finds the runs of a job of this code location.
REPOSITORY = {".dagster/repository": f"__repository__@{LOCATION}"}
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
PAUSE = 0.2  # seconds between two looks at the run


def execute(
    console: Console,
    job: dg.JobDefinition,
    instance: dg.DagsterInstance,
    *,
    partition: str | None = None,
    options: Mapping[str, Any] | None = None,
    only: Sequence[dg.AssetKey] | None = None,
) -> dg.ExecuteInProcessResult:
    """Run a job, with the ``options`` of the resource ``site``, in the instance's history; its steps are shown."""
    run_id = str(uuid.uuid4())
    with _shown(console, instance, run_id):
        return job.execute_in_process(
            instance=instance,
            run_id=run_id,
            partition_key=partition,
            asset_selection=only,
            run_config=QUIET | ({"resources": {"site": {"config": dict(options)}}} if options else {}),
            tags=REPOSITORY,
            raise_on_error=False,
        )


@contextmanager
def _shown(console: Console, instance: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    """Tell of the run's steps while the block runs; the job itself stays in the main thread, where Ctrl-C ends it."""
    over = threading.Event()

    def look() -> None:
        told = 0
        with console.status("starting ...") as status:
            while True:
                last = over.is_set()
                for record in instance.all_logs(run_id)[told:]:
                    told += 1
                    _tell(console, record, status)
                if last:
                    return
                over.wait(PAUSE)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _tell(console: Console, record: dg.EventLogEntry, status: Status) -> None:
    event = record.dagster_event
    if event is None or event.step_key is None:
        return
    step = _words(event.step_key)
    match event.event_type:
        case dg.DagsterEventType.STEP_START:
            status.update(f"{step} ...")
        case dg.DagsterEventType.STEP_SUCCESS:
            console.print(f"  [green]done[/] {step} [dim]({event.step_success_data.duration_ms / 1000:.1f} s)[/]")
        case dg.DagsterEventType.STEP_FAILURE:
            console.print(f"  [red]failed[/] {step}: {escape(_reason(event))}", highlight=False)


def _words(step_key: str) -> str:
    return step_key.rpartition(".")[2].replace("_", " ")


def _reason(event: dg.DagsterEvent) -> str:
    """Why a step failed: our own words, else the last cause's first line; rows of the site may stand below it."""
    data = event.step_failure_data
    if data.user_failure_data is not None and data.user_failure_data.description:
        return data.user_failure_data.description
    error = data.error
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip().partition("\n")[0] if error is not None else "no reason is known"


def show_figures(console: Console, result: dg.ExecuteInProcessResult, *, dry_run: bool) -> None:
    """The figures of a run by step as a table, then what was found wrong."""
    table = Table(
        "step",
        "figure",
        title="What it would do" if dry_run else "What it did",
        title_justify="left",
        header_style="bold",
    )
    table.add_column("number", justify="right")
    texts: list[tuple[str, str]] = []
    for step, metadata in _without_parts(list(_metadata(result.all_events))):
        shown = [(name, text) for name, value in metadata.items() if (text := number(value.value)) is not None]
        for place, (name, text) in enumerate(shown):
            table.add_row("" if place else _words(step), escape(name), text)
        table.add_section()
        texts += [(name, value.md_str or "") for name, value in metadata.items() if _is_table(name, value)]
    console.print(table if table.row_count else "Nothing was to be done.")
    for name, text in texts:
        console.print(f"[bold]{name}[/]")
        console.print(Markdown(text))


def _metadata(events: Iterable[dg.DagsterEvent]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for event in events:
        if event.event_type == dg.DagsterEventType.STEP_OUTPUT:
            found = event.step_output_data.metadata
        elif event.event_type == dg.DagsterEventType.STEP_FAILURE and event.step_failure_data.user_failure_data:
            found = event.step_failure_data.user_failure_data.metadata
        else:
            continue
        if shown := {name: value for name, value in found.items() if not name.startswith("dagster/")}:
            yield str(event.step_key), shown


def _without_parts(steps: list[tuple[str, Mapping[str, Any]]]) -> list[tuple[str, Mapping[str, Any]]]:
    """Without the steps whose figures are parts of the last one's, which then are those of the whole run."""
    whole = len(steps) > 1 and all(metadata.keys() <= steps[-1][1].keys() for _, metadata in steps)
    return [("all steps", steps[-1][1])] if whole else steps


def _is_table(name: str, value: Any) -> bool:
    return isinstance(value, dg.MarkdownMetadataValue) and name in {"warnings", "failures"}


def number(value: object) -> str | None:
    """A figure as people write it; None for what is none."""
    match value:
        case bool() | None:
            return None
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.2f}"
    return None
