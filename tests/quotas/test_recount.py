"""Recounting quotas: what counts, what is corrected, and what one failure leaves untouched."""

from __future__ import annotations

import time
from datetime import date, datetime
from threading import Event, Thread
from typing import Any

import pytest
from sqlalchemy import func, insert, literal, select, text

from tests.scene import Scene
from tests.statements import counted
from waldur_dagster.platform.quota_usage import recount_users
from waldur_dagster.quotas import recount
from waldur_dagster.quotas.fields import FIELDS, STANDARD_FIELDS, Kind
from waldur_dagster.schema import analytics, django, marketplace, openstack, permissions, quotas, slurm, structure
from waldur_dagster.site import AlreadyRunning

NOW = datetime.fromisoformat("2025-03-10T23:30:00-02:00")  # the eleventh in UTC
CUSTOMER, PROJECT, OFFERING = 1, 2, 3


def _type(scene: Scene, app_label: str, model: str) -> int:
    found = scene.rows(django.content_type, app_label=app_label, model=model)
    return found[0].id if found else scene.add(django.content_type, app_label=app_label, model=model)


def _log(scene: Scene, name: str, scope: int, *deltas: int, content_type: int = CUSTOMER) -> None:
    for delta in deltas:
        scene.add(quotas.quotausage, name=name, delta=delta, object_id=scope, content_type_id=content_type)


def _usage(scene: Scene) -> dict[tuple[str, int, int], int]:
    """The raw sums of the log, without those that are 0."""
    log = quotas.quotausage
    with scene.engine.connect() as connection:
        rows = connection.execute(
            select(log.c.name, log.c.content_type_id, log.c.object_id, func.sum(log.c.delta)).group_by(
                log.c.name, log.c.content_type_id, log.c.object_id
            )
        )
        return {(name, kind, scope): int(total) for name, kind, scope, total in rows if total}


def _recount(scene: Scene, *, dry_run: bool = False) -> Any:
    with scene.site(dry_run=dry_run) as site:
        with site.work(recount.STANDARD, NOW) as work:
            recount.recount_standard_quotas(work)
        with site.work(recount.CUSTOM, NOW) as work:
            recount.recount_custom_quotas(work)
        return site.outcome


def _cloud(scene: Scene, project: int, number: int = 1) -> int:
    """A tenant with so many servers of 2 cores and disks of 10, and an allocation; returns the tenant."""
    settings = scene.add(structure.servicesettings, name="Cloud", type="OpenStack")
    where = {"project_id": project, "service_settings_id": settings}
    tenant = scene.add(openstack.tenant, **where)
    for _ in range(number):
        scene.add(openstack.instance, tenant_id=tenant, cores=2, ram=512, **where)
        scene.add(openstack.volume, tenant_id=tenant, size=10, **where)
        scene.add(openstack.snapshot, tenant_id=tenant, size=10, **where)
    scene.add(slurm.allocation, **where)
    return tenant


def test_rows_columns_and_tenants_are_counted_for_project_and_customer(scene: Scene) -> None:
    customer = scene.customer()
    project, removed = scene.project(customer), scene.project(customer, is_removed=True)
    tenant_type = _type(scene, "openstack", "tenant")
    _log(scene, "vcpu", _cloud(scene, project, 2), 5, -1, content_type=tenant_type)
    _log(scene, "vcpu", _cloud(scene, removed), -3, content_type=tenant_type)
    _recount(scene)
    usage = _usage(scene)
    assert {name: usage.get((name, CUSTOMER, customer), 0) for name in ("nc_project_count", "nc_resource_count")} == {
        "nc_project_count": 1,
        "nc_resource_count": 13,
    }
    assert usage["nc_resource_count", PROJECT, project] == 8
    assert usage["os_cpu_count", CUSTOMER, customer] == 6
    assert usage["os_storage_size", PROJECT, project] == 40
    assert usage["nc_allocation_count", PROJECT, removed] == 1
    assert usage["vpc_cpu_count", CUSTOMER, customer] == 4
    assert ("vpc_cpu_count", PROJECT, removed) not in usage


def test_sums_below_zero_heal_at_once_and_what_is_right_gets_no_row(scene: Scene) -> None:
    customer = scene.customer()
    scene.project(customer)
    empty = scene.customer("Empty")
    _log(scene, "nc_project_count", customer, -4)
    _log(scene, "nc_project_count", empty, -2)
    _recount(scene)
    rows = len(scene.rows(quotas.quotausage))
    assert _usage(scene) == {("nc_project_count", CUSTOMER, customer): 1}
    _recount(scene)
    assert len(scene.rows(quotas.quotausage)) == rows


def test_users_and_active_offerings_are_counted_and_users_kept_for_the_utc_day(scene: Scene) -> None:
    category_type = _type(scene, "marketplace", "category")
    customer = scene.customer()
    project = scene.project(customer)
    owner = scene.owner(customer, "a@example.org")
    role = scene.rows(permissions.role)[0].id
    member = scene.user("b@example.org", is_active=False)
    for user, active in ((owner, True), (member, True), (scene.user("c@example.org"), False)):
        scene.add(
            permissions.userrole,
            user_id=user,
            role_id=role,
            content_type_id=PROJECT,
            object_id=project,
            is_active=active,
        )
    for state in (1, 2, 3):
        scene.offering(customer, state=state)
    _recount(scene)
    sold = scene.one(marketplace.offering, state=2)
    assert _usage(scene)["nc_user_count", CUSTOMER, customer] == 2
    assert _usage(scene)["offering_count", category_type, sold.category_id] == 1
    (kept,) = scene.rows(analytics.dailyquotahistory)
    assert (kept.name, kept.object_id, kept.usage, kept.date) == ("nc_user_count", customer, 2, date(2025, 3, 11))


