"""``waldur-dagster outbox``: what waits to leave the program, or could not."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy import Engine, Row, select

from waldur_dagster.deployment import Deployment, load_deployment
from waldur_dagster.outbox import delivery
from waldur_dagster.outbox.messages import parse
from waldur_dagster.outbox.migrate import require_current
from waldur_dagster.outbox.tables import DELIVERED, DROPPED, GIVEN_UP, WAITING, message
from waldur_dagster.site import Site

app = typer.Typer(help="See, retry or drop what waits in the outbox.", no_args_is_help=True)
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
    """List messages that wait or were given up."""
    states = [WAITING, GIVEN_UP, DELIVERED, DROPPED] if everything else [WAITING, GIVEN_UP]
    table = Table("key", "what", "state", "attempts", "next attempt", "last error", header_style="bold")
    with _outbox(load_deployment()) as engine, engine.connect() as connection:
        found = connection.execute(
            select(message).where(message.c.state.in_(states)).order_by(message.c.id).limit(limit)
        )
        for row in found:
            what = _described(row)
            due = f"{row.next_attempt:%Y-%m-%d %H:%M}" if row.state == WAITING else ""
            table.add_row(
                escape(row.key), escape(what), row.state, str(row.attempts), due, escape(row.last_error or "")
            )
    Console().print(table if table.row_count else "Nothing waits.")


def _described(row: Row[Any]) -> str:
    try:
        return str(parse.validate_python(row.payload | {"key": row.key}))
    except (ValidationError, TypeError):
        return f"{row.kind}, malformed payload"


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
        due = delivery.retry(engine, None if everything else keys)
        done = delivery.deliver(engine, deployment)
    typer.echo(f"{due} made due, {done.sent.total()} delivered, {len(done.failed)} failed")
    for key, reason in done.failed:
        typer.echo(f"{key}: {reason}", err=True)
    if done.failed:
        raise typer.Exit(1)


@app.command()
def drop(keys: Annotated[list[str], typer.Argument(help="Keys of messages.")]) -> None:
    """Never send these messages; they stay visible as dropped."""
    with _outbox(load_deployment()) as engine:
        dropped = delivery.drop(engine, keys)
    typer.echo(f"{dropped} dropped")
    if dropped < len(set(keys)):
        typer.echo("The others neither wait nor were given up; see `waldur-dagster outbox list --all`.", err=True)
        raise typer.Exit(1)
