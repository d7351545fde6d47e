"""Figures of the site for Waldur's makers, where the site has agreed to it (spec marketplace, send_telemetry)."""

from __future__ import annotations

import hashlib
from datetime import UTC
from typing import Any

from sqlalchemy import func, select

from waldur_dagster.clients import telemetry
from waldur_dagster.schema import core, logging, marketplace
from waldur_dagster.site import Transactions
from waldur_dagster.work import Work

FEATURE = "telemetry.send_metrics"
ACTIVE, PAUSED, UNAVAILABLE = 2, 3, 5


def send_telemetry(transaction: Transactions) -> None:
    """One POST of a few counts, with no transaction open.

    An unreachable or unwilling server is a warning: nothing of the site is at fault.
    """
    with transaction() as work:
        url = _address(work)
        if url is None:
            return
        figures = site_figures(work)
        if work.dry_run:
            work.outcome.figures["telemetry reports that would be sent"] += 1
            return
    problem = telemetry.send(url, figures)
    with transaction() as work:
        if problem:
            work.outcome.warn("telemetry", problem)
        else:
            work.outcome.figures["telemetry reports"] += 1


def _address(work: Work) -> str | None:
    """Where figures are sent to; None on a site that sends none."""
    feature = core.feature
    site = work.settings["WALDUR_MARKETPLACE.TELEMETRY_URL"]
    if not site or not work.connection.scalar(select(feature.c.value).where(feature.c.key == FEATURE)):
        return None
    return f"{site}v{work.settings['WALDUR_MARKETPLACE.TELEMETRY_VERSION']}/metrics/"


def site_figures(work: Work) -> dict[str, Any]:
    """What is told: counts, types of offerings, and a digest of the portal's address, which names no site."""
    offering, user, event = marketplace.offering, core.user, logging.event
    offered = offering.c.state.in_((ACTIVE, PAUSED, UNAVAILABLE))
    types, offerings = work.connection.execute(
        select(func.array_agg(offering.c.type.distinct()), func.count()).where(offered)
    ).one()
    installed = work.connection.scalar(select(func.min(event.c.created)))
    told = work.deployment.telemetry
    figures = {
        "deployment_id": hashlib.sha256(work.settings["WALDUR_CORE.HOMEPORT_URL"].encode()).hexdigest(),
        "deployment_type": told.deployment_type,
        "helpdesk_backend": work.constance["WALDUR_SUPPORT_ACTIVE_BACKEND_TYPE"],
        "helpdesk_integration_status": work.constance["WALDUR_SUPPORT_ENABLED"],
        "number_of_users": work.connection.scalar(select(func.count()).select_from(user).where(user.c.is_active)),
        "number_of_offerings": offerings,
        "types_of_offering": sorted(types or []),
        "version": told.waldur_version,
    }
    if installed is not None:
        figures["installation_date"] = installed.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f+0000")
    return figures
