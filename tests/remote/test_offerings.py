"""Offerings made what their remotes say: what is known here, what is new there, and what must not be lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.loopback import serving
from tests.processes import kill, started, wait_until
from tests.remote.catalogue_scenes import NOW, PLAN, RemoteSite, component_document, offering_document, plan_document
from tests.remote.remote_waldur import RemoteWaldur, failing, serving_remote, stalling, uuid_of
from tests.scene import Scene
from waldur_dagster.outcome import Outcome
from waldur_dagster.remote.offerings import pull_offerings
from waldur_dagster.schema import logging, marketplace, media
from waldur_dagster.site import AlreadyRunning

GIF = bytes.fromhex("474946383961010001000000002c00000000010001000002024401003b")
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script><rect/></svg>'
TABLES = (
    marketplace.offering,
    marketplace.offeringcomponent,
    marketplace.plan,
    marketplace.plancomponent,
    marketplace.offeringaccessendpoint,
    media.file,
    logging.event,
)


@pytest.fixture
def remote() -> Iterator[RemoteWaldur]:
    with serving_remote() as made:
        yield made


@pytest.fixture
def site(scene: Scene) -> RemoteSite:
    return RemoteSite(scene)


def _pull(site: RemoteSite, remote: RemoteWaldur, *documents: dict[str, Any], **deployment: Any) -> Outcome:
    remote.objects["marketplace-public-offerings"] = list(documents)
    return site.run(pull_offerings, **deployment)


def _rows(scene: Scene) -> list[Any]:
    return [row for table in TABLES for row in scene.rows(table)]


def _events(scene: Scene) -> list[str]:
    return [row.event_type for row in scene.rows(logging.event)]


def test_a_second_run_writes_nothing_whatever_form_the_prices_have(site: RemoteSite, remote: RemoteWaldur) -> None:
    site.offering(remote)
    plan = plan_document(prices={"cpu": 0.1, "ram": "0.3000000000"}, quotas={"cpu": 1, "ram": 2})
    components = [component_document("cpu"), component_document("ram", limit_period="month", max_value=7)]
    document = offering_document(components=components, plans=[plan], endpoints=[{"name": "A", "url": "ssh://a"}])
    _pull(site, remote, document)
    before = _rows(site.scene)
    assert site.scene.one(marketplace.plan).unit == "month"
    outcome = _pull(site, remote, document)
    assert _rows(site.scene) == before
    assert (outcome.warnings, outcome.failures) == ([], [])
    _pull(
        site,
        remote,
        document | {"plans": [plan | {"prices": {"cpu": 0.2, "ram": 0.3}, "quotas": {"cpu": 1, "ram": 3}}]},
    )
    assert _events(site.scene)[-2:] == [
        "marketplace_plan_component_current_price_updated",
        "marketplace_plan_component_quota_updated",
    ]


def test_a_component_that_was_used_or_billed_stays_with_its_price(site: RemoteSite, remote: RemoteWaldur) -> None:
    scene, offering = site.scene, site.offering(remote)
    used, billed, free = (scene.component(offering, type) for type in ("used", "billed", "free"))
    plan = scene.plan(offering, backend_id=uuid_of(PLAN, 1))
    for component in (used, billed, free):
        scene.price(plan, component, 1)
    customer = scene.customer("Buyer")
    resource = scene.resource(scene.project(customer), offering, plan)
    scene.add(
        marketplace.componentusage,
        resource_id=resource,
        component_id=used,
        usage=1,
        date=NOW,
        billing_period=NOW.date().replace(day=1),
    )
    scene.item(scene.invoice(customer, 2025, 3), 1, resource_id=resource, details={"offering_component_type": "billed"})
    outcome = _pull(site, remote, offering_document(plans=[plan_document(1, name="Plan")]))
    assert [row.type for row in scene.rows(marketplace.offeringcomponent)] == ["used", "billed"]
    assert [row.component_id for row in scene.rows(marketplace.plancomponent)] == [used, billed]
    assert len([one for one in outcome.warnings if "stays since it was used or billed" in one.problem]) == 2


def _two_offerings(site: RemoteSite, remote: RemoteWaldur) -> None:
    """Neither has ten components by itself: they are counted over all offerings of a remote."""
    for number in (1, 2):
        offering = site.offering(remote, number)
        for n in range(5):
            site.scene.component(offering, f"c{n}")


def test_a_remote_that_suddenly_has_almost_nothing_deletes_nothing(site: RemoteSite, remote: RemoteWaldur) -> None:
    _two_offerings(site, remote)
    left = [component_document(f"c{n}", name="Known") for n in range(4)]
    outcome = _pull(site, remote, offering_document(1, components=left), offering_document(2))
    assert len(site.scene.rows(marketplace.offeringcomponent)) == 10
    assert len(site.scene.rows(marketplace.offeringcomponent, name="Known")) == 4  # all else is done
    assert [one.item for one in outcome.failures] == [f"Waldur at {remote.api_url}"]
    assert "6 of 10 components are gone at the remote" in outcome.failures[0].problem


def test_half_of_them_may_go_and_the_deployment_may_say_more(site: RemoteSite, remote: RemoteWaldur) -> None:
    _two_offerings(site, remote)
    left = [component_document(f"c{n}") for n in range(5)]
    assert _pull(site, remote, offering_document(1, components=left), offering_document(2)).failures == []
    assert len(site.scene.rows(marketplace.offeringcomponent)) == 5
    _two_offerings(site, remote)
    both = offering_document(1), offering_document(2)
    assert _pull(site, remote, *both, remote_waldurs={"may_lose": 1}).failures == []
    assert site.scene.rows(marketplace.offeringcomponent) == []


def test_local_plans_are_archived_once(site: RemoteSite, remote: RemoteWaldur) -> None:
    site.scene.plan(site.offering(remote), "Local")
    for _ in range(2):
        _pull(site, remote, offering_document())
    assert site.scene.one(marketplace.plan).archived
    assert _events(site.scene) == ["marketplace_plan_archived"]


def test_of_two_plans_for_one_the_older_is_pulled_and_the_other_told(site: RemoteSite, remote: RemoteWaldur) -> None:
    offering = site.offering(remote)
    for name in ("First", "Second"):
        site.scene.plan(offering, name, backend_id=uuid_of(PLAN, 1))
    outcome = _pull(site, remote, offering_document(plans=[plan_document(1, name="New")]))
    assert [row.name for row in site.scene.rows(marketplace.plan)] == ["New", "Second"]
    assert any("stands for the same plan" in one.problem for one in outcome.warnings)
    assert not any(row.archived for row in site.scene.rows(marketplace.plan))
    _pull(site, remote, offering_document())
    assert [row.archived for row in site.scene.rows(marketplace.plan)] == [True, True]


def test_oddities_of_an_answer_are_told_and_the_rest_is_done(site: RemoteSite, remote: RemoteWaldur) -> None:
    site.offering(remote)
    components = [component_document("cpu"), component_document("cpu", name="Other"), component_document("x" * 60)]
    plan = plan_document(prices={"cpu": 1, "nothing": 2})
    outcome = _pull(site, remote, offering_document(components=components, plans=[plan], name="n" * 200))
    assert [row.name for row in site.scene.rows(marketplace.offeringcomponent)] == ["CPU"]
    assert site.scene.one(marketplace.plancomponent).price == 1
    assert len(site.scene.one(marketplace.offering).name) == 150
    assert (len(outcome.warnings), outcome.failures) == (3, [])


@pytest.mark.parametrize(
    "broken", [{"components": None}, {"plans": {}}, {"components": [{"type": "cpu"}]}, {"plans": [{"name": "P"}]}]
)
def test_a_malformed_answer_changes_nothing_and_stops_nobody(
    site: RemoteSite, remote: RemoteWaldur, broken: dict[str, Any]
) -> None:
    offering = site.offering(remote, 1)
    site.scene.component(offering)
    site.offering(remote, 2)
    outcome = _pull(site, remote, offering_document(1, name="New", **broken), offering_document(2, name="Pulled"))
    assert [row.name for row in site.scene.rows(marketplace.offering)] == ["Offering 1", "Pulled"]
    assert len(site.scene.rows(marketplace.offeringcomponent)) == 1
    assert [one.item.split(" (")[0] for one in outcome.failures] == ["offering Offering 1"]


def test_what_one_offering_has_no_value_of_is_pulled_of_the_others(site: RemoteSite, remote: RemoteWaldur) -> None:
    here = {"description": "old", "options": {"a": 1}, "resource_options": {"a": 1}}
    for number in (1, 2):
        site.offering(remote, number, **here)
    there = {"description": "new", "options": {"b": 2}, "resource_options": {"b": 2}}
    _pull(site, remote, offering_document(1, **dict.fromkeys(there)), offering_document(2, **there))
    rows = {row.name: {name: getattr(row, name) for name in here} for row in site.scene.rows(marketplace.offering)}
    assert rows == {"Offering 1": here, "Offering 2": there}


def test_one_bad_offering_of_a_remote_is_left_out(site: RemoteSite, remote: RemoteWaldur) -> None:
    """An amount that no column holds makes the statement for all fail; then each is merged by itself."""
    for number in (1, 2):
        site.offering(remote, number)
    huge = component_document("cpu", max_value=10**30)
    outcome = _pull(site, remote, offering_document(1, components=[huge]), offering_document(2, name="Pulled"))
    assert [row.name for row in site.scene.rows(marketplace.offering)] == ["Offering 1", "Pulled"]
    assert [one.item.split(" (")[0] for one in outcome.failures] == ["offering Offering 1"]


def test_endpoints_follow_the_list_also_when_it_is_empty(site: RemoteSite, remote: RemoteWaldur) -> None:
    offering = site.offering(remote)
    for url in ("ssh://a", "ssh://b"):
        site.scene.add(marketplace.offeringaccessendpoint, offering_id=offering, name="x", url=url)
    document = offering_document(endpoints=[{"name": "B", "url": "ssh://b"}])
    _pull(site, remote, document)
    assert [(row.name, row.url) for row in site.scene.rows(marketplace.offeringaccessendpoint)] == [("B", "ssh://b")]
    del document["endpoints"]
    _pull(site, remote, document)
    assert len(site.scene.rows(marketplace.offeringaccessendpoint)) == 1
    _pull(site, remote, offering_document())
    assert site.scene.rows(marketplace.offeringaccessendpoint) == []


def test_a_thumbnail_is_kept_clean_replaced_and_removed(site: RemoteSite, remote: RemoteWaldur) -> None:
    picture = {"content": SVG}
    site.offering(remote)
    with serving({("GET", "/a"): lambda **_: (200, picture["content"])}) as url:
        document = offering_document(thumbnail=f"{url}/a")
        _pull(site, remote, document)
        stored = site.scene.one(media.file)
        assert b"<script" not in stored.content and stored.mime_type == "image/svg+xml"
        assert site.scene.one(marketplace.offering).thumbnail == stored.name
        _pull(site, remote, document)
        assert site.scene.one(media.file) == stored
        picture["content"] = GIF
        _pull(site, remote, document)
        assert site.scene.one(media.file).content == GIF
        picture["content"] = b"<html>not found</html>"
        outcome = _pull(site, remote, document)
        assert "stays as it is" in outcome.warnings[0].problem
        assert site.scene.one(media.file).content == GIF
    _pull(site, remote, offering_document())
    assert site.scene.rows(media.file) == []
    assert site.scene.one(marketplace.offering).thumbnail == ""


def test_a_thumbnail_inside_the_deployment_s_networks_is_not_fetched(site: RemoteSite, remote: RemoteWaldur) -> None:
    """A remote must not make its visitors read what only they can reach; its own host is another matter."""
    site.offering(remote)
    with serving({("GET", "/a"): lambda **_: (200, GIF)}) as url:
        inside = url.replace("127.0.0.1", "localhost")
        outcome = _pull(site, remote, offering_document(thumbnail=f"{inside}/a"), web_hooks={"private_networks": []})
    assert site.scene.rows(media.file) == []
    assert "not public" in outcome.warnings[0].problem


@pytest.mark.parametrize("status", [400, 403, 429, 500, 503])
def test_an_error_changes_nothing(site: RemoteSite, remote: RemoteWaldur, status: int) -> None:
    site.scene.component(site.offering(remote))
    remote.fault = failing("offerings", status)
    before = _rows(site.scene)
    assert len(_pull(site, remote).failures) == 1
    assert _rows(site.scene) == before


@pytest.mark.generation("8")
def test_on_newer_sites_an_active_offering_that_is_gone_is_archived(site: RemoteSite, remote: RemoteWaldur) -> None:
    for number, state in ((1, 2), (2, 1), (3, 4)):
        site.offering(remote, number, state=state)
    outcome = _pull(site, remote)
    assert [row.state for row in site.scene.rows(marketplace.offering)] == [4, 1, 4]
    assert [row.message for row in site.scene.rows(logging.event)] == ["Offering state has been updated."]
    assert outcome.failures == []


@pytest.mark.generation("8")
@pytest.mark.parametrize("body", [b"<h1>Not Found</h1>", {"message": "no Route matched"}])
def test_on_newer_sites_a_404_that_is_not_the_api_s_archives_nothing(
    site: RemoteSite, remote: RemoteWaldur, body: Any
) -> None:
    site.offering(remote)
    remote.fault = failing("offerings", 404, body)
    outcome = _pull(site, remote, offering_document())
    assert site.scene.one(marketplace.offering).state == 2
    assert "HTTP 404" in outcome.failures[0].problem


@pytest.mark.parametrize(
    ("end", "pulled"),
    [
        ("/api", True),
        ("/api/", True),
        pytest.param("", True, marks=pytest.mark.generation("8")),
        pytest.param("/", True, marks=pytest.mark.generation("8")),
        ("", False),
    ],
)
def test_newer_sites_find_the_api_below_an_address_without_it(
    site: RemoteSite, remote: RemoteWaldur, end: str, pulled: bool
) -> None:
    site.offering(remote, secret_options={"api_url": remote.url + end, "token": remote.token})
    outcome = _pull(site, remote, offering_document(description="new"))
    assert (site.scene.one(marketplace.offering).description == "new", outcome.failures == []) == (pulled, pulled)


@pytest.mark.generation("8")
def test_on_newer_sites_no_remote_archives_most_of_what_is_sold(site: RemoteSite, remote: RemoteWaldur) -> None:
    for number in range(10):
        site.offering(remote, number)
    outcome = _pull(site, remote, offering_document(0))
    assert {row.state for row in site.scene.rows(marketplace.offering)} == {2}
    assert "9 of 10 offerings are gone" in outcome.failures[0].problem


@pytest.mark.generation("8")
def test_on_newer_sites_terms_are_versions_and_own_options_stay(site: RemoteSite, remote: RemoteWaldur) -> None:
    own = {"enable_resource_limit_change_requests": False, "stale": 1}
    offering = site.offering(remote, plugin_options=own)
    remote.objects["marketplace-offering-terms-of-service"] = [
        {
            "uuid": uuid_of(9, 1),
            "offering_uuid": uuid_of(1, 1),
            "version": "2.1",
            "terms_of_service": "Be kind",
            "is_active": True,
            "requires_reconsent": True,
        }
    ]
    options = {"enable_resource_limit_change_requests": True, "remote": 2}
    _pull(site, remote, offering_document(plugin_options=options, access_url="https://a"))
    terms = site.scene.one(marketplace.offeringtermsofservice)
    assert (terms.version, terms.terms_of_service, terms.is_active, terms.requires_reconsent) == (
        *("2.1", "Be kind", True, True),
    )
    row = site.scene.one(marketplace.offering, id=offering)
    assert row.plugin_options == {"enable_resource_limit_change_requests": False, "remote": 2}
    assert row.access_url == "https://a"
    assert _pull(site, remote, offering_document(terms_of_service="Old style")).failures == []
    versions = [(row.version, row.is_active) for row in site.scene.rows(marketplace.offeringtermsofservice)]
    assert versions == [("2.1", False), ("1.0", True)]
    remote.objects["marketplace-offering-terms-of-service"] = []
    _pull(site, remote, offering_document())
    assert site.scene.rows(marketplace.offeringtermsofservice) == []


@pytest.mark.generation("8")
def test_on_newer_sites_offerings_without_credentials_or_uuid_are_passed_over(
    site: RemoteSite, remote: RemoteWaldur
) -> None:
    site.offering(remote, 1, secret_options={})
    site.offering(remote, 2, backend_id="")
    assert _pull(site, remote).failures == []
    assert remote.calls.total() == 0


RUN = """
import sys
from tests.remote.catalogue_scenes import NOW
from waldur_dagster.deployment import parse_deployment
from waldur_dagster.remote.offerings import pull_offerings
from waldur_dagster.site import Site
with Site(parse_deployment({"database": {"url": sys.argv[1]}})) as site:
    pull_offerings(site.transactions("entry", NOW))
