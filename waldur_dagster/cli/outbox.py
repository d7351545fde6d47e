"""``waldur-dagster outbox``: what waits to leave the program, or could not."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table
from sqlalchemy import Engine, Row, select

from waldur_dagster.deployment import Deployment, load_deployment
from waldur_dagster.outbox import operating
from waldur_dagster.outbox.delivery import backlog, deliver
from waldur_dagster.outbox.messages import parse
from waldur_dagster.outbox.migrate import require_current
from waldur_dagster.outbox.origin import origin
from waldur_dagster.outbox.tables import (
    DELIVERED,
    DROPPED,
    GIVEN_UP,
    PERHAPS,
    SENDING,
    WAITING,
    message,
    system,
)
from waldur_dagster.site import Site

app = typer.Typer(help="See, retry or drop what waits in the outbox.", no_args_is_help=True)
OPEN_STATES = (WAITING, SENDING, PERHAPS, GIVEN_UP)
ALL_STATES = (*OPEN_STATES, DELIVERED, DROPPED)
ROOM_BESIDE_KEYS = 80
Keys = Annotated[list[str] | None, typer.Argument(help="Keys of messages.")]


@contextmanager
def _outbox(deployment: Deployment) -> Iterator[Engine]:
    """The database of a site that has an outbox. Raises SiteUnreachable or NoOutbox."""
    with Site(deployment) as site:
        site.check()
        require_current(site.engine)
        yield site.engine


@app.command(name="list")
def list_messages(
    everything: Annotated[bool, typer.Option("--all", help="Delivered and dropped ones too.")] = False,
    limit: Annotated[int, typer.Option(help="At most so many, oldest first.")] = 50,
) -> None:
    """List messages that wait, were given up, or may have been delivered; and the outside systems that are down."""
    states = ALL_STATES if everything else OPEN_STATES
    deployment = load_deployment()
    with _outbox(deployment) as engine, engine.begin() as connection:
        mine = origin(connection, deployment)
        found = connection.execute(
            select(message).where(message.c.state.in_(states)).order_by(message.c.id).limit(limit)
        ).all()
        resting = connection.execute(select(system).order_by(system.c.name)).all()
        foreign = backlog(engine, deployment).foreign_words.strip()
    if not found:
        Console().print("Nothing waits.")
        return
    _print(_messages(found, mine), found)
    for row in resting:
        told = f"{row.name}: left alone since {row.since:%Y-%m-%d %H:%M}, tried again {row.next_try:%Y-%m-%d %H:%M}"
        Console().print(escape(f"{told}: {row.reason}"), soft_wrap=True, highlight=False)
    if foreign:
        Console().print(foreign, soft_wrap=True)


def _messages(found: Sequence[Row[Any]], mine: str) -> Table:
    key = Column("key", no_wrap=True, min_width=max(len(row.key) for row in found))
    table = Table(key, "what", "state", "attempts", "next attempt", "last error", header_style="bold")
    for row in found:
        due = f"{row.next_attempt:%Y-%m-%d %H:%M}" if row.state == WAITING else ""
        if row.origin not in {None, mine} and row.state in OPEN_STATES:
            due = f"not from here: {row.origin}"
        what, error = escape(_described(row)), escape(row.last_error or "")
        table.add_row(escape(row.key), what, row.state, str(row.attempts), due, error)
    return table


def _print(table: Table, found: Sequence[Row[Any]]) -> None:
    """However narrow the terminal is, keys stay whole, to be copied."""
    console = Console()
    console.width = max(console.width, max(len(row.key) for row in found) + ROOM_BESIDE_KEYS)
    console.print(table)


def _described(row: Row[Any]) -> str:
    try:
        return str(parse.validate_python(row.payload | {"key": row.key}))
    except (ValidationError, TypeError):
        return f"{row.kind}, text no longer kept" if row.payload == {} else f"{row.kind}, malformed payload"


def _known(engine: Engine, keys: list[str]) -> None:
    if missing := operating.unknown_keys(engine, keys):
        typer.echo(
            f"No message has the key {', '.join(map(repr, missing))}; see `waldur-dagster outbox list`.", err=True
        )
        raise typer.Exit(1)


@app.command()
def retry(
    keys: Keys = None,
    everything: Annotated[bool, typer.Option("--all", help="All that wait or were given up.")] = False,
) -> None:
    """Make messages due now, and deliver what is due."""
    if not keys and not everything:
        raise typer.BadParameter("name keys, or say --all")
    deployment = load_deployment()
    with _outbox(deployment) as engine:
        _known(engine, keys or [])
        due = operating.retry(engine, None if everything else keys, deployment=deployment)
        done = deliver(engine, deployment)
    typer.echo(f"{due} made due, {done.sent.total()} delivered, {done.not_delivered} failed")
    for finding in done.findings():
        typer.echo(finding, err=True)
    unmoved = not everything and due < len(set(keys or []))
    if unmoved:
        typer.echo("The others are delivered, dropped, being sent, or belong to another deployment.", err=True)
    if done.not_delivered or unmoved:
        raise typer.Exit(1)


@app.command()
def drop(keys: Annotated[list[str], typer.Argument(help="Keys of messages.")]) -> None:
    """Never send these messages; they stay visible as dropped."""
    with _outbox(load_deployment()) as engine:
        _known(engine, keys)
        dropped = operating.drop(engine, keys)
    typer.echo(f"{dropped} dropped")
    if dropped < len(set(keys)):
        typer.echo("The others neither wait nor were given up; see `waldur-dagster outbox list --all`.", err=True)
        raise typer.Exit(1)


@app.command()
def adopt() -> None:
    """Take over the waiting messages of another deployment or database, to send them from here.

    For a site that has moved, or was renamed. On a copy of a site it would send the site's messages a second time.
    """
    deployment = load_deployment()
    with _outbox(deployment) as engine:
        count = operating.adopt(engine, deployment)
    typer.echo(f"{count} taken over; they are sent by the next delivery")
