"""FreeIPA, eduTEAMS and FirecREST that repeat all that they are sent: nothing of it is shown or kept."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from tests.dagster.runs import execute
from tests.loopback import serving
from tests.scene import BORN, Scene
from waldur_dagster.schema import core, django, freeipa, marketplace, social, structure

MARK = "ZZsecretZZ"
SECRETS = {name: f"{MARK}-{name}/+" for name in ("freeipa", "client", "refresh", "api", "token", "access")}
BASIC = (("site", "client"), ("api", "api"))  # who logs in so, and with which of them
ENTRIES = (
    "waldur-freeipa-sync-groups",
    "waldur-freeipa-sync-names",
    "waldur-firecrest-pull-jobs",
    "waldur-pull-remote-eduteams-users",
    "waldur-pull-remote-eduteams-ssh-keys",
)


def _site(scene: Scene, url: str) -> dict[str, Any]:
    """Somebody for every entry, and the settings."""
    at = scene.add(django.content_type, app_label="structure", model="servicesettings")
    customer = scene.customer()
    user = scene.user("a@x.org", username="a", identity_source="eduteams", last_sync=BORN, details={})
    scene.role(user, "PROJECT.ADMIN", "project", scene.project(customer))
    scene.add(freeipa.profile, user_id=user, username="waldur_a", is_active=True)
    scene.add(social.oauthtoken, user_id=user, provider="keycloak", access_token=SECRETS["token"])
    options = json.dumps({"firecrest_api_url": f"{url}/"})
    cluster = scene.add(structure.servicesettings, type="SLURM", state=3, is_active=True, options=options)
    offering = scene.offering(customer, type="SlurmInvoices.SlurmPackage", content_type_id=at, object_id=cluster)
    scene.add(marketplace.offeringuser, username="a", offering_id=offering, user_id=user, backend_metadata={})
    return {
        "WALDUR_FREEIPA": {"ENABLED": True, "HOSTNAME": url, "USERNAME": "svc", "PASSWORD": SECRETS["freeipa"]},
        "WALDUR_AUTH_SOCIAL": {
            "REMOTE_EDUTEAMS_ENABLED": True,
            "REMOTE_EDUTEAMS_TOKEN_URL": f"{url}/token",
            "REMOTE_EDUTEAMS_USERINFO_URL": f"{url}/people",
            "REMOTE_EDUTEAMS_CLIENT_ID": "site",
            "REMOTE_EDUTEAMS_SECRET": SECRETS["client"],
            "REMOTE_EDUTEAMS_REFRESH_TOKEN": SECRETS["refresh"],
            "REMOTE_EDUTEAMS_SSH_API_URL": url,
            "REMOTE_EDUTEAMS_SSH_API_USERNAME": "api",
            "REMOTE_EDUTEAMS_SSH_API_PASSWORD": SECRETS["api"],
        },
    }


@pytest.mark.parametrize("logged_in", [False, True])
@pytest.mark.parametrize("status", [200, 400, 403, 500])
def test_nothing_that_was_sent_is_shown(
    scene: Scene,
    instance: dg.DagsterInstance,
    status: int,
    logged_in: bool,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def repeat(*_: str, **request: Any) -> Any:
        return status, {"message": f"{request['headers']['Authorization']} {request['body']}"}

    routes: Any = {("POST", ".*"): repeat, ("GET", ".*"): repeat}
    if logged_in:
        own = {
            ("POST", "/token"): lambda **_: (200, {"access_token": SECRETS["access"]}),
            ("POST", "/ipa/session/login_password"): lambda **_: (200, b""),
        }
        routes = own | routes
    with serving(routes) as url:
        deployment = scene.deployment(waldur=_site(scene, url))
        failed = [not execute(deployment, name, instance).success for name in ENTRIES]
    assert sum(failed) >= 4  # a refused token of FirecREST is no failure
    files = b"".join(file.read_bytes() for file in Path(instance.root_directory).rglob("*") if file.is_file())
    shown = files.decode(errors="replace") + "".join(capfd.readouterr())
    sent = {base64.b64encode(f"{user}:{SECRETS[name]}".encode()).decode() for user, name in BASIC}
    assert [secret for secret in (MARK, *sent) if secret in shown] == []
    assert scene.one(core.user).is_active
