"""What each entry needs of a site, and what keeps it from running there.

A family adds one module with a ``NEEDS`` of its entries, and its name to the table below.
"""

from waldur_dagster.availability import core, invoices, marketplace, openstack, people, quotas, rancher_support, remote
from waldur_dagster.availability.needs import Needs
from waldur_dagster.availability.rights import lacking_rights
from waldur_dagster.availability.superseded import superseded
from waldur_dagster.availability.writes import WRITES
from waldur_dagster.outbox.migrate import is_current
from waldur_dagster.site import Site

NEEDS: dict[str, Needs] = {
    **core.NEEDS,
    **invoices.NEEDS,
    **quotas.NEEDS,
    **marketplace.NEEDS,
    **openstack.NEEDS,
    **people.NEEDS,
    **remote.NEEDS,
    **rancher_support.NEEDS,
}


def missing_parts(site: Site, entry: str) -> list[str]:
    """What this site lacks for an entry; empty when it lacks nothing.

    Raises SiteUnreachable when the database does not answer.
    """
    site.check()
    needs = NEEDS.get(entry, Needs())
    read, written = {table.name for table in needs.tables}, WRITES.get(entry, {})
    if lacking := lacking_rights(site, read, {name: written[name] for name in read & written.keys()}):
        return lacking
    missing = needs.missing(site)
    if not is_current(site.engine):
        missing.append("schema waldur_dagster (run `waldur-dagster migrate`)")
    return missing


def reason_not_to_run(site: Site, entry: str) -> str | None:
    """What keeps an entry from running on this site, in the words that ticks and runs share; None when nothing does.

    Raises SiteUnreachable when the database does not answer.
    """
    if entry not in NEEDS:
        return None
    site.check()
    if place_taken := superseded(site, entry):
        return (
            f"Superseded on this site: {place_taken}. "
            f'To run it all the same, write superseded = "run" under [entries.{entry}] of the deployment file.'
        )
    if older := NEEDS[entry].too_new(site):
        return f"Not on this site: {older}."
    missing = missing_parts(site, entry)
    return f"The site lacks {', '.join(missing)}." if missing else None


__all__ = ["NEEDS", "missing_parts", "reason_not_to_run", "superseded"]
