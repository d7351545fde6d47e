"""Texts of mails, in Django's template language; operators keep their own in the site's database (spec core 1.8)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
    cannot read or fill is reported once, and the next one is used.
    """

    def __init__(self, work: Work):
        self._work = work
        self._own = _site_versions(work.connection, work.schema, work.settings["SITE_ID"])
        self._read: dict[str, list[Template]] = {}

    def render(self, name: str, context: Mapping[str, Any]) -> str:
        """HTML templates escape what they print, others do not; times are shown in the site's zone."""
        if name not in self._read:
            self._read[name] = list(self._load(name))
        versions = self._read[name]
        with timezone.override(self._work.zone):
            while len(versions) > 1:
                try:
                    return self._filled(versions[0], name, context)
                except Exception as error:  # filters and tags raise what they like
                    self._refuse(name, error)
                    del versions[0]
            return self._filled(versions[0], name, context)

    def _filled(self, template: Template, name: str, context: Mapping[str, Any]) -> str:
        return str(template.render(Context(dict(context), autoescape=name.endswith(".html"))))

    def _load(self, name: str) -> Iterator[Template]:
        """The site's own versions that can be read, best first; the built-in one is the last."""
        for content in self._own.get(name, ()):
            try:
                yield _ENGINE.from_string(content)
            except TemplateSyntaxError as error:
                self._refuse(name, error)
        yield _ENGINE.get_template(name)

    def _refuse(self, name: str, error: Exception) -> None:
        self._work.outcome.warn(f"template {name}", f"the site's own version cannot be used: {error}")


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
