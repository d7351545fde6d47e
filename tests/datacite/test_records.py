"""DataCite's records of offerings: written where they differ, and what goes wrong is kept (spec people)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.datacite.server import PASSWORD, DataCiteServer
from tests.mail_server import free_port
from tests.scene import Scene
from waldur_dagster.clients.datacite import CHANGES_A_SECOND
from waldur_dagster.datacite.records import update_records
from waldur_dagster.outcome import Outcome
from waldur_dagster.schema import marketplace
from waldur_dagster.work import Work

NOON = datetime(2025, 3, 10, 12, tzinfo=UTC)
BEFORE = datetime(2025, 3, 1, tzinfo=UTC)
ENTRY = "waldur-update-all-pid"
HTML = "<html>403 Forbidden</html>"


def offer(scene: Scene, doi: str, name: str = "", **values: Any) -> int:
    facts: dict[str, Any] = {"created": datetime(2023, 12, 31, 23, 30, tzinfo=UTC), "modified": BEFORE}
    facts |= {"description": "<p>Hours</p>", "datacite_doi": doi}
    return scene.offering(scene.customer("HPC centre"), name or f"Offering {doi}", **facts | values)


def update(scene: Scene, server: DataCiteServer, *, dry_run: bool = False, **changed: Any) -> Outcome:
    with scene.site(dry_run=dry_run, waldur=server.settings(**changed)) as site:
        update_records(site.transactions(ENTRY, NOON))
        return site.outcome


def kept(scene: Scene, offering: int) -> str:
    """The failure that is kept with an offering, if it was written now."""
    row = scene.one(marketplace.offering, id=offering)
    return row.error_message if row.modified == NOON else "unchanged"


@pytest.mark.parametrize("_", [pytest.param("2024-10"), pytest.param("8", marks=pytest.mark.generation("8"))])
def test_every_offering_with_a_doi_has_its_record_written_once(scene: Scene, server: DataCiteServer, _: str) -> None:
    made = [offer(scene, f"10.5072/of-{state}", state=state) for state in (1, 2, 3, 4)]
    offer(scene, "")
    for _run in range(2):
        done = update(scene, server, PUBLISHER="Ours")
        assert not done.failures
    assert sorted(server.called("PUT")) == [f"10.5072/of-{state}" for state in (1, 2, 3, 4)]
    assert [kept(scene, one) for one in made] == ["unchanged"] * 4
    uuid = scene.one(marketplace.offering, id=made[0]).uuid.hex
    assert server.records["10.5072/of-1"] == {
        "prefix": "10.5072",
        "event": "publish",
        "creators": [{"name": "HPC centre"}],
        "titles": [{"title": "Offering 10.5072/of-1"}],
        "descriptions": [{"description": "<p>Hours</p>"}],
        "publisher": "Ours",
        "publicationYear": 2023,
        "types": {"resourceTypeGeneral": "Service"},
        "url": f"https://example.com/marketplace-public-offering/{uuid}/",
        "schemaVersion": "http://datacite.org/schema/kernel-4",
        "state": "findable",
    }


@pytest.mark.parametrize(
    "change",
    [
        {"titles": [{"title": "Old"}]},
        {"creators": [{"name": "HPC centre"}, {"name": "Other"}]},
        {"descriptions": None},
        {"publisher": {"name": "Waldur"}},
        {"publicationYear": 2024},
        {"url": "https://elsewhere.example"},
        {"types": {"resourceTypeGeneral": "Software"}},
        {"state": "draft"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_record_that_differs_is_written(scene: Scene, server: DataCiteServer, change: dict[str, Any]) -> None:
    offer(scene, "10.5072/a")
    update(scene, server)
    record = server.records["10.5072/a"]
    server.records["10.5072/a"] = record | {"titles": [{"title": record["titles"][0]["title"], "lang": "en"}]}
    update(scene, server)
    assert len(server.called("PUT")) == 1  # what DataCite adds is no difference
    server.records["10.5072/a"] |= change
    update(scene, server)
    assert len(server.called("PUT")) == 2


@pytest.mark.parametrize("status", [201, 202, 301, 400, 401, 403, 404, 422, 500, 503])
def test_what_datacite_says_is_kept_with_the_offering_and_the_others_are_done(
    scene: Scene, server: DataCiteServer, status: int
) -> None:
    bad, good = offer(scene, "10.5072/bad", "Bad {x}"), offer(scene, "10.5072/good")
    server.wrong["PUT", "10.5072/bad"] = [(status, "application/json", f'{{"no": "{PASSWORD}"}}')]
    done = update(scene, server)
    said = kept(scene, bad)
    assert said.startswith(f"Updating Datacite DOI for Bad {{x}} has failed. Status code: {status}, message: ")
    assert PASSWORD not in said + str(done.failures)
    assert (kept(scene, good), "10.5072/good" in server.records) == ("unchanged", True)
    assert [finding.item for finding in done.failures] == ["offering Bad {x}"]


def test_a_later_success_takes_the_failure_away_written_or_not(scene: Scene, server: DataCiteServer) -> None:
    offering = offer(scene, "10.5072/a", error_message="old")
    update(scene, server)
    assert kept(scene, offering) == ""
    with scene.engine.begin() as connection:
        connection.execute(marketplace.offering.update().values(error_message="again", modified=BEFORE))
    update(scene, server)
    assert (kept(scene, offering), len(server.called("PUT"))) == ("", 1)


def test_a_change_that_somebody_makes_meanwhile_stays(scene: Scene, server: DataCiteServer) -> None:
    offering = offer(scene, "10.5072/a", error_message="old")
    with scene.site(waldur=server.settings()) as site:
        transactions = site.transactions(ENTRY, NOON)

        def after_a_change(function: Callable[[Work], None]) -> None:
            with scene.engine.begin() as connection:
                connection.execute(marketplace.offering.update().values(name="Renamed"))
            transactions.do(function)

        update_records(replace(transactions, do=after_a_change))
    row = scene.one(marketplace.offering, id=offering)
    assert (row.name, row.error_message) == ("Renamed", "")


def test_the_front_s_403_is_waited_for_and_datacite_s_own_is_not(scene: Scene, server: DataCiteServer) -> None:
    limited, refused = offer(scene, "10.5072/limited"), offer(scene, "10.5072/refused")
    server.wrong["PUT", "10.5072/limited"] = [(403, "text/html; charset=utf-8", HTML), (200, "application/json", "{}")]
    server.wrong["PUT", "10.5072/refused"] = [(403, "application/json", "{}")]
    update(scene, server)
    assert kept(scene, limited) == "unchanged" and "Status code: 403" in kept(scene, refused)
    assert sorted(server.called("PUT")) == ["10.5072/limited"] * 2 + ["10.5072/refused"]


def test_a_limit_that_does_not_end_is_given_up(scene: Scene, server: DataCiteServer) -> None:
    made = [offer(scene, f"10.5072/{number}") for number in range(12)]
    for number in range(12):
        for method in ("GET", "PUT"):
            server.wrong[method, f"10.5072/{number}"] = [(429, "application/json", "slow down")]
    done = update(scene, server)
    words = "has failed. Status code: 429, message: slow down."
    assert kept(scene, made[0]) == f"Updating Datacite DOI for Offering 10.5072/0 {words}"
    assert kept(scene, made[-1]) == "unchanged"
    assert any("were not visited" in finding.problem for finding in done.failures)


def test_the_front_s_403_that_does_not_end_is_kept_as_what_it_is(scene: Scene, server: DataCiteServer) -> None:
    offering = offer(scene, "10.5072/a", "A")
    server.wrong["PUT", "10.5072/a"] = [(403, "text/html", HTML)]
    assert len(update(scene, server).failures) == 1
    assert kept(scene, offering) == f"Updating Datacite DOI for A has failed. Status code: 403, message: {HTML}."


def test_a_look_that_was_one_too_many_keeps_no_record_from_being_written(scene: Scene, server: DataCiteServer) -> None:
    offering = offer(scene, "10.5072/a", error_message="old")
    server.wrong["GET", "10.5072/a"] = [(429, "application/json", "slow down")]
    assert not update(scene, server).failures
    assert server.called("PUT") == ["10.5072/a"] and kept(scene, offering) == ""


def test_changes_are_not_more_than_ten_a_second(scene: Scene, server: DataCiteServer) -> None:
    for number in range(8):
        offer(scene, f"10.5072/{number}")
    begun = time.monotonic()
    update(scene, server)
    assert len(server.called("PUT")) == 8 and time.monotonic() - begun >= 7 / CHANGES_A_SECOND


def test_a_connection_that_fails_is_kept_too(scene: Scene, server: DataCiteServer) -> None:
    lost, good = offer(scene, "10.5072/lost"), offer(scene, "10.5072/good")
    server.wrong["PUT", "10.5072/lost"] = [None]
    done = update(scene, server)
    assert kept(scene, lost).startswith("Updating Datacite DOI for Offering 10.5072/lost has failed: ")
    assert kept(scene, good) == "unchanged" and len(done.failures) == 1
    down = update(scene, server, API_URL=f"http://127.0.0.1:{free_port()}/dois")
    assert down.failures and "ConnectError" in kept(scene, good)


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_connection_that_breaks_off_is_tried_again(scene: Scene, server: DataCiteServer, method: str) -> None:
    offering = offer(scene, "10.5072/a", error_message="old")
    server.wrong[method, "10.5072/a"] = [None, None, (200, "application/json", "{}")]
    assert not update(scene, server).failures
    assert len(server.called(method)) == 3 and kept(scene, offering) == ""


@pytest.mark.parametrize("address", ["", "https://example.com", "https://example.com/"])
def test_without_an_address_the_run_says_that_datacite_is_not_configured(
    scene: Scene, server: DataCiteServer, address: str
) -> None:
    offer(scene, "10.5072/a")
    done = update(scene, server, API_URL=address)
    assert "not configured" in done.warnings[0].problem and not done.failures


def test_a_dry_run_writes_nothing_and_says_what(scene: Scene, server: DataCiteServer) -> None:
    offering = offer(scene, "10.5072/a", error_message="old")
    done = update(scene, server, dry_run=True)
    assert done.figures["outside changes that would be made"] == 1
    assert server.called("PUT") == [] and kept(scene, offering) == "unchanged"
