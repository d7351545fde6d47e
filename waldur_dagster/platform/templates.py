"""Texts of mails and documents, in Django's template language; operators may have written their own (spec core 1.8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from django.template import Template, TemplateSyntaxError
from django.utils import timezone
from sqlalchemy.exc import SQLAlchemyError

from waldur_dagster.platform.own_texts import own_texts
from waldur_dagster.platform.template_objects import View
from waldur_dagster.platform.text_engine import TextEngine
from waldur_dagster.platform.text_meter import Meter, TooMuch
from waldur_dagster.work import Work


@dataclass
class _Version:
    """One version of a text, and the engine that finds what it includes."""

    engine: TextEngine
    template: Template
    meter: Meter | None = None


class Templates:
    """The site's texts by name, e.g. ``invoices/notification_subject.txt``.

    A version of the site wins, then the built-in one. A version that cannot be read or filled, or would take too long,
    is told once, and the next one is used: a mail always has a text. A name that a text uses and that is not there is
    told once, too; nothing is shown for it. ``facts`` have the names that Waldur gives (docs/notification-texts.md).
    """

    def __init__(self, work: Work):
        self._work = work
        self._own = own_texts(work)
        self._versions: dict[str, list[_Version]] = {}
        self._told: set[tuple[str, str]] = set()
        self._names: Mapping[str, Any] | View = {}

    def render(self, name: str, facts: Mapping[str, Any] | View) -> str:
        """HTML texts escape what they print, others do not; times are shown in the site's zone."""
        if name not in self._versions:
            self._versions[name] = self._load(name)
        versions, self._names = self._versions[name], facts
        with timezone.override(self._work.zone):
            while len(versions) > 1:
                try:
                    return versions[0].engine.filled(versions[0].template, facts, versions[0].meter)
                except SQLAlchemyError:  # of facts that are fetched when a text asks for them
                    raise
                except Exception as error:  # filters and tags raise what they like
                    self._refuse(name, error if isinstance(error, TooMuch) else None, type(error).__name__)
                    del versions[0]
            return versions[0].engine.filled(versions[0].template, facts, versions[0].meter)

    def _load(self, name: str) -> list[_Version]:
        """The versions that can be read, best first. The last one is built in, with all that it includes."""
        found = []
        if self._own:
            engine = TextEngine(self._own, self._miss)
            for origin in engine.versions(name):
                try:
                    found.append(_Version(engine, engine.compiled(origin), Meter()))
                except Exception as error:  # deep nesting and wrong paths are no TemplateSyntaxError
                    self._refuse(name, error if isinstance(error, TemplateSyntaxError) else None, type(error).__name__)
        built_in = TextEngine({}, self._miss)
        (origin,) = built_in.versions(name)
        return [*found, _Version(built_in, built_in.compiled(origin))]

    def _refuse(self, name: str, reason: Exception | None, kind: str) -> None:
        """Only reasons that are ours, or found in the text itself, are told: others show the facts of a mail."""
        self._work.outcome.warn(f"template {name}", f"the site's own version cannot be used: {reason or kind}")

    def _miss(self, text: str, name: str) -> None:
        if (text, name) in self._told:
            return
        self._told.add((text, name))
        close = get_close_matches(name.partition(".")[0], [str(key) for key in self._names], 1)
        hint = f"; is {close[0]} meant?" if close and close[0] != name.partition(".")[0] else ""
        self._work.outcome.warn(f"template {text}", f"there is no name {name} here, nothing is shown for it{hint}")
