"""Sites that buy at remote Waldurs, for the tests of the remote family."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from tests.remote.remote_waldur import RemoteWaldur, uuid_of
from tests.scene import Scene
from waldur_dagster.outcome import Outcome
from waldur_dagster.schema import django
from waldur_dagster.site import Transactions

NOW = datetime(2025, 3, 10, 9, 30, tzinfo=UTC)
OFFERING, PLAN, RESOURCE, USER, ORGANIZATION = 1, 2, 3, 6, 0xC0


class RemoteSite:
    """A site that resells offerings of remotes."""

    def __init__(self, scene: Scene):
        self.scene = scene
        self.provider = scene.customer("Provider")
        if not scene.rows(django.content_type, app_label="marketplace", model="robotaccount"):
            scene.add(django.content_type, app_label="marketplace", model="robotaccount")

    def offering(self, remote: RemoteWaldur, number: int = 1, **values: Any) -> int:
        """An active offering that is bought at a remote, where it has the uuid of this number."""
        secrets = {
            "api_url": remote.api_url,
            "token": remote.token,
            "customer_uuid": uuid_of(ORGANIZATION, 1),
        }
        facts = {"secret_options": secrets, "backend_id": uuid_of(OFFERING, number), "state": 2}
        return self.scene.offering(
            self.provider, f"Offering {number}", "Waldur.RemoteOffering", **facts | {"plugin_options": {}} | values
        )

    def run(self, job: Any, *, entry: str = "entry", at: datetime = NOW, **document: Any) -> Outcome:
        """What a job has done that opens several transactions."""
        with self.scene.site(**document) as site:
            transactions: Transactions = site.transactions(entry, at)
            job(transactions)
            return site.outcome


def offering_document(number: int = 1, **values: Any) -> dict[str, Any]:
    """What a remote says of an offering without components and plans."""
    facts: dict[str, Any] = {
        "uuid": uuid_of(OFFERING, number),
        "name": f"Offering {number}",
        "description": "",
        "full_description": "",
        "terms_of_service": "",
        "terms_of_service_link": "",
        "privacy_policy_link": "",
        "getting_started": "",
        "integration_guide": "",
        "country": "",
        "options": {},
        "resource_options": {},
        "plugin_options": {},
        "components": [],
        "plans": [],
        "endpoints": [],
        "thumbnail": None,
        "state": "Active",
    }
    return json.loads(json.dumps(facts | values))


def component_document(type: str, **values: Any) -> dict[str, Any]:
    facts = {
        "type": type,
        "name": type.upper(),
        "description": "",
        "article_code": "",
        "measured_unit": "",
        "billing_type": "usage",
        "min_value": None,
        "max_value": None,
        "is_boolean": False,
        "default_limit": None,
        "limit_period": None,
        "limit_amount": None,
    }
    return facts | values


def plan_document(number: int = 1, **values: Any) -> dict[str, Any]:
    facts = {
        "uuid": uuid_of(PLAN, number),
        "name": f"Plan {number}",
        "description": "",
        "article_code": "",
        "archived": False,
        "unit": "month",
        "unit_price": 0.0,
        "prices": {},
        "quotas": {},
    }
    return facts | values
