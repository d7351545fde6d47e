"""Texts of mails, in Django's template language; operators keep their own in the site's database (spec core 1.8)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import django.conf
from django.template import Context, Engine, Template, TemplateSyntaxError
from django.utils import timezone
from sqlalchemy import Connection, exists, select

from waldur_dagster.platform.site_schema import SiteSchema
from waldur_dagster.schema import django as tables
from waldur_dagster.work import Work

BUILT_IN = Path(__file__).parents[1] / "templates"

# Django wants its settings before its date filters and template tags work; nothing else of Django is used.
if not django.conf.settings.configured:
    django.conf.settings.configure(USE_TZ=True, USE_I18N=False, LANGUAGE_CODE="en")

_ENGINE = Engine(
    dirs=[str(BUILT_IN)],
    libraries={
        "humanize": "django.contrib.humanize.templatetags.humanize",
        "i18n": "django.templatetags.i18n",
        "l10n": "django.templatetags.l10n",
        "tz": "django.templatetags.tz",
    },
)


class Templates:
    """The site's templates by name, e.g. ``invoices/notification_subject.txt``.

    A version in the database for this site wins, then one for no site, then the built-in one. A version that Django
    cannot read is reported, and the next one is used.
    """

    def __init__(self, work: Work):
        self._work = work
        self._own = _site_versions(work.connection, work.schema, work.settings["SITE_ID"])
        self._read: dict[str, Template] = {}

    def render(self, name: str, context: Mapping[str, Any]) -> str:
        """HTML templates escape what they print, others do not; times are shown in the site's zone."""
        template = self._read.get(name) or self._read.setdefault(name, self._load(name))
        with timezone.override(self._work.zone):
            return template.render(Context(dict(context), autoescape=name.endswith(".html")))

    def _load(self, name: str) -> Template:
        for content in self._own.get(name, ()):
            try:
                return _ENGINE.from_string(content)
            except TemplateSyntaxError as error:
                self._work.outcome.warn(f"template {name}", f"the site's own version cannot be used: {error}")
        return _ENGINE.get_template(name)


def _site_versions(connection: Connection, schema: SiteSchema, site_id: int) -> dict[str, list[str]]:
    if not (schema.has("django_template") and schema.has("django_template_sites")):
        return {}
    template, sites = tables.template, tables.template_sites
    of_site = exists().where(sites.c.template_id == template.c.id, sites.c.site_id == site_id)
    of_any = exists().where(sites.c.template_id == template.c.id)
    found: dict[str, list[str]] = {}
    for name, content in connection.execute(
        select(template.c.name, template.c.content).where(of_site | ~of_any).order_by(of_site.desc(), template.c.id)
    ):
        found.setdefault(name, []).append(content)
    return found
