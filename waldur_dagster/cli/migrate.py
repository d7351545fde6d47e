"""``waldur-dagster migrate``: the program's own schema."""

from rich.console import Console

from waldur_dagster.deployment import load_deployment
from waldur_dagster.outbox.migrate import migrate as migrate_outbox
from waldur_dagster.outbox.operating import adopt
from waldur_dagster.site import Site


def migrate() -> None:
    """Make or update the program's own schema, waldur_dagster, in the site's database."""
    deployment = load_deployment()
    with Site(deployment) as site:
        site.check()
        migrate_outbox(site.engine)
        adopt(site.engine, deployment, unowned_only=True)  # what was written before messages had owners
    Console().print("The schema waldur_dagster is up to date.")
