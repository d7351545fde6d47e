"""The job waldur-create-offering-users-for-site-agent-offerings (spec people, spec newer 6)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Subquery,
    Table,
    Text,
    case,
    cast,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.marketplace.account_events import log_account_events
from waldur_dagster.platform.contexts import NOTHING
from waldur_dagster.platform.roles import holders
from waldur_dagster.schema import core, freeipa, marketplace
from waldur_dagster.site_agents import OFFERING_TYPE
from waldur_dagster.site_agents.usernames import LONGEST, NUMBERED, Person, Series, prefix_of, username
from waldur_dagster.temporary import Spool, temporary_returned, temporary_table
from waldur_dagster.work import Work

ACTIVE, PAUSED = 2, 3  # states of offerings
OK = 2  # state of a resource
CREATION_REQUESTED, ACCOUNT_OK, DELETION_REQUESTED = 1, 5, 6
FLAG = "service_provider_can_create_offering_user"
account, offering, resource, user = marketplace.offeringuser, marketplace.offering, marketplace.resource, core.user
policy = offering.c.plugin_options["username_generation_policy"].astext


def create_missing_accounts(work: Work) -> int:
    """Give every member of a project an account in the site agent offerings of which the project has a resource.

    Only in offerings that make accounts and have a policy for their names; members are active users with any role on
    the project itself, a removed one too. Accounts that are there stay as they are, except that newer versions take
    back a deletion that was asked for. A name that is too long is told, and the others are made. Returns how many.
    """
    wanted = _wanted(work)
    if work.schema.has_column(account.c.state):
        _restore(work, wanted)
    taken = select(account.c.id).where(
        account.c.offering_id == wanted.c.offering_id, account.c.user_id == wanted.c.user_id
    )
    missing = temporary_table(
        work, "missing_account", select(wanted.c.offering_id, wanted.c.user_id).where(~taken.exists())
    )
    if not work.connection.scalar(select(select(missing).exists())):
        return 0
    with Spool(work, "new_account", offering_id=Integer, user_id=Integer, username=Text) as named:
        for row, name in _names(work, missing):
            if len(name) > LONGEST:
                item = f"user {row.username} in offering {row.offering}"
                work.outcome.warn(item, f"gets no account: its name would have {len(name)} characters, {LONGEST} fit")
            else:
                named.add(offering_id=row.offering_id, user_id=row.user_id, username=name)
        return _insert(work, named) if len(named) else 0


def _wanted(work: Work) -> Subquery:
    """(offering_id, user_id) of all who are to have an account."""
    member = holders(work, "structure", "project").subquery("member")
    options = offering.c.plugin_options if work.schema.has_column(account.c.state) else offering.c.secret_options
    pairs = (
        select(resource.c.offering_id, member.c.user_id)
        .join(offering, offering.c.id == resource.c.offering_id)
        .join(member, member.c.scope_id == resource.c.project_id)
        .join(user, user.c.id == member.c.user_id)
        .where(
            offering.c.type == OFFERING_TYPE,
            offering.c.state.in_((ACTIVE, PAUSED)),
            options[FLAG] == literal_column("'true'::jsonb", JSONB),
            policy != "service_provider",
            resource.c.state == OK,
            user.c.is_active,
            *_consented(work),
        )
    )
    return pairs.distinct().subquery("wanted")


def _consented(work: Work) -> Iterator[ColumnElement[bool]]:
    """Where consent is enforced, offerings with terms of service have accounts of those only who agree to them."""
    terms, consent = marketplace.offeringtermsofservice, marketplace.userofferingconsent
    if not (work.schema.has(terms.name) and work.constance["ENFORCE_USER_CONSENT_FOR_OFFERINGS"]):
        return
    has_terms = select(terms.c.id).where(terms.c.offering_id == offering.c.id, terms.c.is_active)
    agrees = select(consent.c.id).where(
        consent.c.offering_id == offering.c.id, consent.c.user_id == user.c.id, consent.c.revocation_date.is_(None)
    )
    yield or_(~has_terms.exists(), agrees.exists())


def _restore(work: Work, wanted: Subquery) -> None:
    """Accounts whose deletion was asked for, and not begun, are kept; without a name they are to be made."""
    work.execute(
        update(account)
        .where(
            account.c.state == DELETION_REQUESTED,
            account.c.offering_id == wanted.c.offering_id,
            account.c.user_id == wanted.c.user_id,
        )
        .values(state=_state(account.c.username), modified=work.as_of)
    )


def _state(name: ColumnElement[Any]) -> ColumnElement[int]:
    return case((func.coalesce(name, "") == "", CREATION_REQUESTED), else_=ACCOUNT_OK)


def _names(work: Work, missing: Table) -> Iterator[tuple[Any, str]]:
    """Each missing account with its name, by user and offering: in this order numbers are given out."""
    known = _series(work, missing)
    found = work.connection.execute(_people(work, missing), execution_options={"yield_per": 5000})
    for row in found:
        person = Person(row.username, row.first_name, row.last_name, row.profile, row.claim)
        prefix = prefix_of(row.policy, row.plugin_options)
        yield row, username(row.policy, prefix, person, known[row.offering_id])


def _people(work: Work, missing: Table) -> Select[Any]:
    profile = freeipa.profile
    newer = work.schema.has_column(account.c.state)
    site_username = user.c.details["site_username"]
    claim = case((func.jsonb_typeof(site_username) == "string", site_username.astext))
    found = (
        select(
            missing.c.offering_id,
            missing.c.user_id,
            offering.c.name.label("offering"),
            policy.label("policy"),
            offering.c.plugin_options,
            user.c.username,
            user.c.first_name,
            user.c.last_name,
            (claim if newer else cast(null(), Text)).label("claim"),
        )
        .select_from(missing)
        .join(offering, offering.c.id == missing.c.offering_id)
        .join(user, user.c.id == missing.c.user_id)
        .order_by(missing.c.user_id, missing.c.offering_id)
    )
    if not work.schema.has(profile.name):
        return found.add_columns(cast(null(), Text).label("profile"))
    return found.outerjoin(profile, profile.c.user_id == user.c.id).add_columns(profile.c.username.label("profile"))


def _series(work: Work, missing: Table) -> defaultdict[int, Series]:
    """The numbers that are taken, by offering."""
    concerned = select(missing.c.offering_id)
    found = (
        select(account.c.offering_id, account.c.username, policy.label("policy"), offering.c.plugin_options)
        .join(offering, offering.c.id == account.c.offering_id)
        .where(offering.c.id.in_(concerned), policy.in_(NUMBERED), account.c.username.regexp_match("[0-9]$"))
    )
    series: defaultdict[int, Series] = defaultdict(Series)
    for row in work.connection.execute(found, execution_options={"yield_per": 5000}):
        series[row.offering_id].note(row.username, prefix_of(row.policy, row.plugin_options))
    return series


def _insert(work: Work, named: Spool) -> int:
    """Insert the accounts, where nobody has made one meanwhile, and tell of each."""
    row = named.loaded()
    columns: dict[str, Any] = {
        "uuid": func.gen_random_uuid(),
        "created": literal(work.as_of),
        "modified": literal(work.as_of),
        "offering_id": row.c.offering_id,
        "user_id": row.c.user_id,
        "username": row.c.username,
        "propagation_date": literal(work.as_of),
        "backend_metadata": NOTHING,
        "is_restricted": literal(False),
        "state": _state(row.c.username),
    }
    fitting = work.schema.fitting(account, columns)
    source = select(*(value.label(name) for name, value in fitting.items())).order_by(row.c.position)
    made = temporary_returned(
        work,
        "made_account",
        work.insert_from(account, source).on_conflict_do_nothing().returning(account.c.id),
    )
    return log_account_events(work, account.c.id.in_(select(made.c.id)), "created")
