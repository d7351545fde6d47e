"""What the jobs do, step by step, on a site that has work for each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Engine, text

from assets import FIRST, UTC, entry_assets
from assets.partitions import days, months
from jobs import core, invoices, marketplace, quotas
from tests.scene import Scene
from tests.structure.cloud import NOW, Cloud
from waldur_dagster.deployment import Deployment
from waldur_dagster.functions import Function
from waldur_dagster.marketplace.states import OrderType, ResourceState
from waldur_dagster.platform.month import Month
from waldur_dagster.platform.plugin_resources import CREATING
from waldur_dagster.schema import django, permissions, users
from waldur_dagster.schema import invoices as invoices_schema
from waldur_dagster.work import Work

Step = Callable[[Work], Any]
# They wait for outside systems, as what goes item by item does; tests with such systems run them.
WITH_OUTSIDE_SYSTEMS = {"send_telemetry", "waldur-marketplace-script-pull-resources", "core-reset-updating-resources"}


def steps() -> Mapping[str, Step]:
    """The steps of all entries by name, each to be done in a transaction of its own."""
    found: dict[str, Step] = {}
    for module in (core, marketplace, invoices, quotas):
        found |= {name: do for name, do in getattr(module, "WORK", {}).items() if name not in WITH_OUTSIDE_SYSTEMS}
    found["send-notifications-about-upcoming-ends"] = Function(
        "waldur_dagster.invoices.upcoming_ends:remind_of_upcoming_ends"
    )
    found["check-polices"] = Function("waldur_dagster.policies.evaluation:check_policies")
    found["send-scheduled-broadcast-notifications"] = Function("waldur_dagster.notifications.broadcasts:put_broadcasts")
    found["process-pending-project-invitations"] = Function(
        "waldur_dagster.users.invitation_delivery:release_project_invitations"
    )
    for asset in entry_assets(months(UTC, FIRST), days(FIRST)):
        for number, step in enumerate(asset.steps, 1):
            if step.item_by_item:  # it visits outside systems
                continue
            name = asset.entry if len(asset.steps) == 1 else f"{asset.entry} {number}"
            found[name] = _of_partition(step.do, step.of)
    return found


def _of_partition(do: Function, of: str | None) -> Step:
    def step(work: Work) -> Any:
        if of is None:
            return do(work)
        return do(work, Month.of(work.as_of, work.zone) if of == "month" else work.as_of.date())

    return step


def small_site(engine: Engine) -> Deployment:
    """Fill an empty, migrated database with three organizations of each kind of work; returns its deployment."""
    scene = Scene(engine)
    for name in ("One", "Two", "Three"):
        _organization(scene, name)
    cloud = Cloud(scene)
    for _ in range(3):
        bought = cloud.bought(cloud.volume(CREATING), ResourceState.CREATING)
        cloud.order(bought, OrderType.CREATE, modified=NOW)
    with engine.begin() as connection:  # jobs that block each other are found out at once
        connection.execute(text(f"ALTER DATABASE \"{engine.url.database}\" SET deadlock_timeout = '50ms'"))
    return scene.deployment()


def _organization(scene: Scene, name: str) -> None:
    owner = scene.customer(name, default_tax_percent=20)
    user = scene.user(f"{name}@example.org")
    scene.role(user, "CUSTOMER.OWNER", "customer", owner, expiration_time=NOW)
    offering = scene.offering(owner, f"Machines of {name}")
    plan = scene.plan(offering)
    scene.price(plan, scene.component(offering), 10)
    scene.price(plan, scene.component(offering, "ram", "limit"), 2)
    project = scene.project(owner, f"Project of {name}", end_date=NOW.date())
    limits = {"ram": 4}
    scene.resource(project, offering, plan, name, limits=limits, end_date=NOW.date())
    scene.item(scene.invoice(owner, 2025, 5), 10, project_id=project)
    scene.add(invoices_schema.customercredit, customer_id=owner, value=3, minimal_consumption_logic="fixed")
    scene.add(invoices_schema.projectcredit, project_id=project, value=1)
    scene.add(
        invoices_schema.paymentprofile,
        organization_id=owner,
        payment_type="invoices",
        is_active=True,
        attributes={"end_date": "2025-07-01", "contract_number": name},
    )
    content_type = scene.one(django.content_type, model="customer").id
    role = scene.rows(permissions.role)[0].id
    invited = {"email": f"guest@{name}.org", "state": "pending", "created": NOW, "created_by_id": user}
    scene.add(
        users.invitation, customer_id=owner, content_type_id=content_type, object_id=owner, role_id=role, **invited
    )
