"""A process that runs one entry, to be killed or to be met: ``python -m tests.openstack.running URL ENTRY``.

With ``waiting`` behind it is ready to begin, says so, and begins when it is told.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.openstack.cloud import LoopbackCloud
from tests.openstack.scenes import NOW
from tests.processes import PROJECT
from waldur_dagster.deployment import parse_deployment
from waldur_dagster.openstack.expired_backups import delete_expired_backups
from waldur_dagster.openstack.expired_snapshots import delete_expired_snapshots
from waldur_dagster.openstack.pull_resources import pull_tenant_resources
from waldur_dagster.openstack.pull_subresources import pull_tenant_subresources
from waldur_dagster.site import Site

ENTRIES = {
    "openstack-delete-expired-backups": delete_expired_backups,
    "openstack-delete-expired-snapshots": delete_expired_snapshots,
    "openstack-tenant-resources-list-pull-task": pull_tenant_resources,
    "openstack-tenant-subresources-list-pull-task": pull_tenant_subresources,
}


def running(url: str, entry: str, *words: str, **options: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.openstack.running", url, entry, *words]
    return subprocess.Popen(command, cwd=PROJECT, env=dict(os.environ), text=True, **options)


def meet(cloud: LoopbackCloud, url: str, entry: str, after: int) -> None:
    """A run is in the middle, after so many calls, when a second begins; then the first goes on to its end.

    Raises AssertionError when the second does not leave the first alone.
    """
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with running(url, entry, "waiting", **pipes) as second:
        assert second.stdout is not None and second.stdout.readline() == "ready\n"
        with held(cloud, after) as begun:
            first = running(url, entry)
            assert begun.wait(60)
            assert "AlreadyRunning" in second.communicate("go\n")[1]
    assert first.wait() == 0


@contextmanager
def held(cloud: LoopbackCloud, after: int) -> Iterator[threading.Event]:
    """After so many calls the cloud answers none until the block ends; gives what is set when it begins to wait."""
    begun, go_on, calls = threading.Event(), threading.Event(), itertools.count(1)

    def wait(*_: Any) -> None:
        if next(calls) > after:
            begun.set()
            go_on.wait(120)

    cloud.fault = wait
    try:
        yield begun
    finally:
        go_on.set()
        cloud.fault = lambda *_: None


if __name__ == "__main__":
    if "waiting" in sys.argv:
        print("ready", flush=True)
        input()
    with Site(parse_deployment({"database": {"url": sys.argv[1]}})) as site:
        ENTRIES[sys.argv[2]](site.transactions(sys.argv[2], NOW))
