"""A site whose people come from an eduTEAMS on loopback."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.lateness import TOO_LONG
from tests.loopback import Routes, serving
from tests.scene import Scene
from waldur_dagster.eduteams.entries import pull_ssh_keys, pull_users
from waldur_dagster.outcome import Outcome
from waldur_dagster.schema import core
from waldur_dagster.site import Transactions

NOW = datetime(2025, 3, 10, 9, 30, tzinfo=UTC)
SECRET, REFRESH, ACCESS, API_PASSWORD = "client-secret", "refresh-one", "access-one", "password-of-the-api"
SECRETS = (SECRET, REFRESH, ACCESS, API_PASSWORD)
ENTRIES: dict[Callable[[Transactions], None], str] = {
    pull_users: "waldur-pull-remote-eduteams-users",
    pull_ssh_keys: "waldur-pull-remote-eduteams-ssh-keys",
}


class Eduteams:
    """What the proxy and the API of keys answer: people by name, keys by name, or faults by path."""

    def __init__(self) -> None:
        self.people: dict[str, Any] = {}
        self.keys: Any = {"data": {}}
        self.faults: dict[str, Any] = {}
        self.refresh: str | None = None
        self.forms: list[dict[str, str]] = []
        self.asked: list[str] = []

    def token(self, body: dict[str, str], **_: Any) -> tuple[int, Any]:
        self.forms.append(body)
        renewed = {} if self.refresh is None else {"refresh_token": self.refresh}
        return self._fault("token") or (200, {"access_token": ACCESS} | renewed)

    def person(self, name: str, headers: Any, **_: Any) -> tuple[int, Any]:
        assert headers["Authorization"] == f"Bearer {ACCESS}"
        name = unquote(name)
        self.asked.append(name)
        return self._fault(name) or ((200, self.people[name]) if name in self.people else (404, {}))

    def all_keys(self, headers: Any, **_: Any) -> tuple[int, Any]:
        assert headers["Authorization"] == f"Basic {base64.b64encode(f'api:{API_PASSWORD}'.encode()).decode()}"
        self.asked.append("keys")
        return self._fault("keys") or (200, self.keys)

    def _fault(self, place: str) -> tuple[int, Any] | None:
        fault = self.faults.get(place)
        if isinstance(fault, Exception):
            time.sleep(TOO_LONG * ("slow" in str(fault)))
            raise fault
        return fault

    @contextmanager
    def serve(self) -> Iterator[dict[str, Any]]:
        """The site's settings while it is served."""
        routes: Routes = {
            ("POST", "/token"): self.token,
            ("GET", "/people/(.*)"): self.person,
            ("GET", "/api/vo/puhuri/ssh_keys"): self.all_keys,
        }
        with serving(routes) as url:
            yield settings_of(url)


def settings_of(url: str) -> dict[str, Any]:
    """The site's settings of an eduTEAMS at an address."""
    return {
        "REMOTE_EDUTEAMS_ENABLED": True,
        "REMOTE_EDUTEAMS_TOKEN_URL": f"{url}/token",
        "REMOTE_EDUTEAMS_USERINFO_URL": f"{url}/people",
        "REMOTE_EDUTEAMS_CLIENT_ID": "site",
        "REMOTE_EDUTEAMS_SECRET": SECRET,
        "REMOTE_EDUTEAMS_REFRESH_TOKEN": REFRESH,
        "REMOTE_EDUTEAMS_SSH_API_URL": url,
        "REMOTE_EDUTEAMS_SSH_API_USERNAME": "api",
        "REMOTE_EDUTEAMS_SSH_API_PASSWORD": API_PASSWORD,
    }


def run(
    scene: Scene,
    do: Callable[[Transactions], None],
    settings: dict[str, Any],
    *,
    dry_run: bool = False,
    freeipa: dict[str, Any] | None = None,
    **document: Any,
) -> Outcome:
    waldur = {"WALDUR_AUTH_SOCIAL": settings, "WALDUR_FREEIPA": freeipa or {"ENABLED": False}}
    with scene.site(dry_run=dry_run, waldur=waldur, **document) as site:
        do(site.transactions(ENTRIES[do], NOW))
        return site.outcome


def person(scene: Scene, eduteams: Eduteams, name: str, *, hours: int = 1, **answer: Any) -> int:
    """Somebody who was refreshed so many hours ago, and whom eduTEAMS knows by another name now."""
    username = f"{name}@eduteams.org"
    eduteams.people[username] = {"sub": username, "given_name": "New", "family_name": name.title()} | answer
    return scene.user(
        f"{name}@old.org",
        username=username,
        first_name="Old",
        last_name=name.title(),
        identity_source="eduteams",
        registration_method="eduteams",
        last_sync=NOW - timedelta(hours=hours),
        details={},
        affiliations=[],
    )


def new_key(comment: str = "") -> str:
    public = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return f"{public} {comment}".strip()


def keys_of(scene: Scene, user: int) -> set[str]:
    return {row.public_key for row in scene.rows(core.sshpublickey, user_id=user)}


def store_key(scene: Scene, user: int, text: str, name: str = "eduteams_key_0") -> int:
    return scene.add(core.sshpublickey, user_id=user, name=name, public_key=text)


def url_of(scene: Scene) -> str:
    return scene.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)


def arguments(settings: dict[str, Any]) -> str:
    return json.dumps({"WALDUR_AUTH_SOCIAL": settings})
