"""The site's FreeIPA server, as all entries reach it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from waldur_dagster.work import Work

if TYPE_CHECKING:
    from waldur_dagster.clients.freeipa import FreeIpa

SECTION = "WALDUR_FREEIPA"


def is_enabled(work: Work) -> bool:
    return bool(work.settings[f"{SECTION}.ENABLED"])


def server_facts(work: Work) -> dict[str, Any]:
    """The settings of the section, the password in clear. Raises BadSetting."""
    return dict(work.settings[SECTION])


def system_name(facts: dict[str, Any]) -> str:
    """How findings call the server."""
    return f"FreeIPA at {facts['HOSTNAME']}"


def connect(facts: dict[str, Any]) -> FreeIpa:
    """A client that logs in when it is first asked something."""
    from waldur_dagster.clients.freeipa import FreeIpa

    return FreeIpa.of({SECTION: facts})
