"""Runs that are killed in the middle, and two at once: nothing is doubled, and the next run ends the work."""

from __future__ import annotations

import json
import os
import signal
import threading

import pytest

from tests.freeipa.scenes import ENTRIES, NOW, profile, run, settings, uuid_of
from tests.freeipa_server import freeipa_server
from tests.processes import started, wait_until_killed
from tests.scene import Scene
from waldur_dagster.freeipa.entries import sync_groups
from waldur_dagster.site import AlreadyRunning

CHILD = """
import json, sys
from datetime import datetime
from waldur_dagster.deployment import parse_deployment
from waldur_dagster.freeipa.entries import sync_groups
from waldur_dagster.site import Site
waldur = {"WALDUR_FREEIPA": json.loads(sys.argv[2])}
with Site(parse_deployment({"database": {"url": sys.argv[1]}, "waldur": waldur})) as site:
    sync_groups(site.transactions("waldur-freeipa-sync-groups", datetime.fromisoformat(sys.argv[3])))
"""


@pytest.fixture
def site(scene: Scene) -> Scene:
    for number in range(1, 11):
        scene.project(scene.customer(f"C{number}", uuid=uuid_of(number)), uuid=uuid_of(100 + number))
    return scene


def test_a_run_that_is_killed_is_ended_by_the_next(site: Scene) -> None:
    url = site.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with freeipa_server() as ipa:
        child = started(CHILD, url, json.dumps(settings(ipa)), NOW.isoformat())
        ipa.fault = lambda *_: os.kill(child.pid, signal.SIGKILL) if ipa.requests > 12 else None
        wait_until_killed(child, site.engine)
        half = len(ipa.groups)
        ipa.fault = lambda *_: None
        assert 5 < half < 20
        assert not run(site, sync_groups, ipa).failures
        assert len(ipa.groups) == 20 and len(set(ipa.changes)) == len(ipa.changes)
        assert sum(len(group["member_group"]) for group in ipa.groups.values()) == 10


def test_two_runs_at_once_do_the_work_once(site: Scene) -> None:
    begun, go_on = threading.Event(), threading.Event()
    with freeipa_server() as ipa:
        profile(site, ipa, "alice")

        def wait_for_the_other(command: str, _: str) -> None:
            if command == "group_find":
                begun.set()
                go_on.wait(60)

        ipa.fault = wait_for_the_other
        first = threading.Thread(target=run, args=(site, sync_groups, ipa))
        first.start()
        assert begun.wait(60)
        with site.site(waldur={"WALDUR_FREEIPA": settings(ipa)}) as second, pytest.raises(AlreadyRunning):
            sync_groups(second.transactions(ENTRIES[sync_groups], NOW))
        go_on.set()
        first.join()
    assert len(ipa.groups) == 20 and len(set(ipa.changes)) == len(ipa.changes)
