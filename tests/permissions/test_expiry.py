"""Roles that end, and everything that ends with them (spec core, check-expired-permissions)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.hook_server import hook_server
from tests.mail_server import mail_server
from tests.proposals.scenes import Calls
from tests.scene import Scene
from tests.statements import counted
from waldur_dagster.outbox import delivery
from waldur_dagster.outbox.tables import message
from waldur_dagster.outcome import Outcome
from waldur_dagster.permissions.expiry import revoke_expired_roles
from waldur_dagster.schema import analytics, core, django, freeipa, logging, openstack, permissions, quotas, structure

NOON = datetime(2025, 3, 10, 12, tzinfo=UTC)
ENTRY = "check-expired-permissions"
ENDED: dict[str, Any] = {"expiration_time": NOON - timedelta(hours=1)}
CUSTOMER, PROJECT = 1, 2


def run(scene: Scene, *, dry_run: bool = False, as_of: datetime = NOON, **document: object) -> Outcome:
    with scene.site(dry_run=dry_run, **document) as site:
        with site.work(ENTRY, as_of) as work:
            revoke_expired_roles(work)
        return site.outcome


def active(scene: Scene) -> set[int]:
    return {row.id for row in scene.rows(permissions.userrole, is_active=True)}


def told(scene: Scene) -> list[str]:
    """What the events say: role and scope."""
    return [f"{e.context['role_name']} {e.context['scope_name']}" for e in scene.rows(logging.event)]


def handed_over(scene: Scene) -> list[tuple[str, list]]:
    return [(row.payload["task"], row.payload.get("args", [])) for row in scene.rows(message, kind="handover")]


def test_only_active_roles_whose_end_has_passed_are_revoked(scene: Scene) -> None:
    project = scene.project(scene.customer())
    ends = {"before": NOON - timedelta(microseconds=1), "now": NOON, "later": NOON + timedelta(1), "never": None}
    roles = {
        name: scene.role(scene.user(f"{name}@x.org"), "PROJECT.MEMBER", "project", project, expiration_time=end)
        for name, end in ends.items()
    }
    inactive = scene.role(scene.user("i@x.org"), "PROJECT.ADMIN", "project", project, is_active=None, **ENDED)
    run(scene)
    assert active(scene) == {roles["now"], roles["later"], roles["never"]}
    assert scene.one(permissions.userrole, id=roles["before"]).expiration_time == NOON
    assert scene.one(permissions.userrole, id=inactive).expiration_time == ENDED["expiration_time"]


def test_the_last_offering_takes_the_managers_role_with_it_once(scene: Scene) -> None:
    provider, other = scene.customer("Provider"), scene.customer("Other")
    first, second, foreign = (scene.offering(c, n) for c, n in ((provider, "o1"), (provider, "o2"), (other, "o3")))
    leaver, stays = scene.user("leaver@x.org"), scene.user("stays@x.org")
    for user in (leaver, stays):
        scene.role(user, "OFFERING.MANAGER", "offering", first, **ENDED)
    scene.role(leaver, "CUSTOMER.MANAGER", "customer", provider, **ENDED)
    elsewhere = scene.role(leaver, "CUSTOMER.MANAGER", "customer", other)
    there = scene.role(leaver, "OFFERING.MANAGER", "offering", foreign)
    kept = {
        scene.role(stays, "OFFERING.MANAGER", "offering", second),
        scene.role(stays, "CUSTOMER.MANAGER", "customer", provider),
    }
    run(scene)
    assert active(scene) == kept | {elsewhere, there}
    assert sorted(told(scene)) == ["CUSTOMER.MANAGER Provider", "OFFERING.MANAGER o1", "OFFERING.MANAGER o1"]


def test_a_customers_manager_loses_all_its_offerings_unless_the_account_is_inactive(scene: Scene) -> None:
    provider = scene.customer("Provider")
    offering = scene.offering(provider)
    gone, asleep = scene.user("gone@x.org"), scene.user("asleep@x.org", is_active=False)
    for user in (gone, asleep):
        scene.role(user, "CUSTOMER.MANAGER", "customer", provider, **ENDED)
    scene.role(gone, "OFFERING.MANAGER", "offering", offering)
    scene.role(gone, "OFFERING.HELPER", "offering", offering, system=False)
    kept = scene.role(asleep, "OFFERING.MANAGER", "offering", offering)
    run(scene)
    assert active(scene) == {kept}
    assert scene.rows(permissions.userrole, expiration_time=NOON, is_active=True) == []


def test_a_role_on_something_that_is_gone_is_revoked_and_reported(scene: Scene) -> None:
    customer = scene.customer("Acme")
    for email, on in (("a@x.org", 999), ("b@x.org", customer)):
        scene.role(scene.user(email, username=email), "CUSTOMER.SUPPORT", "customer", on, **ENDED)
    outcome = run(scene)
    assert active(scene) == set()
    assert told(scene) == ["CUSTOMER.SUPPORT Acme"]
    (warning,) = outcome.warnings
    assert warning.item == "role CUSTOMER.SUPPORT of a@x.org"
    assert "999" in warning.problem


def _on_proposals(scene: Scene) -> list[int]:
    """Roles that have ended on a draft and on proposals that are further on."""
    calls = Calls(scene)
    round_ = calls.round()
    proposals = [calls.proposal(round_, state) for state in ("draft", "submitted", "in_review", "rejected")]
    user = scene.user("author@x.org")
    return [scene.role(user, "PROPOSAL.MANAGER", "proposal", proposed, **ENDED) for proposed in proposals]


@pytest.mark.generation("8")
def test_roles_on_submitted_proposals_do_not_expire(scene: Scene) -> None:
    draft, *submitted = _on_proposals(scene)
    outcome = run(scene)
    assert active(scene) == set(submitted)
    assert scene.one(permissions.userrole, id=draft).revoke_reason == "Automatic expiration cleanup task"
    assert told(scene) == ["PROPOSAL.MANAGER Solver {beta}"]
    assert outcome.warnings == []


def test_they_do_expire_on_older_sites(scene: Scene) -> None:
    _on_proposals(scene)
    run(scene)
    assert active(scene) == set()


@pytest.mark.generation("8")
def test_the_log_of_a_resource_and_of_its_organization_tell_of_a_role_on_it(scene: Scene) -> None:
    customer, provider = scene.customer("Acme"), scene.customer("Provider")
    offering = scene.offering(provider, "Cloud")
    resource = scene.resource(scene.project(customer, "Ocean"), offering, None, "vm", backend_id="b")
    scene.role(scene.user("u@x.org", username="u"), "RESOURCE.MEMBER", "resource", resource, system=False, **ENDED)
    outcome = run(scene)
    assert (active(scene), outcome.warnings) == (set(), [])
    event = scene.one(logging.event)
    assert event.message == "User u has lost role of RESOURCE.MEMBER in vm."
    wanted = {
        "scope_type": "resource",
        "scope_name": "vm",
        "scope_backend_id": "b",
        "scope_get_state_display": "OK",
        "scope_backend_type": "None",
        "scope_plan": "None",
        "project_name": "Ocean",
        "customer_name": "Acme",
        "offering_name": "Cloud",
    }
    assert wanted.items() <= event.context.items()
    kind = scene.one(django.content_type, model="resource").id
    feeds = {(feed.content_type_id, feed.object_id) for feed in scene.rows(logging.feed)}
    assert feeds == {(kind, resource), (CUSTOMER, customer)}


def test_a_customer_is_recounted_once_and_only_for_system_roles(scene: Scene) -> None:
    counted_one, custom = scene.customer("Counted"), scene.customer("Custom")
    project = scene.project(counted_one)
    for number in range(3):
        scene.role(scene.user(f"{number}@x.org"), "PROJECT.MEMBER", "project", project, **ENDED)
    scene.role(scene.user("c@x.org"), "PROJECT.GUEST", "project", scene.project(custom), system=False, **ENDED)
    for customer, users in ((counted_one, 3), (custom, 1)):
        scene.add(quotas.quotausage, name="nc_user_count", delta=users, content_type_id=CUSTOMER, object_id=customer)
    run(scene)
    assert [(row.object_id, row.delta) for row in scene.rows(quotas.quotausage)[2:]] == [(counted_one, -3)]
    assert scene.one(analytics.dailyquotahistory).usage == 0


def test_keys_leave_the_tenants_that_a_user_may_no_longer_use(scene: Scene) -> None:
    customer = scene.customer()
    settings = scene.add(structure.servicesettings, customer_id=customer)
    projects = [scene.project(customer, name) for name in ("A", "B")]
    tenants = [scene.add(openstack.tenant, project_id=p, service_settings_id=settings) for p in projects]
    people = {
        name: scene.user(f"{name}@x.org", is_staff=name == "staff") for name in ("owner", "admin", "boss", "staff")
    }
    for name, user in people.items():
        scene.add(core.sshpublickey, user_id=user, name=f"key of {name}", fingerprint_md5=f"md5 {name}")
    scene.role(people["owner"], "CUSTOMER.OWNER", "customer", customer, **ENDED)
    scene.role(people["owner"], "PROJECT.MANAGER", "project", projects[1])
    scene.role(people["admin"], "PROJECT.ADMIN", "project", projects[1], **ENDED)
    scene.role(people["boss"], "PROJECT.ADMIN", "project", projects[0], **ENDED)
    scene.role(people["boss"], "CUSTOMER.OWNER", "customer", customer)
    scene.role(people["staff"], "PROJECT.ADMIN", "project", projects[0], **ENDED)
    run(scene)
    task = "waldur_core.core.tasks.BackendMethodTask"
    assert handed_over(scene) == [
        (task, [f"openstack.tenant:{tenant}", "remove_ssh_key_from_tenant", f"key of {name}", f"md5 {name}"])
        for tenant, name in ((tenants[0], "owner"), (tenants[1], "admin"))
    ]


def test_other_systems_are_told_where_the_site_has_them(scene: Scene) -> None:
    customer = scene.customer()
    project = scene.project(customer)
    user = scene.user("u@x.org", registration_method="eduteams")
    profile = scene.add(freeipa.profile, user_id=user, username="u")
    scene.role(user, "CUSTOMER.SUPPORT", "customer", customer, **ENDED)
    scene.role(user, "CUSTOMER.OWNER", "customer", customer, **ENDED)
    scene.role(user, "PROJECT.ADMIN", "project", project, **ENDED)
    scene.role(user, "PROJECT.GUEST", "project", project, system=False, **ENDED)
    scene.role(scene.user("local@x.org"), "PROJECT.ADMIN", "project", project, **ENDED)
    outside = {
        "WALDUR_FREEIPA": {"ENABLED": True},
        "WALDUR_SLURM": {"ENABLED": True},
        "WALDUR_AUTH_SOCIAL": {"ENABLE_EDUTEAMS_SYNC": True},
    }
    run(scene, waldur=outside)
    remote = "waldur_mastermind.marketplace_remote.update_remote_{}_permissions"
    on_customer, on_project, who = f"structure.customer:{customer}", f"structure.project:{project}", f"core.user:{user}"
    assert handed_over(scene) == [
        ("waldur_freeipa.sync_groups", []),
        ("waldur_slurm.process_role_revoked", [f"waldur_freeipa.profile:{profile}", on_customer]),
        ("waldur_slurm.process_role_revoked", [f"waldur_freeipa.profile:{profile}", on_project]),
        (remote.format("customer"), [on_customer, who, "CUSTOMER.OWNER", False, NOON.isoformat()]),
        (remote.format("project"), [on_project, who, "PROJECT.ADMIN", False, NOON.isoformat()]),
    ]


def test_nothing_is_handed_over_where_the_site_has_no_such_systems(scene: Scene) -> None:
    user = scene.user("u@x.org", identity_source="eduteams")
    scene.add(freeipa.profile, user_id=user, username="u")
    scene.role(user, "PROJECT.ADMIN", "project", scene.project(scene.customer()), **ENDED)
    run(scene, waldur={"WALDUR_FREEIPA": {"ENABLED": True, "GROUP_SYNCHRONIZATION_ENABLED": False}})
    assert handed_over(scene) == []


def hooked(scene: Scene, url: str) -> None:
    """An expired role on a site whose staff has a web hook and an e-mail hook."""
    customer = scene.customer("Acme")
    scene.role(scene.user("leaver@x.org"), "PROJECT.ADMIN", "project", scene.project(customer, "Ocean"), **ENDED)
    staff = scene.user("staff@x.org", is_staff=True)
    hook = {"event_types": ["role_revoked"], "event_groups": [], "is_active": True, "user_id": staff}
    scene.add(logging.webhook, destination_url=url, content_type=1, **hook)
    scene.add(logging.emailhook, email="hook@x.org", **hook)


@pytest.mark.parametrize("killed", ["before the commit", "before the delivery", "never"])
def test_hooks_fire_once_however_often_the_job_runs_or_is_killed(scene: Scene, killed: str) -> None:
    with hook_server(status=500) as web, mail_server() as mail:
        hooked(scene, web.url)
        deployment = scene.deployment(mail={"host": "127.0.0.1", "port": mail.port})
        if killed == "before the commit":
            with pytest.raises(KeyboardInterrupt), scene.site() as site, site.work(ENTRY, NOON) as work:
                revoke_expired_roles(work)
                raise KeyboardInterrupt
            assert len(active(scene)) == 1
        elif killed == "before the delivery":
            run(scene)
        for _ in range(2):
            run(scene)
            delivery.deliver(scene.engine, deployment)
        assert [call["context"]["scope_name"] for call in web.calls] == ["Ocean"]
        assert mail.addresses == ["hook@x.org"]
    assert len(scene.rows(logging.event)) == 1


def test_a_dry_run_reports_and_changes_nothing(scene: Scene) -> None:
    hooked(scene, "http://127.0.0.1:9/")
    outcome = run(scene, dry_run=True)
    assert outcome.rows["permissions_userrole"]["updated"] == 1
    assert (outcome.figures["web hooks"], outcome.figures["mails"]) == (1, 1)
    assert len(active(scene)) == 1
    assert scene.rows(logging.event) == scene.rows(message) == []


def test_statements_do_not_grow_with_the_roles(scene: Scene) -> None:

    def revoke_many(count: int) -> int:
        for number in range(count):
            customer = scene.customer(f"C{number}")
            user = scene.user(f"{count}-{number}@x.org")
            scene.role(user, "OFFERING.MANAGER", "offering", scene.offering(customer), **ENDED)
            scene.role(user, "CUSTOMER.MANAGER", "customer", customer)
            scene.role(user, "PROJECT.ADMIN", "project", scene.project(customer), **ENDED)
        with scene.site() as site, site.work(ENTRY, NOON) as work, counted(work.connection) as statements:
            revoke_expired_roles(work)
        return len(statements)

    assert revoke_many(3) == revoke_many(30)
    assert active(scene) == set()
    assert len(scene.rows(logging.event)) == 99
