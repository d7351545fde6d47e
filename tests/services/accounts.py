"""Accounts at providers, and what a pull of them says."""

from __future__ import annotations

import json
from typing import Any

from tests.openstack.scenes import CloudSite
from waldur_dagster.outcome import Outcome
from waldur_dagster.schema import structure
from waldur_dagster.services.pull import pull_service_properties, pull_service_resources

OK, ERRED = 3, 4


def account(site: CloudSite, type: str, **values: Any) -> int:
    options = json.dumps(values.pop("options", {}))
    return site.scene.add(
        structure.servicesettings, name="far", type=type, is_active=True, options=options, **({"state": OK} | values)
    )


def pull(site: CloudSite, **options: Any) -> Outcome:
    return site.run(pull_service_properties, entry="pull-service-properties", **options)


def pull_resources(site: CloudSite) -> Outcome:
    return site.run(pull_service_resources, entry="pull-service-resources")
