"""Django's template engine, made safe for texts of operators, and told which of their names do not exist.

A text reaches the facts of its mail, the texts that this package and the site have, and nothing else: no file, no
setting, no library but those below. What it costs is counted while it renders (``text_meter``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import django.conf
from django.template import Context, Engine, Origin, Template, TemplateDoesNotExist, TemplateSyntaxError
from django.template.base import Lexer, Node, Parser, TokenType, Variable, VariableDoesNotExist
from django.template.loaders.base import Loader
from django.templatetags.i18n import BlockTranslateNode

from waldur_dagster.platform.own_texts import LONGEST
from waldur_dagster.platform.template_objects import View
from waldur_dagster.platform.text_meter import MISSED, Meter, metered, size_of

BUILT_IN = Path(__file__).parents[1] / "templates"
LIBRARIES = {
    "humanize": "django.contrib.humanize.templatetags.humanize",
    "i18n": "django.templatetags.i18n",
    "l10n": "django.templatetags.l10n",
    "static": "django.templatetags.static",
    "tz": "django.templatetags.tz",
}
# What shows the program's inside, or makes text out of nothing.
REFUSED_TAGS = ("csrf_token", "debug", "lorem", "querystring", "url")
REFUSED_FILTERS = ("pprint",)
LONGEST_TAG, MOST_TAGS = 20_000, 20_000

# Django wants its settings before its date filters and template tags work; nothing else of Django is used.
if not django.conf.settings.configured:
    django.conf.settings.configure(USE_TZ=True, USE_I18N=False, LANGUAGE_CODE="en")


class TextEngine(Engine):
    """The texts of one site. ``tell(text, name)`` is called for each name that a text uses and that is not there."""

    def __init__(self, own: Mapping[str, list[str]], tell: Callable[[str, str], None]):
        super().__init__(libraries=LIBRARIES, loaders=[("waldur_dagster.platform.text_engine.TextLoader", own)])
        self._tell = tell
        self._meter = Meter()

    def versions(self, name: str) -> list[Origin]:
        """Where the versions of a text are, best first: the site's own, then the built-in one."""
        return list(self.template_loaders[0].get_template_sources(name))

    def compiled(self, origin: Origin) -> Template:
        return self.template_loaders[0].compiled(origin)

    def filled(self, template: Template, facts: Mapping[str, Any] | View, meter: Meter | None) -> str:
        """Fill a text; one for HTML escapes what it prints. Raises whatever Django's tags and filters raise.

        Without a meter nothing is counted: that is for texts that no operator has a part in.
        """
        escape = template.name.endswith(".html")
        if meter is None:
            return str(template.render(Context(facts, escape)))
        self._meter = meter
        meter.next_mail()
        return str(template.render(MeteredContext(facts, escape, meter)))


class OwnOrigin(Origin):
    """Where a text of an operator is: ``name`` tells it from other versions of the same text."""


class TextLoader(Loader):
    """Finds texts by name: the site's own first, then those of this package. Compiles each once."""

    def __init__(self, engine: TextEngine, own: Mapping[str, list[str]]):
        super().__init__(engine)
        self._own = own
        self._compiled: dict[str, Template] = {}

    def get_template_sources(self, template_name: str) -> Iterator[Origin]:
        for number, _ in enumerate(self._own.get(template_name, ())):
            yield OwnOrigin(f"{template_name} of the site, {number}", template_name, self)
        if any(part in ("", ".", "..") for part in template_name.split("/")) or "\\" in template_name:
            return
        if "\0" not in template_name and (BUILT_IN / template_name).is_file():
            yield Origin(str(BUILT_IN / template_name), template_name, self)

    def get_template(self, template_name: str, skip: list[Origin] | None = None) -> Template:
        for origin in self.get_template_sources(template_name):
            if origin not in (skip or ()):
                return self.compiled(origin)
        raise TemplateDoesNotExist(template_name)

    def compiled(self, origin: Origin) -> Template:
        """Raises TemplateSyntaxError, or anything else that comes to Django's parser."""
        if origin.name not in self._compiled:
            if isinstance(origin, OwnOrigin):
                content = self._own[origin.template_name][int(origin.name.rpartition(" ")[2])]
                made = OperatorsTemplate(content, origin, origin.template_name, self.engine)
            else:
                made = Template(Path(origin.name).read_text(), origin, origin.template_name, self.engine)
            self._compiled[origin.name] = made
        return self._compiled[origin.name]


