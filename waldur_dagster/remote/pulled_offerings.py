"""The offerings whose catalogue and accounts are pulled from their remotes (spec remote 3 and 4, newer versions)."""

from __future__ import annotations

from sqlalchemy import ColumnElement, func
from sqlalchemy.dialects.postgresql import array

from waldur_dagster.remote.remotes import Offering, is_newer, offering, read_offerings
from waldur_dagster.visits import Stop
from waldur_dagster.work import Work

# Newer versions make accounts themselves where the provider has said so.
MADE_HERE = "service_provider_can_create_offering_user"


def offerings_to_pull(work: Work) -> list[Stop[Offering]]:
    """All of them, in any state; newer versions pass over those that say no address, no token or no offering there."""
    return _stops(work, *_told(work))


def offerings_with_accounts(work: Work) -> list[Stop[Offering]]:
    """As above; newer versions also pass over those whose accounts are made here."""
    made_here = func.coalesce(offering.c.plugin_options[MADE_HERE].astext, "false")
    return _stops(work, *_told(work), *([made_here.in_(("false", "null"))] if is_newer(work) else []))


def _told(work: Work) -> list[ColumnElement[bool]]:
    """What offerings have to say of themselves, else newer versions pass over them."""
    if not is_newer(work):
        return []
    return [offering.c.secret_options.has_all(array(["api_url", "token"])), offering.c.backend_id != ""]


def _stops(work: Work, *where: ColumnElement[bool]) -> list[Stop[Offering]]:
    return [Stop(found.remote.name, str(found), found) for found in read_offerings(work, *where)]
