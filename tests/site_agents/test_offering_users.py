"""Accounts for members of projects in the offerings of site agents (spec people, spec newer 6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.scene import Scene
from tests.site_agents.scenes import FLAG, NOON, Cluster
from tests.statements import counted
from waldur_dagster.outcome import Outcome
from waldur_dagster.schema import constance, freeipa, logging, marketplace, permissions
from waldur_dagster.site_agents.offering_users import create_missing_accounts

ENTRY = "waldur-create-offering-users-for-site-agent-offerings"
both_generations = pytest.mark.parametrize(
    "_", [pytest.param("2024-10"), pytest.param("8", marks=pytest.mark.generation("8"))]
)
account = marketplace.offeringuser


def create(scene: Scene) -> Outcome:
    with scene.site() as site, site.work(ENTRY, NOON) as work:
        create_missing_accounts(work)
    return work.outcome


def names(scene: Scene, offering: int) -> dict[int, str]:
    return {row.user_id: row.username for row in scene.rows(account, offering_id=offering)}


@both_generations
def test_members_get_accounts_and_the_log_tells_of_each_literally(scene: Scene, _: str) -> None:
    cluster = Cluster(scene)
    ada = cluster.member("ada{x}", first_name="Ada", last_name="L")
    scene.owner(cluster.customer, "owner@example.org")
    create(scene)
    made = scene.one(account)
    assert (made.user_id, made.username, made.backend_metadata, made.is_restricted) == (ada, "ada{x}", {}, False)
    assert made.created == made.modified == NOON
    assert (made.state, made.runtime_state) == (5, "Active") if cluster.newer else made.propagation_date == NOON
    event = scene.one(logging.event)
    assert event.message == "Account for user ada{x} in offering Cluster {one} has been created."
    assert event.context["offering_user_username"] == "ada{x}" and event.context["user_full_name"] == "Ada L"
    assert event.context["offering_user_is_restricted"] == "False" and len(event.context) == 11
    assert scene.rows(logging.feed) == []
    assert not create(scene).rows


@both_generations
def test_only_offerings_that_make_accounts_by_a_policy_are_served(scene: Scene, _: str) -> None:
    served = [Cluster(scene, state=3), Cluster(scene, "telepathy")]
    others = [
        Cluster(scene, None),
        Cluster(scene, "service_provider"),
        Cluster(scene, flag="true"),
        Cluster(scene, flag=False),
        Cluster(scene, state=1),
        Cluster(scene, state=4),
        Cluster(scene, type="Marketplace.Basic"),
    ]
    elsewhere = Cluster(scene, flag=None)
    wrong_place: dict[str, Any] = {
        "secret_options" if elsewhere.newer else "plugin_options": {
            FLAG: True,
            "username_generation_policy": "waldur_username",
        }
    }
    others.append(Cluster(scene, flag=None, **wrong_place))
    user = served[0].member("ada")
    for cluster in (*served[1:], *others):
        scene.role(user, "PROJECT.MEMBER", "project", cluster.project)
    create(scene)
    assert {row.offering_id: row.username for row in scene.rows(account)} == {
        served[0].offering: "ada",
        served[1].offering: "",
    }


def test_members_are_active_people_with_a_role_in_force_where_a_resource_is_ok(scene: Scene) -> None:
    cluster = Cluster(scene)
    cluster.member("inactive", is_active=False)
    former = cluster.member("former")
    with scene.engine.begin() as connection:
        held = permissions.userrole
        connection.execute(held.update().where(held.c.user_id == former).values(is_active=None))
    for state in (1, 3, 4, 5, 6):
        cluster.member(f"state{state}", cluster.new_project(state))
    wanted = {cluster.member("removed", cluster.new_project(is_removed=True)), cluster.member("here")}
    both = cluster.member("both")
    scene.role(both, "PROJECT.MANAGER", "project", cluster.project)
    create(scene)
    assert set(names(scene, cluster.offering)) == wanted | {both}


@both_generations
def test_accounts_that_are_there_stay_whatever_their_names_are(scene: Scene, _: str) -> None:
    cluster = Cluster(scene)
    for number, name in enumerate(("own", "", None)):
        user = cluster.member(f"user{number}")
        scene.add(account, offering_id=cluster.offering, user_id=user, username=name, state=5)
    before = scene.rows(account)
    assert not create(scene).rows
    assert scene.rows(account) == before


def test_numbers_are_given_out_by_user_within_an_offering(scene: Scene) -> None:
    cluster, other = Cluster(scene, "full_name"), Cluster(scene, "full_name")
    people = [cluster.member(f"john{number}", first_name="John", last_name="Doe") for number in range(3)]
    scene.add(account, offering_id=cluster.offering, user_id=people[1], username="John_Doe_99", state=5)
    scene.role(people[0], "PROJECT.MEMBER", "project", other.project)
    create(scene)
    made = names(scene, cluster.offering)
    assert [made[person] for person in people] == ["john_doe_100", "John_Doe_99", "john_doe_101"]
    assert names(scene, other.offering) == {people[0]: "john_doe_00"}


def test_names_of_freeipa_come_from_the_profile_active_or_not(scene: Scene) -> None:
    cluster = Cluster(scene, "freeipa")
    with_profile, without = cluster.member("one"), cluster.member("two")
    scene.add(freeipa.profile, user_id=with_profile, username="waldur_one", is_active=False)
    create(scene)
    assert names(scene, cluster.offering) == {with_profile: "waldur_one", without: ""}


def test_a_name_that_is_too_long_is_told_and_the_others_are_made(scene: Scene) -> None:
    cluster = Cluster(scene)
    fits, too_long = cluster.member("x" * 100), cluster.member("y" * 101)
    done = create(scene)
    assert set(names(scene, cluster.offering)) == {fits}
    assert ["101 characters" in finding.problem for finding in done.warnings] == [True]
    assert too_long not in names(scene, cluster.offering)


@pytest.mark.generation("8")
def test_newer_accounts_have_a_claim_for_a_name_and_wait_without_one(scene: Scene) -> None:
    cluster = Cluster(scene, "identity_claim")
    details: list[Any] = [{"site_username": "a.l"}, {"site_username": 7}, {"site_username": None}, {}, []]
    people = [cluster.member(f"user{number}", details=value) for number, value in enumerate(details)]
    create(scene)
    made = {row.user_id: (row.username, row.state) for row in scene.rows(account)}
    assert [made[person] for person in people] == [("a.l", 5), ("", 1), ("", 1), ("", 1), ("", 1)]


@pytest.mark.generation("8")
def test_newer_accounts_whose_deletion_was_asked_for_are_kept(scene: Scene) -> None:
    cluster = Cluster(scene)
    states = range(1, 11)
    for state in states:
        for name in ("named", ""):
            user = cluster.member(f"{name}{state}")
            scene.add(account, offering_id=cluster.offering, user_id=user, username=name, state=state)
    stranger = scene.user("stranger@example.org")
    scene.add(account, offering_id=cluster.offering, user_id=stranger, username="s", state=6)
    create(scene)
    changed = [(row.username, row.state) for row in scene.rows(account) if row.modified == NOON]
    assert changed == [("named", 5), ("", 1)]
    assert scene.one(account, user_id=stranger).state == 6
    assert scene.rows(logging.event) == []


@pytest.mark.generation("8")
@pytest.mark.parametrize("enforced", [True, False])
def test_newer_offerings_with_terms_have_accounts_of_those_who_agree(scene: Scene, enforced: bool) -> None:
    value = f'{{"__type__": "default", "__value__": {str(enforced).lower()}}}'
    scene.add(constance.constance, key="ENFORCE_USER_CONSENT_FOR_OFFERINGS", value=value)
    cluster, withdrawn = Cluster(scene), Cluster(scene)
    agrees, revoked, silent = (cluster.member(name) for name in ("agrees", "revoked", "silent"))
    scene.role(silent, "PROJECT.MEMBER", "project", withdrawn.project)
    for offering, active in ((cluster.offering, True), (withdrawn.offering, False)):
        scene.add(marketplace.offeringtermsofservice, offering_id=offering, is_active=active)
    for user, revocation in ((agrees, None), (revoked, NOON)):
        facts = {"offering_id": cluster.offering, "user_id": user, "revocation_date": revocation}
        scene.add(marketplace.userofferingconsent, **facts)
    create(scene)
    assert set(names(scene, cluster.offering)) == ({agrees} if enforced else {agrees, revoked, silent})
    assert set(names(scene, withdrawn.offering)) == {silent}


@both_generations
def test_statements_do_not_grow_with_members(scene: Scene, _: str) -> None:
    def run(members: int) -> int:
        cluster = Cluster(scene, "full_name")
        for number in range(members):
            cluster.member(f"{cluster.offering}-{number}", cluster.new_project())
        with scene.site() as site, site.work(ENTRY, NOON) as work, counted(work.connection) as statements:
            assert create_missing_accounts(work) == members
        return len(statements)

    assert run(3) == run(30)


def test_an_account_that_is_made_meanwhile_is_no_failure(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    from waldur_dagster.site_agents import offering_users

    cluster = Cluster(scene)
    ada, ben = cluster.member("ada"), cluster.member("ben")
    insert: Callable[..., int] = offering_users._insert

    def late(*facts: Any) -> int:
        scene.add(account, offering_id=cluster.offering, user_id=ada, username="by hand")
        return insert(*facts)

    monkeypatch.setattr(offering_users, "_insert", late)
    create(scene)
    assert names(scene, cluster.offering) == {ada: "by hand", ben: "ben"}
    assert len(scene.rows(logging.event)) == 1
