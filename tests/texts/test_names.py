"""A text of an operator finds every name that Waldur documents for it, wherever the site keeps its texts."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.scene import Scene
from tests.texts.notifications import MAKERS, make
from tests.texts.storage import FORMS, keep
from waldur_dagster.outbox.tables import message
from waldur_dagster.platform.text_engine import BUILT_IN

NAMES: dict[str, list[str]] = {
    name: entry["names"] for name, entry in tomllib.loads((Path(__file__).parent / "names.toml").read_text()).items()
}
PARTS = {"subject": "subject.txt", "body": "message.txt", "html": "message.html"}


def _text_with(names: list[str]) -> str:
    """``name: value;`` for each name, the values of a list's members one after the other."""
    shown = []
    for name in names:
        members, found, member = name.partition("[].")
        value = f"{{% for each in {members} %}}{{{{ each.{member} }}}}{{% endfor %}}" if found else f"{{{{ {name} }}}}"
        shown.append(f"{{% verbatim %}}{name}{{% endverbatim %}} ~ {value}")
    return " ; ".join(shown)


def _files(name: str) -> list[str]:
    return [name] if "." in name else [f"{name}_{part}" for part in PARTS.values()]


def _texts(scene: Scene, name: str) -> list[str]:
    """What was made of a text: the three parts of the newest mail, its document, or the part that has the text."""
    mail = scene.rows(message, kind="mail")[-1].payload
    if name in ("invoices/invoice.html", "invoices/monthly_invoicing_reports.html"):
        return [mail["attachments"][0]["content"]]
    if "." in name:
        return [mail[{"invoices/report_subject.txt": "subject", "invoices/report_body.txt": "body"}.get(name, "html")]]
    return [mail[part] for part in PARTS]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", NAMES)
def test_a_text_with_all_documented_names_has_no_hole(scene: Scene, tmp_path: Path, name: str, form: str) -> None:
    keep(scene, form, dict.fromkeys(_files(name), _text_with(NAMES[name])))
    done = make(scene, tmp_path, name)
    assert done.warnings == [] and done.failures == []
    for text in _texts(scene, name):
        shown = dict(part.split(" ~ ", 1) for part in text.replace("&#x27;", "'").split(" ; "))
        assert list(shown) == NAMES[name]
        assert {key for key, value in shown.items() if value.strip() in ("", "None", "<View>")} == set()


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_not_there_is_told_once_for_each_text_and_the_mail_goes_out(
    scene: Scene, tmp_path: Path, name: str
) -> None:
    files = _files(name)
    keep(scene, "2024", dict.fromkeys(files, "Text {{ nonsense }}{{ nonsense }}{% if absent.name %}{% endif %}"))
    done = make(scene, tmp_path, name)
    told = [(finding.item, finding.problem.split()[4].rstrip(",")) for finding in done.warnings]
    assert sorted(told) == sorted((f"template {file}", word) for file in files for word in ("nonsense", "absent.name"))
    assert {text.strip() for text in _texts(scene, name)} == {"Text"}


def test_every_built_in_text_has_a_table_of_names() -> None:
    known = {file for name in MAKERS for file in _files(name)} | {"invoices/style.css", "waldur_core/font.css"}
    assert {path.relative_to(BUILT_IN).as_posix() for path in BUILT_IN.rglob("*.*")} == known
    assert set(NAMES) == set(MAKERS)


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_of_the_built_in_text_makes_the_same_mail(
    scene: Scene, twin_scene: Scene, tmp_path: Path, name: str
) -> None:
    keep(scene, "2024", {file: (BUILT_IN / file).read_text() for file in _files(name)})
    done = make(scene, tmp_path, name)
    make(twin_scene, tmp_path, name)
    assert done.warnings == []
    for own, built_in in zip(_texts(scene, name), _texts(twin_scene, name), strict=True):
        assert _without_uuids(own) == _without_uuids(built_in)


def _without_uuids(text: str) -> str:
    return re.sub(r"[0-9a-f]{32}|Password: ?\S+", "…", text)


def test_the_page_for_operators_has_every_text_and_name() -> None:
    page = (Path(__file__).parents[2] / "docs" / "notification-texts.md").read_text()
    rows = {cells[1].strip(" `*"): cells[-2] for line in page.splitlines() if len(cells := line.split("|")) > 3}
    for text, names in NAMES.items():
        objects = " ".join(rows[found] for found in re.findall(r"\*\*(\w+)\*\*", rows[text]))
        for name in names:
            first = re.split(r"[\[.|]", name)[0]
            assert f"`{first}" in rows[text] + objects or f"**{first}**" in rows[text], (text, name)
            last = name.partition("|")[0].removesuffix(".hex").split(".")[-1]
            assert f"`{last}`" in page or f"**{last}**" in page or f".{last}`" in page or "issuer_details" in name, name
