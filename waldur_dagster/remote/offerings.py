"""waldur-remote-pull-offerings: texts, components, plans and prices of offerings at remotes (spec remote 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from sqlalchemy import Integer, func, select, update

from waldur_dagster.clients.addresses import Network
from waldur_dagster.clients.failures import ItemFailed, NotFound, VisitFailed
from waldur_dagster.clients.pictures import Picture, fetch_picture
from waldur_dagster.clients.waldur import Waldur
from waldur_dagster.marketplace.catalogue_events import log_offering_events
from waldur_dagster.marketplace.states import OfferingState
from waldur_dagster.platform.expressions import given_rows
from waldur_dagster.remote.answers import Answers
from waldur_dagster.remote.catalogue import Catalogue, Terms, old_terms, read_catalogue
from waldur_dagster.remote.component_rows import Pulled, merge_components, tell_notes
from waldur_dagster.remote.losses import loses_too_much
from waldur_dagster.remote.offering_rows import merge_endpoints, merge_fields, merge_terms
from waldur_dagster.remote.picture_rows import merge_pictures
from waldur_dagster.remote.plan_rows import merge_plans
from waldur_dagster.remote.pulled_offerings import offerings_to_pull
from waldur_dagster.remote.remotes import Offering, Remote, client, is_newer
from waldur_dagster.schema import marketplace
from waldur_dagster.site import Transactions
from waldur_dagster.visits import Visit, visit
from waldur_dagster.work import Work

offering = marketplace.offering


def pull_offerings(transaction: Transactions) -> None:
    """Make offerings what their remotes say of them; on newer sites one that is gone there is archived."""
    with transaction() as work:
        stops, newer = offerings_to_pull(work), is_newer(work)
        networks = work.deployment.web_hooks.private_networks
    answers: Answers[Offering, Catalogue | None] = Answers()
    visit(transaction, stops, partial(fetch_offering, newer=newer, networks=networks), answers.note)
    answers.merge(transaction, merge_offerings)


def fetch_offering(visit: Visit, place: Offering, *, newer: bool, networks: Sequence[Network]) -> Catalogue | None:
    """What the remote says, with the thumbnail; None when it has no such offering and the site is a newer one.

    It has to say so itself: a wrong address, or a proxy before it, is answered with 404 as well.
    """
    api = client(visit, place.remote)
    try:
        found = api.one(f"marketplace-public-offerings/{place.backend_id}/")
    except NotFound as problem:
        if newer and "detail" in problem.document:
            return None
        raise
    catalogue = read_catalogue(found)
    notes: list[str] = []
    pictures = shown(found, "thumbnail", place.remote, networks, notes)
    terms = _terms(api, place, found, notes) if newer else None
    return replace(catalogue, pictures=pictures, terms=terms, notes=notes)


def shown(
    found: Mapping[str, Any], column: str, remote: Remote, networks: Sequence[Network], notes: list[str]
) -> dict[str, Picture | None]:
    """The picture whose address an answer has under ``column``; one that cannot be fetched is noted and left out."""
    if column not in found:
        return {}
    address = found[column]
    if not address:
        return {column: None}
    try:
        return {column: fetch_picture(str(address), home=remote.api_url, verify=remote.verify, permitted=networks)}
    except ItemFailed as problem:
        notes.append(f"its {column} stays as it is: {problem}")
        return {}


def _terms(api: Waldur, place: Offering, found: Mapping[str, Any], notes: list[str]) -> list[Terms] | None:
    """The terms in the offering itself, else in the list of newer remotes, else None: nothing is known."""
    try:
        if (own := old_terms(found)) is not None:
            return own
        listed = api.listed("marketplace-offering-terms-of-service/", offering_uuid=place.backend_id)
        return [Terms.read(one) for one in listed]
    except NotFound:
        return None
    except VisitFailed as problem:
        notes.append(f"its terms of service stay as they are: {problem}")
        return None


def merge_offerings(work: Work, remote: str, answers: Sequence[tuple[Offering, Catalogue | None]]) -> None:
    """The offerings of one remote, in a number of statements that does not grow with them."""
    gone = [place for place, found in answers if found is None]
    _archive(work, remote, gone, known=len(answers))
    pulled = [Pulled(place.id, str(place), found) for place, found in answers if found is not None]
    tell_notes(work, pulled)
    merge_fields(work, pulled)
    merge_pictures(work, pulled)
    merge_components(work, remote, pulled)
    merge_plans(work, remote, pulled)
    merge_endpoints(work, pulled)
    merge_terms(work, pulled)


def _archive(work: Work, remote: str, gone: Sequence[Offering], *, known: int) -> None:
    """Active offerings that their remote has no more; drafts and paused ones are only told of."""
    active = [place for place in gone if place.state == OfferingState.ACTIVE]
    for place in gone:
        if place.state not in (OfferingState.ACTIVE, OfferingState.ARCHIVED):
            work.outcome.warn(str(place), "is gone at the remote")
    if not active or loses_too_much(work, remote, "offerings", lost=len(active), known=known):
        return
    given = given_rows([{"offering_id": place.id} for place in active], offering_id=Integer)
    chosen = select(given.c.offering_id).subquery("archived")
    still_active = offering.c.state == OfferingState.ACTIVE
    done = work.execute(
        update(offering)
        .where(offering.c.id == chosen.c.offering_id, still_active)
        .values(state=int(OfferingState.ARCHIVED), modified=work.as_of)
        .returning(offering.c.id.label("offering_id"))
    )
    ids = [row.offering_id for row in done]
    if ids:
        moved = select(func.unnest(ids).label("offering_id")).subquery("moved")
        log_offering_events(work, moved, "marketplace_offering_updated", "Offering state has been updated.")
    for place in active:
        work.outcome.warn(str(place), "is gone at the remote and was archived")
