"""The refresh token of the site: read where newer Waldur keeps it, and written back when the proxy has renewed it."""

from __future__ import annotations

from sqlalchemy import insert, update

from waldur_dagster.eduteams.entries import SECTION
from waldur_dagster.schema import constance
from waldur_dagster.work import Refused, Work

KEY = "REMOTE_EDUTEAMS_REFRESH_TOKEN"

setting = constance.constance


def refresh_token(work: Work) -> str:
    """The token in force. Raises Refused when there is none, NotOpened when a new one could not be kept.

    The latter is found out before the proxy is asked: what it gives then is worth nothing without the token after it.
    """
    token = str(work.settings[f"{SECTION}.{KEY}"])
    if not token:
        raise Refused(f"There is no refresh token for eduTEAMS; set {SECTION}.{KEY}.")
    if work.constance.keeps_settings:
        work.constance.encoded(KEY, token)
    return token


def scope(work: Work) -> str:
    """What the proxy is asked for; newer versions of Waldur ask for a token that renews itself."""
    return "openid offline_access" if work.constance.keeps_settings else "openid"


def keep(work: Work, used: str, renewed: str | None) -> None:
    """Write a renewed token back at once, encrypted where the site encrypts, and in a dry run too.

    The proxy takes the old one no longer, so losing this one would shut the site out. It has a transaction of its own
    for that reason. Older versions of Waldur have no place for it: an operator is told.
    """
    if renewed in {None, used}:
        return
    if not work.constance.keeps_settings:
        work.outcome.warn("eduTEAMS", f"gave a new refresh token, which this Waldur cannot keep; renew {SECTION}.{KEY}")
        return
    value = work.constance.encoded(KEY, renewed)
    with work.connection.engine.begin() as own:
        known = own.execute(update(setting).where(setting.c.key == KEY).values(value=value)).rowcount
        if not known:
            own.execute(insert(setting).values(key=KEY, value=value))
    work.outcome.figures["refresh tokens renewed"] += 1
