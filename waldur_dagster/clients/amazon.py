"""Amazon EC2: the sizes that it is known to have, and the names of images (spec pull-service-properties).

Sizes and their prices come with libcloud, whose tables Waldur has always taken; images are asked for with boto3.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from waldur_dagster.clients.failures import (
    Incomplete,
    ItemFailed,
    LoginRefused,
    SystemFailed,
    failure_of,
    without_secrets,
)
from waldur_dagster.clients.patience import ATTEMPTS, time_left
from waldur_dagster.clients.requests_calls import library, make_patient, understood

EXTRA = "amazon"
OWNERS = ("amazon", "aws-marketplace")
MOST_VALUES = 200  # of one filter
REFUSED = frozenset({"AuthFailure", "InvalidClientTokenId", "SignatureDoesNotMatch", "UnrecognizedClientException"})


@dataclass(frozen=True)
class Size:
    """A size of virtual machines: cores, memory (MiB), disk (GiB), dollars an hour for each region that has it.

    Where nobody knows the price in a region it is None.
    """

    name: str
    cores: int
    ram: int
    disk: int
    prices: dict[str, float | None]


def known_sizes(regions: Sequence[str]) -> list[Size]:
    """All sizes of these regions, as of the release of libcloud; regions that it does not know have none."""
    with library(EXTRA):
        from libcloud.compute.constants.ec2_instance_types import INSTANCE_TYPES
        from libcloud.compute.constants.ec2_region_details_complete import REGION_DETAILS
        from libcloud.pricing import get_size_price

    def price(name: str, region: str) -> float | None:
        try:
            return get_size_price("compute", "ec2_linux", name, region)
        except KeyError:
            return None

    found: dict[str, Size] = {}
    for region in regions:
        for name in REGION_DETAILS.get(region, {}).get("instance_types", []):
            facts: Any = INSTANCE_TYPES[name]
            cores = int(facts.get("extra", {}).get("vcpu") or 1)
            size = found.setdefault(name, Size(name, cores, int(facts["ram"]), int(facts["disk"]), {}))
            size.prices[region] = price(name, region)
    return list(found.values())


class Amazon:
    """One account. Raises LoginRefused, ItemFailed, SystemFailed with Amazon's own words, and Incomplete."""

    def __init__(self, key: str, secret: str):
        import requests

        with library(EXTRA):
            import boto3

        self._secret = secret
        self._http = make_patient(requests.Session())
        self._session = boto3.Session(aws_access_key_id=key, aws_secret_access_key=secret)

    def image_names(self, region: str, images: Sequence[str]) -> dict[str, str]:
        """The names of those of these images that the region still offers; one without a name has the name ""."""
        found = {}
        with self._understood(f"DescribeImages in {region}"):
            client = self._client(region)
            pages = client.get_paginator("describe_images")
            for start in range(0, len(images), MOST_VALUES):
                chosen = {
                    "image-id": list(images[start : start + MOST_VALUES]),
                    "virtualization-type": ["hvm"],
                    "image-type": ["machine"],
                }
                filters = [{"Name": name, "Values": values} for name, values in chosen.items()]
                for page in pages.paginate(Owners=list(OWNERS), Filters=filters):
                    if not isinstance(page.get("Images"), list):
                        raise Incomplete(f"the answer to DescribeImages in {region} has no list of images")
                    found.update({image["ImageId"]: image.get("Name") or "" for image in page["Images"]})
                    time_left()
        return found

    def close(self) -> None:
        self._http.close()

    def _client(self, region: str) -> Any:
        from botocore.config import Config

        retries = Config(retries={"mode": "standard", "total_max_attempts": ATTEMPTS})
        client = self._session.client("ec2", region_name=region, config=retries)
        client.meta.events.register("before-send.ec2", self._sent)
        return client

    def _sent(self, request: Any, **_: Any) -> Any:
        """The answer to a call, in the place of the library's own way, on which one may drip or never end."""
        from botocore.awsrequest import AWSResponse

        with understood(f"{request.method} {request.url}", [self._secret]):
            answer = self._http.request(
                request.method, request.url, data=request.body, headers=dict(request.headers), allow_redirects=False
            )
        body = SimpleNamespace(stream=lambda: [answer.content])
        return AWSResponse(answer.url, answer.status_code, answer.headers, body)

    @contextmanager
    def _understood(self, what: str) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        try:
            yield
        except ClientError as error:
            answer = error.response
            said = answer.get("Error", {})
            status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
            words = self._covered(f"{what} was answered with HTTP {status}: {said.get('Code')}: {said.get('Message')}")
            raise LoginRefused(words) if said.get("Code") in REFUSED else failure_of(status, words) from None
        except ResponseParserError as error:
            raise ItemFailed(f"{what} was answered with no XML: {self._covered(str(error))[:200]}") from None
        except BotoCoreError as error:
            raise SystemFailed(f"{what} was not answered: {self._covered(str(error))}") from None

    def _covered(self, words: str) -> str:
        return without_secrets(words, [self._secret])
