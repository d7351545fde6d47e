"""Citations of offerings, and the works that cite them (spec people, waldur-pid-update-all-referrables)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.datacite.server import DataCiteServer
from tests.datacite.test_records import BEFORE, NOON, offer
from tests.mail_server import free_port
from tests.scene import Scene
from waldur_dagster.datacite.referrals import update_referrals
from waldur_dagster.outcome import Outcome
from waldur_dagster.schema import django, marketplace, pid

ENTRY = "waldur-pid-update-all-referrables"
TEXTS = ("relation_type", "resource_type", "creator", "publisher", "title", "published", "referral_url")
OLD = {name: f"old {name}" for name in TEXTS}
DOI = "10.5072/own"


def update(scene: Scene, server: DataCiteServer, **changed: Any) -> Outcome:
    with scene.site(waldur=server.settings(**changed)) as site:
        update_referrals(site.transactions(ENTRY, NOON))
        return site.outcome


def cited(server: DataCiteServer, *entries: Any, count: int = 7, doi: str = DOI) -> None:
    """The record of an offering; ``entries`` are names of DOIs that cite it, or whole entries."""
    related = [
        {"relatedIdentifier": entry, "relationType": "IsCitedBy", "relatedIdentifierType": "DOI"}
        if isinstance(entry, str)
        else entry
        for entry in entries
    ]
    server.records[doi] = {"citationCount": count, "relatedIdentifiers": related}


def work(server: DataCiteServer, doi: str, **values: Any) -> None:
    facts = {"titles": [{"title": f"On {doi}"}], "creators": [{"name": "Doe, J"}], "publisher": "Press"}
    server.records[doi] = facts | {"published": "2024", "url": f"https://x/{doi}"} | values


def refer(scene: Scene, offering: int, name: str) -> int:
    kind = scene.one(django.content_type, model="offering").id
    return scene.add(pid.datacitereferral, content_type_id=kind, object_id=offering, pid=name, **OLD)


def rows(scene: Scene, offering: int) -> dict[str, tuple[str, ...]]:
    found = scene.rows(pid.datacitereferral, object_id=offering)
    assert len({row.pid for row in found}) == len(found)
    return {row.pid: tuple(getattr(row, name) for name in TEXTS) for row in found}


def count(scene: Scene, offering: int) -> int | None:
    """The number of citations, if it was written now."""
    row = scene.one(marketplace.offering, id=offering)
    return row.citation_count if row.modified == NOON else None


@pytest.mark.parametrize("_", [pytest.param("2024-10"), pytest.param("8", marks=pytest.mark.generation("8"))])
def test_works_are_added_changed_and_removed_of_this_offering_only(
    scene: Scene, server: DataCiteServer, _: str
) -> None:
    own, other = offer(scene, DOI), offer(scene, "")
    for offering in (own, other):
        for name in ("10.1/known", "10.1/stale"):
            refer(scene, offering, name)
    cited(server, {"relatedIdentifier": "10.1/known", "relationType": "Cites"}, "10.1/new")
    for name in ("10.1/known", "10.1/new"):
        work(server, name)
    for _run in range(2):
        assert not update(scene, server).failures
    texts = {
        name: ("", "Doe, J", "Press", f"On {name}", "2024", f"https://x/{name}") for name in ("10.1/known", "10.1/new")
    }
    assert rows(scene, own) == {
        "10.1/known": ("Cites", *texts["10.1/known"]),
        "10.1/new": ("IsCitedBy", *texts["10.1/new"]),
    }
    assert set(rows(scene, other)) == {"10.1/known", "10.1/stale"}
    assert (count(scene, own), count(scene, other)) == (7, None)


def test_an_empty_list_removes_all_and_a_draft_nothing(scene: Scene, server: DataCiteServer) -> None:
    empty, draft = offer(scene, DOI), offer(scene, "10.5072/draft")
    for offering in (empty, draft):
        refer(scene, offering, "10.1/a")
    cited(server, count=0)
    done = update(scene, server)
    assert (rows(scene, empty), count(scene, empty)) == ({}, 0)
    assert (set(rows(scene, draft)), count(scene, draft)) == ({"10.1/a"}, None)
    assert not done.failures and "10.5072/draft" in done.warnings[0].problem


@pytest.mark.parametrize(
    "wrong",
    [
        (500, "text/plain", "down"),
        (401, "application/json", "{}"),
        (403, "application/json", "{}"),
        (429, "application/json", "{}"),
        (200, "application/json", "junk"),
        (200, "application/json", "{}"),
        (200, "application/json", '{"data": {"attributes": {"citationCount": 1}}}'),
        (200, "application/json", '{"data": {"attributes": {"relatedIdentifiers": []}}}'),
        (302, "text/html", ""),
        None,
    ],
    ids=str,
)
def test_an_own_record_that_cannot_be_read_changes_nothing(scene: Scene, server: DataCiteServer, wrong: Any) -> None:
    bad, good = offer(scene, DOI, "Bad"), offer(scene, "10.5072/good")
    refer(scene, bad, "10.1/a")
    cited(server, doi="10.5072/good", count=3)
    server.wrong["GET", DOI] = [wrong]
    done = update(scene, server)
    assert (set(rows(scene, bad)), count(scene, bad), count(scene, good)) == ({"10.1/a"}, None, 3)
    assert [finding.item for finding in done.failures] == ["offering Bad"]


def test_a_work_that_is_unknown_keeps_its_row_and_one_that_fails_too_but_fails_the_run(
    scene: Scene, server: DataCiteServer
) -> None:
    own = offer(scene, DOI)
    for name in ("10.1/unknown", "10.1/broken", "10.1/stale", "https://blog/x"):
        refer(scene, own, name)
    blog = {"relatedIdentifier": "https://blog/x", "relatedIdentifierType": "URL"}
    isbn = {"relatedIdentifier": "978-1", "relatedIdentifierType": "ISBN"}
    cited(server, "10.1/unknown", "10.1/broken", blog, isbn, "10.1/good")
    work(server, "10.1/good")
    server.wrong["GET", "10.1/broken"] = [(500, "text/plain", "x")]
    done = update(scene, server)
    assert set(rows(scene, own)) == {"10.1/unknown", "10.1/broken", "https://blog/x", "10.1/good"}
    assert rows(scene, own)["10.1/broken"] == tuple(OLD.values())
    assert count(scene, own) == 7
    assert len(done.failures) == 1 and "10.1/broken" in done.failures[0].problem
    assert not {"https://blog/x", "978-1"} & set(server.called("GET"))


@pytest.mark.parametrize("nameless", [{}, {"relatedIdentifier": None}], ids=str)
def test_entries_of_other_types_may_be_odd(scene: Scene, server: DataCiteServer, nameless: dict[str, Any]) -> None:
    own = offer(scene, DOI)
    refer(scene, own, "10.1/stale")
    cited(server, "10.1/good", nameless | {"relatedIdentifierType": "URL"})
    work(server, "10.1/good")
    assert not update(scene, server).failures
    assert (set(rows(scene, own)), count(scene, own)) == ({"10.1/good"}, 7)


@pytest.mark.parametrize("nameless", [{}, {"relatedIdentifier": ""}, {"relatedIdentifier": 7}, None, "10.1/x"], ids=str)
def test_where_a_work_has_no_name_the_others_are_done_and_none_goes(
    scene: Scene, server: DataCiteServer, nameless: Any
) -> None:
    own = offer(scene, DOI)
    refer(scene, own, "10.1/known")
    cited(server, "10.1/good")
    server.records[DOI]["relatedIdentifiers"].append(nameless)
    work(server, "10.1/good")
    done = update(scene, server)
    assert (set(rows(scene, own)), count(scene, own)) == ({"10.1/known", "10.1/good"}, 7)
    assert [finding.item for finding in done.failures] == [f"offering Offering {DOI}"]
    assert server.called("GET") == [DOI, "10.1/good"]


def test_odd_records_become_rows_that_fit(scene: Scene, server: DataCiteServer) -> None:
    own = offer(scene, DOI)
    long = f"10.1/{'x' * 300}"
    cited(server, long, "10.1/bare", "10.1/object")
    work(server, long, titles=[{"title": "L\0" * 200}], creators=[{"name": "C" * 300}], url="u" * 999)
    server.records["10.1/bare"] = {"titles": [], "creators": None, "publisher": None, "published": None, "doi": "x"}
    work(server, "10.1/object", publisher={"name": "By name"}, titles=["text"], published=2024)
    assert not update(scene, server).failures
    found = rows(scene, own)
    assert all(len(text) <= 255 for texts in found.values() for text in texts) and long[:255] in found
    assert found["10.1/bare"] == ("IsCitedBy", "", "N/A", "", "N/A", "", "")
    assert found["10.1/object"][3:6] == ("By name", "N/A", "2024")


def test_of_a_work_that_is_listed_twice_the_last_entry_counts(scene: Scene, server: DataCiteServer) -> None:
    own = offer(scene, DOI)
    cited(server, *({"relatedIdentifier": "10.1/a", "relationType": kind} for kind in ("Cites", "IsCitedBy")))
    work(server, "10.1/a")
    update(scene, server)
    assert rows(scene, own)["10.1/a"][0] == "IsCitedBy"


def test_a_work_that_many_cite_is_asked_for_once(scene: Scene, server: DataCiteServer) -> None:
    for number in range(6):
        offer(scene, f"10.5072/{number}")
        cited(server, "10.1/famous", doi=f"10.5072/{number}")
    work(server, "10.1/famous")
    update(scene, server)
    assert server.called("GET").count("10.1/famous") == 1
    assert len(scene.rows(pid.datacitereferral, pid="10.1/famous")) == 6


def test_a_doi_with_signs_that_addresses_use_is_asked_for_as_it_is(scene: Scene, server: DataCiteServer) -> None:
    own, name = offer(scene, DOI), "10.1/(SICI)1<1::A>2.0;2-#?x=100%"
    cited(server, name)
    work(server, name)
    assert not update(scene, server).failures
    assert set(rows(scene, own)) == {name}


def test_a_datacite_that_is_down_changes_nothing(scene: Scene, server: DataCiteServer) -> None:
    own = offer(scene, DOI)
    refer(scene, own, "10.1/a")
    done = update(scene, server, API_URL=f"http://127.0.0.1:{free_port()}/dois")
    assert done.failures and set(rows(scene, own)) == {"10.1/a"}
    assert scene.one(marketplace.offering, id=own).modified == BEFORE


def test_rows_that_an_old_overlap_has_doubled_are_kept_alike(scene: Scene, server: DataCiteServer) -> None:
    own = offer(scene, DOI)
    for _ in range(2):
        refer(scene, own, "10.1/a")
    cited(server, "10.1/a")
    work(server, "10.1/a")
    assert not update(scene, server).failures
    assert [row.title for row in scene.rows(pid.datacitereferral)] == ["On 10.1/a"] * 2
