"""Whatever an operator's text is: the mail has a text, the run is told, and neither time nor memory run out."""

from __future__ import annotations

import resource
import string
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.contrib.humanize.templatetags import humanize
from django.template import defaultfilters
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.scene import Scene
from tests.statements import counted
from tests.texts.notifications import NOON, TOMORROW, make
from tests.texts.storage import FORMS, keep
from waldur_dagster.marketplace.ending_notices import tell_of_ending_projects
from waldur_dagster.outbox.tables import message
from waldur_dagster.outcome import Outcome
from waldur_dagster.platform import templates, text_meter
from waldur_dagster.platform.template_objects import View, read_only
from waldur_dagster.platform.templates import Templates
from waldur_dagster.schema import django
from waldur_dagster.site import Site

NOW = datetime(2025, 4, 1, tzinfo=UTC)
NAME = "invoices/notification_message.html"
BUILT_IN_WORDS = "is on"
FACTS: dict[str, Any] = {
    "customer": "Org",
    "month": 4,
    "year": 2025,
    "link": "https://home.example/",
    "items": tuple(range(1000)),
    "hundred": tuple(range(100)),
    "long": "x<" * 100_000,
    "thing": View({"name": "Thing", "uuid": "u", "nothing": None, "data": read_only({"a": [1, {"b": 2}]})}),
}
Render = Callable[..., tuple[str, Outcome]]


