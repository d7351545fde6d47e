"""A run that is killed between two offerings, and a second run beside the first: nothing is doubled."""

from __future__ import annotations

import json
import threading

from tests.datacite.server import DataCiteServer
from tests.datacite.test_records import offer
from tests.datacite.test_referrals import cited, rows, update, work
from tests.processes import PATIENCE, kill, started, wait_until
from tests.scene import Scene
from waldur_dagster.schema import pid

RUN = """
import json, sys
from datetime import datetime, UTC
from waldur_dagster.datacite.referrals import update_referrals
from waldur_dagster.deployment import parse_deployment
from waldur_dagster.site import AlreadyRunning, Site
deployment = parse_deployment({"database": {"url": sys.argv[1]}, "waldur": json.loads(sys.argv[2])})
try:
    with Site(deployment) as site:
        update_referrals(site.transactions("waldur-pid-update-all-referrables", datetime(2025, 3, 10, 12, tzinfo=UTC)))
        print("done")
except AlreadyRunning:
    print("being done")
"""


def test_a_killed_run_is_continued_by_the_next_and_a_second_one_waits_its_turn(
    scene: Scene, server: DataCiteServer
) -> None:
    held, free = threading.Event(), threading.Event()
    own = [offer(scene, f"10.5072/{number}") for number in range(3)]
    for number in range(3):
        cited(server, "10.1/a", f"10.1/{number}", doi=f"10.5072/{number}")
        work(server, f"10.1/{number}")
    work(server, "10.1/a")
    url = scene.engine.url.render_as_string(hide_password=False)

    def hold(doi: str) -> None:
        """The second offering's work is answered for when the test says so."""
        if doi == "10.1/1" and not free.is_set():
            held.set()
            free.wait(PATIENCE)

    server.before_answer = hold
    first = started(RUN, url, json.dumps(server.settings()))
    wait_until(held.is_set)
    wait_until(lambda: len(scene.rows(pid.datacitereferral)) == 4)  # the others are done
    second = started(RUN, url, json.dumps(server.settings()))
    assert second.communicate()[0].strip() == "being done"
    kill(first, scene.engine)
    free.set()
    assert rows(scene, own[1]) == {}
    assert not update(scene, server).failures
    assert [set(rows(scene, one)) for one in own] == [{"10.1/a", f"10.1/{number}"} for number in range(3)]
