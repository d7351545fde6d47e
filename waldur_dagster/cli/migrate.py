"""``waldur-dagster migrate``: the program's own schema."""

from rich.console import Console

from waldur_dagster.deployment import load_deployment
from waldur_dagster.outbox.migrate import migrate as migrate_outbox
from waldur_dagster.site import Site


def migrate() -> None:
    """Make or update the program's own schema, waldur_dagster, in the site's database."""
    with Site(load_deployment()) as site:
        site.check()
        migrate_outbox(site.engine)
    Console().print("The schema waldur_dagster is up to date.")
