"""What each entry needs of a site, and what a site lacks of it.

A family adds one module with a ``NEEDS`` of its entries, and its name to the table below.
"""

from waldur_dagster.availability import core, invoices, marketplace, quotas
from waldur_dagster.availability.needs import Needs
from waldur_dagster.outbox.migrate import is_current
from waldur_dagster.site import Site

NEEDS: dict[str, Needs] = {**core.NEEDS, **invoices.NEEDS, **quotas.NEEDS, **marketplace.NEEDS}


def missing_parts(site: Site, entry: str) -> list[str]:
    """What keeps an entry from running on this site; empty when nothing does.

    Raises SiteUnreachable when the database does not answer.
    """
    site.check()
    missing = NEEDS.get(entry, Needs()).missing(site)
    if not is_current(site.engine):
        missing.append("schema waldur_dagster (run `waldur-dagster migrate`)")
    return missing
