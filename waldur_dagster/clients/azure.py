"""Azure's resource manager (spec openstack, pull-service-properties).

The library logs in; lists are read here, since its own take an answer without a list for an empty one, and carry the
token wherever a link to the next page leads.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from waldur_dagster.clients.closing import Closing
from waldur_dagster.clients.failures import Incomplete, LoginRefused, NotFound, SystemFailed, without_secrets
from waldur_dagster.clients.json_api import JsonApi, pinned
from waldur_dagster.clients.listing import Page, by_link, complete, items_of
from waldur_dagster.clients.requests_calls import library, make_patient

EXTRA = "azure"
SUBSCRIPTIONS, RESOURCES, COMPUTE, SKUS = "2022-12-01", "2021-04-01", "2024-07-01", "2021-07-01"  # versions of the API


class Azure(Closing):
    """One subscription, with the login of one application.

    Raises LoginRefused, NotFound, ItemFailed, SystemFailed, and Incomplete for lists.
    """

    def __init__(self, options: dict[str, str], login_url: str, api_url: str):
        """``options`` are tenant_id, client_id, client_secret and subscription_id; the addresses are of the cloud."""
        self._secret = options["client_secret"]
        token = self._token(options, login_url, api_url)
        self._api = JsonApi(
            f"{api_url.rstrip('/')}/subscriptions/{options['subscription_id']}",
            headers={"Authorization": f"Bearer {token}"},
            secrets=[self._secret, token],
        )

    def locations(self) -> list[dict[str, Any]]:
        """The locations of the subscription: name, displayName, metadata."""
        return self._listed("locations", SUBSCRIPTIONS, "name")

    def locations_of_groups(self) -> set[str]:
        """Display names of the locations in which a resource group may be."""
        known = self._api.get("providers/Microsoft.Resources", **{"api-version": RESOURCES})
        kinds = items_of(known, "resourceTypes")
        return {name for kind in kinds if kind["resourceType"] == "resourceGroups" for name in kind["locations"]}

    def sizes(self, location: str) -> list[dict[str, Any]]:
        """Sizes of virtual machines: name, numberOfCores, memoryInMB ..."""
        return self._listed(f"providers/Microsoft.Compute/locations/{location}/vmSizes", COMPUTE, "name")

    def zones(self, location: str) -> dict[str, set[int]]:
        """The zones of a location in which a size can be had, by the name of the size."""
        found: dict[str, set[int]] = {}
        for sku in self._skus(location):
            if sku.get("resourceType") == "virtualMachines":
                for place in sku.get("locationInfo") or []:
                    if place["location"].lower() == location.lower():
                        found.setdefault(sku["name"], set()).update(int(zone) for zone in place.get("zones") or [])
        return found

    def images(self, location: str, publisher: str) -> Iterator[dict[str, str]]:
        """Images of a publisher, read only as far as the caller goes: id, offer, sku, version."""
        place = f"providers/Microsoft.Compute/locations/{location}/publishers/{publisher}/artifacttypes/vmimage/offers"
        try:
            offers = self._names(place)
        except NotFound:  # the publisher has nothing in this location
            return
        for offer, _ in offers:
            for sku, _ in self._names(f"{place}/{offer}/skus"):
                for version, id in self._names(f"{place}/{offer}/skus/{sku}/versions"):
                    yield {"id": id, "offer": offer, "sku": sku, "version": version}

    def close(self) -> None:
        self._api.close()

    def _listed(self, path: str, version: str, key: str) -> list[dict[str, Any]]:
        return complete(path.rpartition("/")[2], by_link(self._page, f"{path}?api-version={version}"), lambda i: i[key])

    def _skus(self, location: str) -> list[dict[str, Any]]:
        first = f"providers/Microsoft.Compute/skus?api-version={SKUS}&$filter=location eq '{location}'"
        return complete("skus", by_link(self._page, first), lambda sku: (sku["resourceType"], sku["name"]))

    def _page(self, address: str) -> Page:
        answer = self._api.get(address)
        following = answer.get("nextLink") if isinstance(answer, dict) else None
        return Page(items_of(answer, "value"), None, following and pinned(self._api.url, following))

    def _names(self, path: str) -> list[tuple[str, str]]:
        """Names and ids of a list that Azure gives bare and whole."""
        answer = self._api.get(path, **{"api-version": COMPUTE})
        if not isinstance(answer, list):
            raise Incomplete(f"the answer to GET {path} is no list")
        return [(item["name"], item["id"]) for item in answer]

    def _token(self, options: dict[str, str], login_url: str, api_url: str) -> str:
        import requests

        with library(EXTRA):
            from azure.core.exceptions import AzureError, ClientAuthenticationError
            from azure.core.pipeline.transport import RequestsTransport
            from azure.identity import ClientSecretCredential

        # It warns with all that a login was answered, which may repeat the secret; here it is told without.
        logging.getLogger("azure.identity").setLevel(logging.CRITICAL)
        session = make_patient(requests.Session())
        try:
            with ClientSecretCredential(
                options["tenant_id"],
                options["client_id"],
                options["client_secret"],
                authority=login_url,
                disable_instance_discovery=True,
                transport=RequestsTransport(session=session, session_owner=False),
                retry_total=0,
            ) as credential:
                return str(credential.get_token(f"{api_url.rstrip('/')}/.default").token)
        except ClientAuthenticationError as error:
            raise LoginRefused(f"Azure refuses the login: {self._covered(error)}") from None
        except (AzureError, requests.RequestException) as error:
            raise SystemFailed(f"the login at Azure was not answered: {self._covered(error)}") from None
        finally:
            session.close()

    def _covered(self, error: Exception) -> str:
        return without_secrets(" ".join(str(error).split())[:300], [self._secret])
