"""The command ``waldur-dagster``: what operators do outside the Dagster UI."""

import sys
import warnings
from typing import NoReturn

import dagster as dg
import typer
from rich.console import Console
from rich.markup import escape
from sqlalchemy.exc import DBAPIError

from waldur_dagster.availability.rights import NoRights
from waldur_dagster.catalog import UnknownEntry
from waldur_dagster.cli import cutover, demo, doctor, outbox, partitions, readme, schedules
from waldur_dagster.deployment import ConfigurationError, load_deployment
from waldur_dagster.outbox.migrate import NoOutbox
from waldur_dagster.outbox.migrate import migrate as migrate_outbox
from waldur_dagster.outbox.operating import adopt
from waldur_dagster.site import Site, SiteUnreachable

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_show_locals=False, add_completion=False)
app.add_typer(demo.app, name="demo")
app.add_typer(schedules.app, name="schedules")
app.add_typer(outbox.app, name="outbox")
app.add_typer(partitions.app, name="partitions")
app.command(name="cutover")(cutover.cutover)
app.command(name="doctor")(doctor.doctor)
app.command(name="readme", hidden=True)(readme.readme)


@app.command()
def migrate() -> None:
    """Make or update the program's own schema, waldur_dagster, in the site's database."""
    deployment = load_deployment()
    with Site(deployment) as site:
        site.check()
        migrate_outbox(site.engine)
        adopt(site.engine, deployment, unowned_only=True)  # what was written before messages had owners
    Console().print("The schema waldur_dagster is up to date.")


def main() -> None:
    """Run the command; what is wrong with the deployment or its database is told in one line, with exit status 2."""
    # Dagster warns of beta parameters that it sets itself.
    warnings.filterwarnings("ignore", category=dg.BetaWarning, module="dagster")
    try:
        app()
    except (ConfigurationError, NoOutbox, NoRights, SiteUnreachable, UnknownEntry) as problem:
        _refuse(str(problem))
    except DBAPIError as error:  # a table that may not be read, a read-only server, a statement that takes too long
        _refuse(f"the database refuses: {str(error.orig).strip().splitlines()[0]}")


def _refuse(reason: str) -> NoReturn:
    line = " ".join(reason.split())
    Console(stderr=True).print(f"[bold red]waldur-dagster:[/] {escape(line)}", highlight=False, soft_wrap=True)
    sys.exit(2)
