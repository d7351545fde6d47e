"""Makes each notification and document once, on a small site, by the job that sends it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import Text, literal, select

from tests.freeipa_server import freeipa_server
from tests.proposals.scenes import Calls
from tests.scene import Scene
from waldur_dagster.booking.upcoming import remind_of_upcoming_bookings
from waldur_dagster.clients.eduteams import Keys, Person
from waldur_dagster.eduteams.profiles import locked, refresh
from waldur_dagster.invoices.accounting_report import send_accounting_report
from waldur_dagster.invoices.customer_mails import send_customer_invoices
from waldur_dagster.invoices.monthly_report import send_monthly_report
from waldur_dagster.invoices.upcoming_ends import remind_of_upcoming_ends
from waldur_dagster.marketplace.ending_notices import tell_of_ending_projects, tell_of_ending_resources
from waldur_dagster.marketplace.order_mails import tell_providers
from waldur_dagster.marketplace.stale_resources import SWITCH, tell_of_stale_resources
from waldur_dagster.marketplace.team_mails import mail_teams
from waldur_dagster.outbox import delivery
from waldur_dagster.outcome import Outcome
from waldur_dagster.platform.events import log_events
from waldur_dagster.platform.expressions import json_list, json_object
from waldur_dagster.platform.month import Month
from waldur_dagster.policies.classes import PROJECT_COST, Action, Policy
from waldur_dagster.policies.notifications import notify_team
from waldur_dagster.proposals.ended_rounds import cancel_unsubmitted_proposals
from waldur_dagster.remote.update_requests import remind_of_update_requests
from waldur_dagster.schema import (
    constance,
    core,
    invoices,
    logging,
    marketplace,
    marketplace_remote,
    permissions,
    users,
)
from waldur_dagster.users.invitation_delivery import note_deliveries, release_project_invitations
from waldur_dagster.users.invitation_expiry import cancel_expired_invitations, remind_of_pending_invitations
from waldur_dagster.work import Work

NOON = datetime(2025, 3, 10, 12, tzinfo=UTC)
TOMORROW = NOON.date() + timedelta(days=1)
HOME = {"WALDUR_CORE.HOMEPORT_URL": "https://home.example/"}
REPORTING = {"WALDUR_INVOICES": {"INVOICE_REPORTING": {"ENABLE": True, "EMAIL": "books@x.org"}}}
ISSUER = {
    "company": "Issuer",
    "address": "Street 1",
    "country": "Estonia",
    "postal": "10111",
    "phone": {"country_code": "372", "national_number": "555"},
    "bank": "Bank",
    "account": "EE1",
    "vat_code": "EE2",
    "email": "issuer@x.org",
}
CUSTOMER = {
    "abbreviation": "ORG",
    "address": "Lane 2",
    "country": "EE",
    "postal": "10112",
    "phone_number": "556",
    "bank_name": "Bank",
    "bank_account": "EE3",
    "email": "org@x.org",
    "vat_code": "EE4",
    "homepage": "https://org.example",
    "default_tax_percent": 20,
}


class Place:
    """A customer with an owner, a project with a manager, and a resource; all have what a text may show."""

    def __init__(self, scene: Scene, folder: Path):
        self.scene, self.folder = scene, folder
        for key, value in {"SITE_NAME": "Ours", "SITE_EMAIL": "help@x.org", "SITE_PHONE": "557"}.items():
            self.set(key, value)
        self.customer = scene.customer("Org", **CUSTOMER)
        self.owner = scene.owner(self.customer, "owner@x.org", first_name="Ada", last_name="L")
        scene.add(permissions.rolepermission, role_id=scene.one(permissions.role).id, permission="ORDER.APPROVE")
        self.project = scene.project(self.customer, "Alpha", start_date=NOON.date(), end_date=TOMORROW)
        self.offering = scene.offering(self.customer, "Cloud", billable=True)
        self.plan = scene.plan(self.offering, "Small")
        self.resource = scene.resource(self.project, self.offering, self.plan, "vm", end_date=TOMORROW, created=NOON)
        self.manager = scene.user("manager@x.org", first_name="Grace", last_name="H")
        scene.role(self.manager, "PROJECT.MANAGER", "project", self.project)

    def set(self, key: str, value: str) -> None:
        """A setting that administrators keep in the database."""
        kept = constance.config if self.scene.schema.has("constance_config") else constance.constance
        self.scene.add(kept, key=key, value=f'{{"__type__": "default", "__value__": "{value}"}}')

    def run(self, job: Callable[[Work], Any], **waldur: Any) -> Outcome:
        with self.scene.site(waldur=HOME | waldur, media=str(self.folder)) as site:
            with site.work("entry", NOON) as work:
                job(work)
            return site.outcome

    def invite(self, age: timedelta, state: str) -> None:
        self.scene.add(
            users.invitation,
            email="guest@x.org",
            state=state,
            execution_state="Scheduled",
            created=NOON - age,
            customer_id=self.customer,
            role_id=self.scene.one(permissions.role, name="PROJECT.MANAGER").id,
            content_type_id=2,
            object_id=self.project,
            created_by_id=self.owner,
            affiliations=[],
            full_name="New Guest",
            native_name="Uus",
            civil_number="38001",
            phone_number="558",
            organization="Home",
            job_title="Guest",
            extra_invitation_text="Welcome",
        )


def _reminder(place: Place) -> Outcome:
    place.invite(timedelta(days=6.5), "pending")
    return place.run(remind_of_pending_invitations)


def _expired(place: Place) -> Outcome:
    place.invite(timedelta(days=8), "pending")
    return place.run(cancel_expired_invitations)


def _approved(place: Place) -> Outcome:
    place.invite(timedelta(days=1), "project")
    with freeipa_server() as ipa:
        waldur = {"WALDUR_CORE.INVITATION_CREATE_MISSING_USER": True, "WALDUR_FREEIPA.HOSTNAME": ipa.hostname}
        place.run(release_project_invitations, **waldur)
        delivery.deliver(place.scene.engine, place.scene.deployment(waldur=HOME | waldur))
        return place.run(note_deliveries, **waldur)


def _booking(place: Place) -> Outcome:
    scene, slot = place.scene, "2025-03-11T08:00:00Z"
    offering = scene.offering(place.customer, type="Marketplace.Booking")
    slots = {"schedules": [{"id": "1", "start": slot, "end": slot}]}
    room = scene.resource(place.project, offering, None, "Room", attributes=slots)
    place_order(place, room, offering, type=1, state=3)
    return place.run(remind_of_upcoming_bookings)


def place_order(place: Place, resource: int, offering: int, **values: Any) -> int:
    facts = {"project_id": place.project, "created_by_id": place.manager, "plan_id": place.plan, "created": NOON}
    return place.scene.add(
        marketplace.order, resource_id=resource, offering_id=offering, **facts | {"attributes": {}} | values
    )


def _invoice(place: Place) -> Outcome:
    scene = place.scene
    (place.folder / "logo.png").write_bytes(b"picture")
    place.set("SITE_LOGO", "logo.png")
    april = scene.invoice(place.customer, 2025, 4, "created", tax_percent=20, invoice_date=date(2025, 4, 1))
    scene.item(april, 10, project_name="Alpha")
    waldur = {"WALDUR_INVOICES.SEND_CUSTOMER_INVOICES": True, "WALDUR_INVOICES.ISSUER_DETAILS": ISSUER}
    return place.run(lambda work: send_customer_invoices(work, Month(2025, 4, work.zone)), **waldur)


def _accounting(place: Place) -> Outcome:
    return place.run(lambda work: send_accounting_report(work, Month(2025, 4, work.zone)), **REPORTING)


def _contract(place: Place) -> None:
    attributes = {"end_date": "2025-03-24", "contract_number": "C-7", "contract_sum": 100}
    facts = {"payment_type": "fixed_price", "is_active": True, "attributes": attributes}
    profile = place.scene.add(invoices.paymentprofile, organization_id=place.customer, **facts)
    place.scene.add(invoices.payment, profile_id=profile, sum=40)


def _monthly(place: Place) -> Outcome:
    _contract(place)
    other = place.scene.customer("Other", abbreviation="OTH")
    march = place.scene.invoice(other, 2025, 3, tax_percent=20, invoice_date=date(2025, 3, 1))
    place.scene.item(march, 10)
    return place.run(lambda work: send_monthly_report(work, Month.of(NOON, work.zone)), **REPORTING)


def _upcoming_end(place: Place) -> Outcome:
    _contract(place)
    return place.run(remind_of_upcoming_ends)


def _order(place: Place) -> Outcome:
    order = place_order(place, place.resource, place.offering, type=3, state=7)
    chosen = select(literal(order).label("order_id")).subquery()
    return place.run(lambda work: tell_providers(work, chosen))


def _change(key: str, *names: str) -> Callable[[Place], Outcome]:
    def made(place: Place) -> Outcome:
        shown = {"support_email": "help@x.org", "support_phone": "557"}
        told = [literal(shown.get(name, name.replace("_", " ")), Text).label(name) for name in names]
        facts = select(literal(place.resource).label("resource_id"), *told).subquery("facts")
        return place.run(lambda work: mail_teams(work, f"marketplace.marketplace_resource_{key}", facts))

    return made


def _policy(place: Place) -> Outcome:
    fired = Policy(
        PROJECT_COST,
        1,
        uuid4(),
        place.project,
        "Alpha",
        (Action.NOTIFY_TEAM,),
        "10",
        triggered=True,
        has_fired=False,
    )
    return place.run(lambda work: notify_team(work, fired))


def _update_request(place: Place) -> Outcome:
    place.scene.add(
        marketplace_remote.projectupdaterequest,
        state=2,
        created=NOON - timedelta(days=8),
        project_id=place.project,
        offering_id=place.offering,
        created_by_id=place.manager,
        old_name="Alpha",
        new_name="Beta",
    )
    return place.run(remind_of_update_requests)


def _event(place: Place) -> Outcome:
    scene = place.scene
    hook: dict[str, Any] = {"event_types": ["invoice_created"], "event_groups": [], "is_active": True}
    hook["user_id"] = scene.user("s@x.org", is_staff=True)
    if scene.schema.has("logging_basehook"):
        scene.add(logging.emailhook, basehook_ptr_id=scene.add(logging.basehook, **hook), email="hook@x.org")
    else:
        scene.add(logging.emailhook, email="hook@x.org", **hook)
    row = select(
        literal("invoice_created").label("event_type"),
        literal("It happened").label("message"),
        json_object().label("context"),
        json_list(json_list(1, place.customer)).label("feeds"),
    )
    return place.run(lambda work: log_events(work, row))


def _profile(place: Place) -> Outcome:
    options = {"ENABLE_OPERATOR_OWNER_NOTIFICATIONS": True, "OPERATOR_NOTIFICATION_EMAILS": ["ops@x.org"]}
    person = Person("Olga", "Owner", "olga@new.org", [], [], Keys([], whole=True))

    def job(work: Work) -> None:
        account = locked(work, place.owner)
        assert account is not None
        refresh(work, account, person)

    return place.run(job, **{"WALDUR_CORE.NOTIFICATIONS_PROFILE_CHANGES": options})


def _proposal(place: Place) -> Outcome:
    calls = Calls(place.scene)
    calls.proposal(calls.round(cutoff=NOON - timedelta(days=1)), "draft", created_by_id=place.owner)
    return place.run(cancel_unsubmitted_proposals)


UPDATE = ("order_user", "support_email", "support_phone")
MAKERS: dict[str, Callable[[Place], Outcome]] = {
    "users/invitation_created": _reminder,
    "users/invitation_expired": _expired,
    "users/invitation_approved": _approved,
    "booking/notification": _booking,
    "invoices/notification": _invoice,
    "invoices/invoice.html": _invoice,
    "invoices/report_subject.txt": _accounting,
    "invoices/report_body.txt": _accounting,
    "invoices/monthly_invoicing_reports.html": _monthly,
    "invoices/upcoming_ends_notification": _upcoming_end,
    "marketplace/notification_about_project_ending": lambda place: place.run(tell_of_ending_projects),
    "marketplace/notification_about_resource_ending": lambda place: place.run(tell_of_ending_resources),
    "marketplace/notification_about_stale_resources": lambda place: place.run(
        tell_of_stale_resources, **{SWITCH: True}
    ),
    "marketplace/notify_provider_about_pending_order": _order,
    **{
        f"marketplace/marketplace_resource_{key}": _change(key)
        for key in ("create_succeeded", "create_failed", "update_failed", "terminate_succeeded", "terminate_failed")
    },
    "marketplace/marketplace_resource_update_succeeded": _change(
        "update_succeeded", *UPDATE, "resource_old_plan", "resource_plan"
    ),
    "marketplace/marketplace_resource_update_limits_succeeded": _change(
        "update_limits_succeeded", *UPDATE, "resource_old_limits", "resource_limits"
    ),
    "marketplace_remote/notification_about_pending_project_updates": _update_request,
    "marketplace_policy/notification_about_project_cost_exceeded_limit": _policy,
    "structure/notifications_profile_changes_operator": _profile,
    "logging/email.html": _event,
    "proposal/proposal_cancelled": _proposal,
}


def make(scene: Scene, folder: Path, name: str) -> Outcome:
    """Have the job write the mail or document with this text; the notification is switched on."""
    key = "invoices/notification" if name == "invoices/invoice.html" else name
    if not key.endswith((".txt", ".html")):
        scene.add(core.notification, key=key.replace("/", ".", 1), enabled=True)
    return MAKERS[name](Place(scene, folder))