def test_plugins_that_are_not_there_are_left_out(scene: Scene) -> None:
    customer = scene.customer()
    _cloud(scene, scene.project(customer))
    _log(scene, "os_cpu_count", customer, 7)
    with scene.engine.begin() as connection:
        connection.execute(text("DROP TABLE openstack_instance, waldur_aws_instance CASCADE"))
    outcome = _recount(scene)
    assert outcome.failures == []
    assert _usage(scene)["nc_resource_count", CUSTOMER, customer] == 4
    assert _usage(scene)["os_cpu_count", CUSTOMER, customer] == 7


def test_a_quota_that_fails_is_told_and_the_others_are_recounted(scene: Scene) -> None:
    customer = scene.customer()
    _cloud(scene, scene.project(customer))
    with scene.engine.begin() as connection:
        connection.execute(text("ALTER TABLE openstack_volume DROP COLUMN size CASCADE"))
    outcome = _recount(scene)
    assert [f.item for f in outcome.failures] == [
        "quota os_storage_size of structure.customer",
        "quota os_storage_size of structure.project",
    ]
    assert _usage(scene)["nc_allocation_count", CUSTOMER, customer] == 1
    assert _usage(scene)["nc_resource_count", CUSTOMER, customer] == 5


def test_users_that_cannot_be_counted_leave_offerings_counted(scene: Scene) -> None:
    _type(scene, "marketplace", "category")
    scene.offering(scene.customer(), state=2)
    with scene.engine.begin() as connection:
        connection.execute(text("ALTER TABLE permissions_userrole DROP COLUMN user_id CASCADE"))
    outcome = _recount(scene)
    assert [f.item for f in outcome.failures] == ["quota nc_user_count of structure.customer"]
    assert {name for name, _, _ in _usage(scene)} == {"offering_count"}


def test_plain_quotas_and_the_log_of_what_is_gone_are_left_alone(scene: Scene) -> None:
    customer, gone = scene.customer(), 9999
    _log(scene, "nc_cpu_usage", customer, -5)
    _log(scene, "nc_project_count", gone, 7)
    _log(scene, "nc_project_count", customer, 2, content_type=PROJECT)
    before = scene.rows(quotas.quotausage)
    _recount(scene)
    assert scene.rows(quotas.quotausage) == before


def test_a_dry_run_tells_the_corrections_and_makes_none(scene: Scene) -> None:
    scene.project(scene.customer())
    outcome = _recount(scene, dry_run=True)
    assert outcome.figures["corrected nc_project_count of structure.customer"] == 1
    assert scene.rows(quotas.quotausage) == []


def test_a_run_beside_another_of_its_entry_is_refused(scene: Scene) -> None:
    scene.project(scene.customer())
    with scene.site() as site, site.work(recount.STANDARD, NOW) as work:
        recount.recount_standard_quotas(work)
        with pytest.raises(AlreadyRunning, match=recount.STANDARD):
            _recount(scene)
    assert sum(_usage(scene).values()) == 1


def test_corrections_that_overlap_under_different_entries_are_made_once(scene: Scene) -> None:
    """The second waits until the first has committed, and then finds nothing to correct."""
    customer = scene.customer()
    member = scene.owner(customer, "a@example.org")
    scene.role(member, "PROJECT.MEMBER", "project", scene.project(customer), system=False)
    started, figures = Event(), {}

    def revoke() -> None:
        """What a job about roles does, which has another lock than update-custom-quotas."""
        with scene.site() as site, site.work("waldur-core-expired-roles", NOW) as work:
            customers = select(literal(customer).label("customer_id")).subquery()
            started.set()
            figures["second"] = recount_users(work, customers)

    second = Thread(target=revoke)
    with scene.site() as site, site.work(recount.CUSTOM, NOW) as work:
        recount.recount_custom_quotas(work)
        second.start()
        started.wait(timeout=30)
        _until_somebody_waits(scene)
    second.join(timeout=30)
    assert figures == {"second": 0}
    assert _usage(scene) == {("nc_user_count", CUSTOMER, customer): 1}


def _until_somebody_waits(scene: Scene) -> None:
    waiting = text(
        "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
        " WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()"
    )
    for _ in range(300):
        with scene.engine.connect() as connection:
            if connection.scalar(waiting):
                return
        time.sleep(0.1)
    raise AssertionError("the second correction did not wait for the first")


def test_the_number_of_statements_does_not_grow_with_the_site(scene: Scene) -> None:
    def statements(customers: int) -> int:
        for _ in range(customers):
            project = scene.project(scene.customer())
            with scene.engine.begin() as connection:
                connection.execute(insert(quotas.quotausage).values(_wrong(project)))
        with scene.site() as site, site.work(recount.STANDARD, NOW) as work:
            # What is read once for each run is read before.
            work.content_types, work.schema.tables  # noqa: B018
            with counted(work.connection) as sent:
                recount.recount(work, FIELDS)
        return len(sent)

    def _wrong(project: int) -> dict[str, Any]:
        return {"name": "nc_resource_count", "delta": 5, "object_id": project, "content_type_id": PROJECT}

    assert statements(2) == statements(20)


def test_every_quota_that_is_not_plain_has_something_that_counts() -> None:
    for field in FIELDS:
        assert bool(field.sources) == (field.kind is not Kind.PLAIN), str(field)
    names = [str(field) for field in FIELDS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("model", "number"), [("customer", 11), ("project", 10), ("offering", 1)])
def test_as_many_quotas_are_recounted_as_are_documented(model: str, number: int) -> None:
    assert sum(f.scope.model == model and f.kind is not Kind.PLAIN for f in STANDARD_FIELDS) == number
