"""A run that is killed between the release of invitations and their delivery: the next run ends what it began."""

from __future__ import annotations

import dagster as dg

from tests.dagster.runs import execute
from tests.mail_server import mail_server
from tests.processes import started, wait_until_killed
from tests.scene import BORN, Scene
from waldur_dagster.outbox.tables import message
from waldur_dagster.schema import core, permissions, users

ENTRY = "process-pending-project-invitations"
CHILD = """
import os, signal, sys
from datetime import UTC, datetime
from waldur_dagster.deployment import parse_deployment
from waldur_dagster.site import Site
from waldur_dagster.users.invitation_delivery import release_project_invitations
site = Site(parse_deployment({"database": {"url": sys.argv[1]}}), run_id="killed")
with site.work("process-pending-project-invitations", datetime.now(UTC)) as work:
    release_project_invitations(work)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_next_run_delivers_and_the_invitation_is_final(scene: Scene, instance: dg.DagsterInstance) -> None:
    scene.add(core.notification, key="users.invitation_created", enabled=True)
    role = scene.add(permissions.role, name="PROJECT.MEMBER", is_system_role=True, content_type_id=2)
    project = scene.project(scene.customer(), start_date=BORN.date())
    scene.add(
        users.invitation,
        email="guest@x.org",
        state="project",
        execution_state="Scheduled",
        customer_id=1,
        role_id=role,
        content_type_id=2,
        object_id=project,
        affiliations=[],
    )
    child = started(CHILD, scene.engine.url.render_as_string(hide_password=False))
    wait_until_killed(child, scene.engine)
    assert scene.one(users.invitation).execution_state == "Processing"
    with mail_server() as server:
        assert execute(scene.deployment(mail=server.options), ENTRY, instance).success
        assert server.addresses == ["guest@x.org"]
    invitation = scene.one(users.invitation)
    assert (invitation.state, invitation.execution_state, invitation.error_message) == ("pending", "OK", "")
    assert scene.one(message).state == "delivered"
