"""A process that runs one entry, to be killed or to be met: ``python -m tests.openstack.running URL ENTRY``."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

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


def running(url: str, entry: str, **options: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.openstack.running", url, entry]
    return subprocess.Popen(command, cwd=PROJECT, env=dict(os.environ), text=True, **options)


if __name__ == "__main__":
    with Site(parse_deployment({"database": {"url": sys.argv[1]}})) as site:
        ENTRIES[sys.argv[2]](site.transactions(sys.argv[2], NOW))