@pytest.fixture
def render(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Iterator[Render]:
    """Fills a text of an operator; gives what was made and what the run was told. The purse is small, for speed."""
    monkeypatch.setattr(text_meter, "MOST_STEPS", 400_000)
    monkeypatch.setattr(text_meter, "STEPS_A_MAIL", 4_000)
    with scene.site() as site:

        def rendered(content: str, *, times: int = 1, facts: Any = FACTS, **others: str) -> tuple[str, Outcome]:
            own = {NAME: [content]} | {name.replace("__", "/"): [other] for name, other in others.items()}
            monkeypatch.setattr(templates, "own_texts", lambda _: own)
            return _filled(site, facts, times)

        yield rendered


def _filled(site: Site, facts: Any, times: int) -> tuple[str, Outcome]:
    with site.work("e", NOW) as work:
        made = [work.once(Templates).render(NAME, facts) for _ in range(times)]
        return made[-1], work.outcome


LOOPS = "{% for a in items %}{% for b in items %}{% for c in items %}"
ENDS = "{% endfor %}" * 3
HUNDRED_THOUSAND = "{% for a in items %}{% for b in hundred %}{% if 0 %}{% endif %}{% endfor %}{% endfor %}"
TWO_LOOPS = "{{% for a in items %}}{{% for b in items %}}{}{{% endfor %}}{{% endfor %}}"
REFUSED = {
    "itself": '{% include "invoices/notification_message.html" %}',
    "itself, relative": '{% include "./notification_message.html" %}',
    "relative and not there": '{% include "./nowhere.html" %}',
    "relative extends": '{% extends "./nowhere.html" %}',
    "extends itself, relative": '{% extends "./notification_message.html" %}',
    "outside": '{% include "../../settings.py" %}',
    "a file": '{% include "/etc/passwd" %}',
    "a name that is nothing": "{% include absent %}",
    "deep blocks": "{% if 1 %}" * 5000 + "{% endif %}" * 5000,
    "deep loops": "{% for a in customer %}" * 900 + "{% endfor %}" * 900,
    "deep condition": "{% if " + "not " * 4000 + "1 %}{% endif %}",
    "many tags": "{{ a }}" * 25_000,
    "long tag": "{{ " + "a" * 30_000 + " }}",
    "long text": "a" * 2_000_001,
    "unclosed": "{% if customer %}",
    "unknown tag": "{% frobnicate %}",
    "unknown filter": "{{ customer|frobnicate }}",
    "unknown library": "{% load cache %}",
    "a filter that raises": "{{ items|slice:customer|add:items|first|date }}{% widthratio 1 0 customer %}",
    "debug": "{% debug %}",
    "lorem": "{% lorem 999999999 p %}",
    "pprint": "{{ thing|pprint }}",
    "underscore": "{{ thing._facts }}",
    "inside of a block": "{% block a %}{{ block.context }}{% endblock %}",
    "inside of a block, by another name": "{% block a %}{% with b=block %}{{ b.origin }}{% endwith %}{% endblock %}",
    "loops": f"{LOOPS}x{ENDS}",
    "empty loops": f"{LOOPS}{ENDS}",
    "loops of what is not there": TWO_LOOPS.format("{% regroup items by x as y %}"),
    "long loops": "{% for a in items %}" + "y" * 100_000 + "{% endfor %}",
    "wide": "{{ customer|center:999999999999 }}",
    "wide format": "{{ customer|stringformat:'999999999s' }}",
    "wide fraction": "{{ 1|floatformat:999999999 }}",
    "doubling": "{% with a=long|add:long %}" + "{% with a=a|add:a %}" * 40 + "{% endwith %}" * 41,
    "doubling, translated": "{% load i18n %}{% blocktrans asvar a %}{{ long }}{% endblocktrans %}"
    + "{% blocktrans asvar a %}{{ a }}{{ a }}{% endblocktrans %}" * 40,
    "joined": "{{ long|make_list|join:long }}",
    "slow filter": "{% for a in items %}{{ long|urlize }}{% endfor %}",
    "slow filter, often": "{% for a in items %}{{ long|slice:':49000'|striptags }}{% endfor %}",
    "upper, often": TWO_LOOPS.format("{% if long.upper == 1 %}{% endif %}"),
}


@pytest.mark.parametrize("content", REFUSED.values(), ids=REFUSED)
def test_a_text_that_cannot_be_used_gives_way_to_the_built_in_one(render: Render, content: str) -> None:
    before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    made, outcome = render(content, times=2)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert BUILT_IN_WORDS in made and "Org" in made
    refusals = [found for found in outcome.warnings if "cannot be used" in found.problem]
    assert [found.item for found in refusals] == [f"template {NAME}"]
    assert all(len(found.problem) < 500 for found in outcome.warnings)
    assert time.process_time() - begun < 60 and grown < 500


def test_a_text_of_endless_loops_ends_soon_with_the_real_purse(render: Render, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    with_loops = {NAME: [f"{LOOPS}x{ENDS}"]}
    monkeypatch.setattr(templates, "own_texts", lambda _: with_loops)
    begun = time.process_time()
    made, _ = render(with_loops[NAME][0])
    assert BUILT_IN_WORDS in made and time.process_time() - begun < 60


ALLOWED = {
    "another text": ('{% include "./greeting.html" %}', "Hi Org"),
    "another text of the site, by its name": ('{% include "invoices/greeting.html" %}', "Hi Org"),
    "a frame": ('{% extends "mail/frame.html" %}{% block text %}Org{% endblock %}', "<b>Org</b>"),
    "a built-in part": ('{% include "invoices/style.css" %}', "text-danger"),
    "libraries": ("{% load i18n l10n tz humanize static %}{% trans 'Sum' %} {{ 1234|intcomma }}", "Sum 1,234"),
    "data": ("{{ thing.data.a.1.b }}{{ thing.data.absent }}{{ thing.nothing.name }}", "2"),
    "methods": ("{{ customer.upper }}{{ thing.data.items|length }}", "ORG1"),
    "default": ("{{ thing.nothing|default_if_none:'-' }}", "-"),
    "a long loop": (HUNDRED_THOUSAND + "done", "done"),
}


@pytest.mark.parametrize(("content", "shown"), ALLOWED.values(), ids=ALLOWED)
def test_what_operators_may_do(render: Render, content: str, shown: str) -> None:
    frame = "<b>{% block text %}{% endblock %}</b>"
    parts = {"invoices__greeting.html": "Hi {{ customer }}", "mail__frame.html": frame}
    made, outcome = render(content, **parts)
    assert shown in made
    assert outcome.warnings == []


HOLES = {
    "shown": "{{ custommer }}",
    "filtered": "{{ custommer|upper }}",
    "default": "{{ custommer|default:'x' }}",
    "if": "{% if custommer %}{% endif %}",
    "compared": "{% if 1 == custommer %}{% endif %}",
    "for": "{% for a in custommer %}{% endfor %}",
    "with": "{% with a=custommer %}{{ a }}{% endwith %}",
    "translated": "{% load i18n %}{% blocktrans %}{{ custommer }}{% endblocktrans %}",
    "included": '{% include "./part.html" %}',
    "cycle": "{% for a in customer %}{% cycle custommer 'a' %}{% endfor %}",
}


@pytest.mark.parametrize("content", HOLES.values(), ids=HOLES)
def test_a_name_that_is_not_there_is_told_once_wherever_it_is_used(render: Render, content: str) -> None:
    made, outcome = render("Ours" + content, times=3, **{"invoices__part.html": "{{ custommer }}"})
    assert made.startswith("Ours")
    (warning,) = outcome.warnings
    assert "custommer" in warning.problem and "is customer meant?" in warning.problem


def test_names_that_a_text_makes_itself_are_known(render: Render) -> None:
    content = (
        "{% load i18n %}{% for a in items %}{% if forloop.first %}{{ forloop.counter }}{% endif %}{% endfor %}"
        "{% with b=customer %}{{ b }}{% endwith %}{% regroup items by real as c %}{% for d in c %}{{ d.grouper }}"
        "{% endfor %}{% blocktrans with e=customer count f=month %}{{ e }}{{ f }}{% plural %}{{ f }}{% endblocktrans %}"
    )
    _, outcome = render(content)
    assert outcome.warnings == []


def test_a_refusal_shows_nothing_of_the_mail(render: Render) -> None:
    _, outcome = render("{% include link %}{{ customer|slice:absent }}")
    assert "home.example" not in str(outcome.warnings) and "Org" not in str(outcome.warnings)


def test_a_text_that_costs_nearly_too_much_is_not_filled_for_every_mail(render: Render) -> None:
    assert render(HUNDRED_THOUSAND + "Ours")[0] == "Ours"
    made, outcome = render(HUNDRED_THOUSAND + "Ours", times=9)
    assert BUILT_IN_WORDS in made and len(outcome.warnings) == 1


# Fuzz

SMALL = FACTS | {"items": tuple(range(30)), "hundred": (), "long": "x<" * 2_000}
WORDS = st.sampled_from([*FACTS, "thing.name", "thing.data.a", "absent", "a", "forloop.counter", "1", "'text'"])
ARGUMENTS = st.sampled_from(["", "", ":1", ":0", ":'-1'", ":'a'", ":absent", ":customer", ":'999999999'", ":long"])
FILTERS = st.sampled_from(sorted({*defaultfilters.register.filters, *humanize.register.filters, "frobnicate"}))
VALUES = st.builds(
    lambda word, filters: word + "".join(f"|{name}{argument}" for name, argument in filters),
    WORDS,
    st.lists(st.tuples(FILTERS, ARGUMENTS), max_size=3),
)
TAGS = st.sampled_from(["now", "load", "cycle", "firstof", "trans", "else"])
PATHS = st.sampled_from(
    ["'./notification_message.html'", "'../invoices/style.css'", "'../../x'", "absent", "'/etc/passwd'", f"'{NAME}'"]
)
LEAVES = st.one_of(
    st.text(string.printable, max_size=10),
    VALUES.map(lambda value: f"{{{{ {value} }}}}"),
    PATHS.map(lambda path: f"{{% include {path} %}}"),
    PATHS.map(lambda path: f"{{% extends {path} %}}"),
    st.builds(lambda tag, value: f"{{% {tag} {value} %}}", TAGS, VALUES),
)
BLOCKS = st.sampled_from(
    [
        "{{% for a in {v} %}}{t}{{% endfor %}}",
        "{{% for a, b in {v} %}}{t}{{% empty %}}{t}{{% endfor %}}",
        "{{% if {v} %}}{t}{{% else %}}{t}{{% endif %}}",
        "{{% if {v} in {v} %}}{t}{{% endif %}}",
        "{{% with a={v} %}}{t}{{% endwith %}}",
        "{{% filter {v} %}}{t}{{% endfilter %}}",
        "{{% block a %}}{t}{{{{ block.super }}}}{{% endblock %}}",
        "{{% ifchanged %}}{t}{{% endifchanged %}}",
        "{{% spaceless %}}{t}{{% endspaceless %}}",
        "{{% load i18n %}}{{% blocktrans %}}{t}{{% endblocktrans %}}",
        "{{% regroup {v} by a as b %}}{t}",
        "{{% autoescape off %}}{t}{{% endautoescape %}}",
        "{{% if {v} %}}{t}{{% endfor %}}",
    ]
)
TEXTS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda block, value, text: block.format(v=value, t=text), BLOCKS, VALUES, inner),
        st.lists(inner, max_size=4).map("".join),
        st.builds(lambda text, depth: "{% if 1 %}" * depth + text + "{% endif %}" * depth, inner, st.integers(1, 400)),
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(content=st.one_of(TEXTS, st.text(max_size=200)))
def test_no_text_stops_a_mail(render: Render, content: str) -> None:
    made, outcome = render(content, facts=SMALL)
    refused = any("cannot be used" in found.problem for found in outcome.warnings)
    assert len(made) <= 70 * 2**20
    if refused:
        assert BUILT_IN_WORDS in made and "Org" in made


# In a job


@pytest.mark.parametrize("form", FORMS)
def test_a_refused_text_of_either_storage_is_told_and_the_others_are_used(
    scene: Scene, tmp_path: Path, form: str
) -> None:
    name = "marketplace/notification_about_project_ending"
    keep(scene, form, {f"{name}_message.txt": '{% include "./x" %}', f"{name}_subject.txt": "Ours"})
    done = make(scene, tmp_path, name)
    assert [found.item for found in done.warnings] == [f"template {name}_message.txt"]
    mail = scene.rows(message)[0].payload
    assert mail["subject"] == "Ours" and "your project Alpha ends" in mail["body"]


def test_where_texts_are_kept_with_notifications_the_older_table_is_not_read(scene: Scene) -> None:
    scene.add(django.template, name=NAME, content="Old")
    with scene.engine.begin() as connection:  # as the upgrade of a site of 2024 does
        connection.exec_driver_sql("ALTER TABLE core_notificationtemplate ADD COLUMN content text NOT NULL DEFAULT ''")
    keep(scene, "8", {NAME: "", "invoices/report_body.txt": "New"})
    with scene.site() as site, site.work("e", NOW) as work:
        assert BUILT_IN_WORDS in work.once(Templates).render(NAME, FACTS)
        assert work.once(Templates).render("invoices/report_body.txt", FACTS) == "New"


def test_facts_that_texts_ask_for_are_fetched_once_for_all_mails(scene: Scene, tmp_path: Path) -> None:
    name = "marketplace/notification_about_project_ending"
    own = "{{ project.name }} {{ project.customer.name }} {{ project.customer.email }} {{ user.username }}"
    keep(scene, "2024", {f"{name}_message.txt": own})
    make(scene, tmp_path, name)
    asked = []
    for _ in range(2):
        with scene.site() as site, site.work("e", NOON) as work, counted(work.connection) as seen:
            tell_of_ending_projects(work)
        asked.append([statement for statement in seen if "INSERT" not in statement])
        for number in range(10):
            scene.project(1, f"Project {number}", end_date=TOMORROW)
    assert len(asked[0]) == len(asked[1])
    assert len(scene.rows(message)) == 2 + 10