"""
MANY = 8


def test_after_a_kill_the_next_run_pulls_the_rest_and_two_runs_do_not_meet(scene: Scene, twin_scene: Scene) -> None:
    def fill(one: Scene, remote: RemoteWaldur) -> RemoteSite:
        site = RemoteSite(one)
        components = [component_document("cpu"), component_document("ram")]
        for number in range(1, MANY + 1):
            site.offering(remote, number)
            facts = {"components": components, "plans": [plan_document(number, prices={"cpu": 2, "ram": 3})]}
            remote.say("marketplace-public-offerings", offering_document(number, description="New", **facts))
        return site

    with serving_remote() as remote:
        site = fill(scene, remote)
        remote.fault, go_on = stalling(3)
        child = started(RUN, scene.engine.url.render_as_string(hide_password=False))
        wait_until(lambda: sum(remote.calls.values()) > 3)
        with pytest.raises(AlreadyRunning):
            site.run(pull_offerings)
        kill(child, scene.engine)
        go_on.set()
        remote.fault = lambda *_: None
        assert site.run(pull_offerings).failures == []
        assert dict(site.run(pull_offerings).rows) == {}
    with serving_remote() as remote:
        fill(twin_scene, remote).run(pull_offerings)
    for table in TABLES:
        assert len(scene.rows(table)) == len(twin_scene.rows(table)), table.name
    assert {row.description for row in scene.rows(marketplace.offering)} == {"New"}
