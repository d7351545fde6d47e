"""The command ``waldur-dagster``: what operators do outside the Dagster UI."""

from __future__ import annotations

import gc
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from typer.core import TyperCommand, TyperGroup


class InstanceUnusable(Exception):
    """Dagster's instance, or the code location there, cannot be used; the text says why, and what to do."""


@dataclass(frozen=True)
class Command:
    """A command by the module of this package that has it, as ``app`` or as a function of the module's name."""

    module: str
    help: str
    hidden: bool = False

    def load(self, name: str) -> Any:
        with _collecting_later():
            module = import_module(f"{__name__}.{self.module}")
        app = getattr(module, "app", None)
        if app is None:
            app = typer.Typer(add_completion=False)
            app.command(name=name)(getattr(module, self.module))
        return typer.main.get_command(app)


@contextmanager
def _collecting_later() -> Iterator[None]:
    """What is imported stays: looking through it for garbage again and again would take half of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


COMMANDS = {
    "doctor": Command("doctor", "Check the database, the tables that each registered entry needs, and the settings."),
    "migrate": Command("migrate", "Make or update the program's own schema, waldur_dagster, in the site's database."),
    "run": Command("run", "Run the job of an entry here and now, and show what it did."),
    "schedules": Command("schedules", "List the schedules of this deployment, or switch them."),
    "cutover": Command("cutover", "Print the settings that switch off, on Waldur's side, the entries that run here."),
    "partitions": Command("partitions", "Show what Waldur has made before this program came."),
    "outbox": Command("outbox", "See, retry or drop what waits in the outbox."),
    "demo": Command("demo", "A Waldur site to play with, billed by Dagster."),
    "readme": Command("readme", "Write what is made of the code: the README's table of entries.", hidden=True),
}


class Commands(TyperGroup):
    """Loads the command that is called, and no other: help answers at once, and no command waits for the others."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        known = COMMANDS.get(cmd_name)
        return known and TyperCommand(cmd_name, help=known.help, hidden=known.hidden)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        if args and args[0] in COMMANDS:
            return args[0], COMMANDS[args[0]].load(args[0]), args[1:]
        return super().resolve_command(ctx, args)


app = typer.Typer(cls=Commands, no_args_is_help=True, pretty_exceptions_show_locals=False, add_completion=False)


@app.callback(help=__doc__)
def _commands() -> None:
    """Only the group itself."""


def main() -> None:
    """Run the command; what is wrong with the deployment or what it needs is told in one line, with exit status 2."""
    # Dagster warns of beta parameters that it sets itself.
    warnings.filterwarnings("ignore", message=".*is currently in beta.*")
    try:
        app()
    except Exception as problem:
        reason = _reason(problem)
        if reason is None:
            raise
        Console(stderr=True).print(f"[bold red]waldur-dagster:[/] {escape(reason)}", highlight=False, soft_wrap=True)
        sys.exit(2)


def _reason(problem: Exception) -> str | None:
    """What an operator can mend, in one line; None for a fault of the program. Loaded when something went wrong."""
    from sqlalchemy.exc import DBAPIError

    from waldur_dagster.availability.rights import NoRights
    from waldur_dagster.catalog import UnknownEntry
    from waldur_dagster.deployment import ConfigurationError
    from waldur_dagster.outbox.migrate import NoOutbox
    from waldur_dagster.site import SiteUnreachable

    if isinstance(problem, DBAPIError):  # a table that may not be read, a read-only server, a statement that takes long
        return f"the database refuses: {str(problem.orig).strip().splitlines()[0]}"
    known = (ConfigurationError, InstanceUnusable, NoOutbox, NoRights, SiteUnreachable, UnknownEntry)
    return " ".join(str(problem).split()) if isinstance(problem, known) else None
