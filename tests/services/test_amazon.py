"""Amazon accounts: regions, sizes, and what becomes of images whatever Amazon answers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.loopback import serving
from tests.openstack.scenes import CloudSite
from tests.openstack.test_providers import sold
from tests.scene import Scene
from tests.services.accounts import ERRED, OK, account, pull, pull_resources
from waldur_dagster.schema import aws, structure

SECRET = "geheim-amazon"
NAMESPACE = 'xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"'
Answer = Callable[[dict[str, str]], tuple[int, Any]]


def described(images: dict[str, str | None]) -> bytes:
    items = "".join(
        f"<item><imageId>{id}</imageId>{'' if name is None else f'<name>{name}</name>'}</item>"
        for id, name in images.items()
    )
    return f"<DescribeImagesResponse {NAMESPACE}><imagesSet>{items}</imagesSet></DescribeImagesResponse>".encode()


def refused(code: str) -> bytes:
    return f"<Response><Errors><Error><Code>{code}</Code><Message>no</Message></Error></Errors></Response>".encode()


@contextmanager
def amazon(monkeypatch: pytest.MonkeyPatch, answer: Answer) -> Iterator[list[dict[str, str]]]:
    """EC2 on loopback; gives the calls that it gets."""
    calls: list[dict[str, str]] = []

    def ask(*, body: dict[str, str], **_: Any) -> tuple[int, Any]:
        calls.append(body)
        return answer(body)

    with serving({("POST", "/"): ask}) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", url)
        yield calls


def site_with_images(scene: Scene, *ids: str) -> CloudSite:
    site = CloudSite(scene)
    account(site, "Amazon", username="AKIA", token=SECRET, state=ERRED, error_message="old")
    region = scene.add(aws.region, name="EU (Frankfurt)", backend_id="eu-central-1")
    for id in ids:
        scene.add(aws.image, name="old", backend_id=id, region_id=region)
    return site


def names(scene: Scene) -> dict[str, str]:
    return {row.backend_id: row.name for row in scene.rows(aws.image)}


@pytest.mark.parametrize("generation", ["2024-10", "8"])
def test_regions_sizes_and_images(scene: Scene, generation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    site = site_with_images(scene, "ami-1", "ami-gone", "ami-nameless")
    if generation == "8":
        sold(site, scene.one(structure.servicesettings).id)
    with amazon(monkeypatch, lambda _: (200, described({"ami-1": "Debian 12", "ami-nameless": None}))) as calls:
        pull(site)
        assert scene.one(structure.servicesettings).error_message == ""
        assert dict(pull(site).rows) == {}
    assert names(scene) == {"ami-1": "Debian 12"}
    assert len(scene.rows(aws.region)) == 11
    small = scene.one(aws.size, backend_id="m3.large")
    assert (small.cores, small.ram, small.disk, small.price > 0) == (2, 7680, 32 * 1024, True)
    linked = {row.region_id for row in scene.rows(aws.size_regions) if row.size_id == small.id}
    assert scene.one(aws.region, backend_id="us-east-1").id in linked
    row = scene.one(structure.servicesettings)
    assert (row.state, row.error_message) == (OK, "")
    (call, _) = calls
    assert (call["Owner.1"], call["Owner.2"]) == ("amazon", "aws-marketplace")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((401, refused("AuthFailure")), "AuthFailure"),
        ((403, refused("UnauthorizedOperation")), "HTTP 403"),
        ((503, refused("ServiceUnavailable")), "HTTP 503"),
        ((200, b"<html>busy"), "no XML"),
        ((200, f"<DescribeImagesResponse {NAMESPACE}/>".encode()), "no list of images"),
    ],
)
def test_an_answer_that_is_none_deletes_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, answer: Any, said: str
) -> None:
    site = site_with_images(scene, "ami-1")
    with amazon(monkeypatch, lambda _: answer):
        outcome = pull(site)
    row = scene.one(structure.servicesettings)
    assert (names(scene), row.state) == ({"ami-1": "old"}, ERRED)
    assert said in row.error_message
    assert SECRET not in row.error_message + str(outcome.warnings) + str(outcome.failures)


def test_amazon_that_cannot_be_reached_deletes_nothing(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    site = site_with_images(scene, "ami-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", "http://127.0.0.1:9")
    pull(site)
    assert names(scene) == {"ami-1": "old"}
    assert "was not answered" in scene.one(structure.servicesettings).error_message


def test_hourly_pulls_leave_it_alone(scene: Scene) -> None:
    """Nothing is pulled of it there, so nothing is known of it: it stays erred until the daily pull."""
    site = site_with_images(scene)
    pull_resources(site)
    assert scene.one(structure.servicesettings).state == ERRED


def test_a_library_that_is_missing_here_does_not_make_the_account_erred(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = site_with_images(scene, "ami-1")
    monkeypatch.setitem(sys.modules, "boto3", None)
    outcome = pull(site)
    (failure,) = outcome.failures
    assert "waldur-dagster[amazon]" in failure.problem
    assert scene.one(structure.servicesettings).error_message == "old"


def test_many_images_are_asked_for_in_parts(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    site = site_with_images(scene, *(f"ami-{n}" for n in range(450)))

    def answer(body: dict[str, str]) -> tuple[int, Any]:
        asked = [value for name, value in body.items() if name.startswith("Filter.1.Value")]
        return 200, described({id: f"name of {id}" for id in asked})

    with amazon(monkeypatch, answer) as calls:
        pull(site)
    assert (len(calls), names(scene)["ami-449"]) == (3, "name of ami-449")
