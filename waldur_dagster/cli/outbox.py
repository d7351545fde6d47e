"""``waldur-dagster outbox``: what waits to leave the program, or could not."""

from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from sqlalchemy import Row, select

from waldur_dagster.deployment import load_deployment
from waldur_dagster.outbox import delivery
from waldur_dagster.outbox.messages import parse
from waldur_dagster.outbox.tables import DELIVERED, DROPPED, GIVEN_UP, WAITING, message
from waldur_dagster.site import Site

app = typer.Typer(help="See, retry or drop what waits in the outbox.", no_args_is_help=True)
Keys = Annotated[list[str] | None, typer.Argument(help="Keys of messages.")]


@app.command(name="list")
def list_messages(
    everything: Annotated[bool, typer.Option("--all", help="Delivered and dropped ones too.")] = False,
    limit: Annotated[int, typer.Option(help="At most so many, oldest first.")] = 50,
) -> None:
    """List messages that wait or were given up."""
    states = [WAITING, GIVEN_UP, DELIVERED, DROPPED] if everything else [WAITING, GIVEN_UP]
    table = Table("key", "what", "state", "attempts", "next attempt", "last error", header_style="bold")
    with Site(load_deployment()) as site, site.engine.connect() as connection:
        found = connection.execute(
            select(message).where(message.c.state.in_(states)).order_by(message.c.id).limit(limit)
        )
        for row in found:
            what = _described(row)
            due = f"{row.next_attempt:%Y-%m-%d %H:%M}" if row.state == WAITING else ""
            table.add_row(row.key, what, row.state, str(row.attempts), due, row.last_error or "")
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
    with Site(deployment) as site:
        due = delivery.retry(site.engine, None if everything else keys)
        done = delivery.deliver(site.engine, deployment)
    typer.echo(f"{due} made due, {done.sent.total()} delivered, {len(done.failed)} failed")
    for key, reason in done.failed:
        typer.echo(f"{key}: {reason}", err=True)
    if done.failed:
        raise typer.Exit(1)


@app.command()
def drop(keys: Annotated[list[str], typer.Argument(help="Keys of messages.")]) -> None:
    """Never send these messages; they stay visible as dropped."""
    with Site(load_deployment()) as site:
        typer.echo(f"{delivery.drop(site.engine, keys)} dropped")
