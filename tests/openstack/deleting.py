"""A process that deletes what is expired, to be killed: ``python -m tests.openstack.deleting URL ENTRY``."""

import sys

from tests.openstack.scenes import NOW
from waldur_dagster.deployment import parse_deployment
from waldur_dagster.openstack.expired_backups import delete_expired_backups
from waldur_dagster.openstack.expired_snapshots import delete_expired_snapshots
from waldur_dagster.site import Site

url, entry = sys.argv[1:]
do = delete_expired_snapshots if entry.endswith("snapshots") else delete_expired_backups
with Site(parse_deployment({"database": {"url": url}})) as site:
    do(site.transactions(entry, NOW))
