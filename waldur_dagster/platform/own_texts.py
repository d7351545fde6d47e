"""The texts of mails and documents that operators wrote, which the site keeps in its database (spec core 1.8)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, column, exists, func, select, table

from waldur_dagster.schema import django as tables
from waldur_dagster.work import Work

# Characters of a text; a logo may be part of it.
LONGEST = 2_000_000


def own_texts(work: Work) -> dict[str, list[str]]:
    """The site's own texts by name, e.g. ``invoices/notification_subject.txt``, best first.

    Since 2025 Waldur keeps them with its notifications, and does not read the older table where that column exists
    (spec newer_billing 5.3). One that is too long is cut just beyond ``LONGEST`` characters.
    """
    found: dict[str, list[str]] = {}
    for name, content in work.connection.execute(_statement(work)) if _kept(work) else ():
        found.setdefault(name, []).append(content)
    return found


def _with_notifications(work: Work) -> bool:
    return work.schema.has("core_notificationtemplate", "content")


def _kept(work: Work) -> bool:
    return _with_notifications(work) or all(map(work.schema.has, ("django_template", "django_template_sites")))


def _statement(work: Work) -> Select[Any]:
    if _with_notifications(work):
        own = table("core_notificationtemplate", *map(column, ("id", "path", "content")))
        content = func.left(own.c.content, LONGEST + 1)
        return select(own.c.path, content).where(own.c.content != "").order_by(own.c.id)
    template, sites = tables.template, tables.template_sites
    of_site = exists().where(sites.c.template_id == template.c.id, sites.c.site_id == work.settings["SITE_ID"])
    of_any = exists().where(sites.c.template_id == template.c.id)
    return (
        select(template.c.name, func.left(template.c.content, LONGEST + 1))
        .where(of_site | ~of_any)
        .order_by(of_site.desc(), template.c.id)
    )