class OperatorsTemplate(Template):
    """A text that is counted while it renders."""

    def compile_nodelist(self) -> Any:
        if len(self.source) > LONGEST:
            raise TemplateSyntaxError(f"it has more than {LONGEST:,} characters")
        parser = CountingParser(Lexer(self.source).tokenize(), self.engine, self.origin)
        nodelist = parser.parse()
        self.extra_data = parser.extra_data
        return nodelist


class CountingParser(Parser):
    """Compiles a text into nodes that count their steps and characters, and notice names that are not there."""

    def __init__(self, tokens: list[Any], engine: TextEngine, origin: Origin):
        tags = [token for token in tokens if token.token_type is not TokenType.TEXT]
        if len(tags) > MOST_TAGS:
            raise TemplateSyntaxError(f"it has more than {MOST_TAGS:,} tags")
        if any(len(tag.contents) > LONGEST_TAG for tag in tags):
            raise TemplateSyntaxError(f"it has a tag of more than {LONGEST_TAG:,} characters")
        super().__init__(tokens, engine.template_libraries, engine.template_builtins, origin)
        self._engine = engine

    def add_library(self, lib: Any) -> None:
        super().add_library(lib)
        for tag in REFUSED_TAGS:
            self.tags.pop(tag, None)
        for name in REFUSED_FILTERS:
            self.filters.pop(name, None)

    def find_filter(self, filter_name: str) -> Callable[..., Any]:
        return metered(filter_name, super().find_filter(filter_name), lambda: self._engine._meter)

    def compile_filter(self, token: str) -> Any:
        expression = super().compile_filter(token)
        if expression.is_var:
            expression.var = self._noticing(expression.var)
        expression.filters = [
            (apply, [(is_name, self._noticing(value) if is_name else value) for is_name, value in arguments])
            for apply, arguments in expression.filters
        ]
        return expression

    def _noticing(self, variable: Variable) -> Variable:
        if variable.lookups is None:
            return variable
        if variable.lookups[0] == "block" and variable.lookups[1:] != ("super",):
            raise TemplateSyntaxError("of a block, only block.super can be shown")
        return NoticingVariable(variable.var, self._engine, self.origin.template_name)

    def extend_nodelist(self, nodelist: Any, node: Node, token: Any) -> None:
        super().extend_nodelist(nodelist, node, token)
        names = _names_in(node) if isinstance(node, BlockTranslateNode) else ()
        node.render_annotated = self._counting(node, node.render_annotated, names)

    def _counting(self, node: Node, render: Callable[[Any], str], names: tuple[str, ...]) -> Callable[[Any], str]:
        engine, text = self._engine, self.origin.template_name
        has_children = any(hasattr(node, children) for children in node.child_nodelists)

        def counting(context: Any) -> str:
            engine._meter.step()
            for name in names:
                if name not in context:
                    engine._tell(text, name)
                engine._meter.value(context.get(name))
            made = render(context)
            if not has_children:  # what children make is counted by them
                engine._meter.wrote(len(made))
            return made

        return counting


def _names_in(node: BlockTranslateNode) -> tuple[str, ...]:
    """Names that a translated block looks up by itself, without a Variable."""
    tokens = [*node.singular, *(node.plural or ())]
    made = {*node.extra_context, node.countervar}
    return tuple(t.contents for t in tokens if t.token_type is TokenType.VAR and t.contents not in made)


class NoticingVariable(Variable):
    """A name; tells when it is not there. Of what is nothing, and of free-form data, any name may be asked."""

    def __init__(self, name: str, engine: TextEngine, text: str):
        super().__init__(name)
        self._engine, self._text = engine, text

    def resolve(self, context: Any) -> Any:
        try:
            value = super().resolve(context)
        except VariableDoesNotExist as missing:
            if missing.params[1] is not None and not isinstance(missing.params[1], MappingProxyType):
                self._engine._tell(self._text, self.var)
            self._engine._meter.step(MISSED)
            raise
        self._engine._meter.step(size_of(value))
        return value


class MeteredContext(Context):
    """The facts of a mail; rounds of loops are counted, also those of loops with nothing in them."""

    def __init__(self, facts: Mapping[str, Any] | View, autoescape: bool, meter: Meter):
        self._meter = meter
        super().__init__(facts, autoescape)

    def __setitem__(self, key: str, value: Any) -> None:
        self._meter.value(value)
        super().__setitem__(key, value)

    def push(self, *dicts: Any, **facts: Any) -> Any:
        self._meter.step()
        return super().push(*dicts, **facts)

    def update(self, other_dict: Any) -> Any:
        self._meter.step()
        return super().update(other_dict)
