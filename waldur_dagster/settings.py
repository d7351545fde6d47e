"""Settings that live in Waldur's Django configuration, with Waldur's own names and defaults (spec core 1.9).

They are not in the database, so the deployment file repeats those that the site has changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# A site that writes one of these writes all of it: the default company's e-mail address is not the site's.
WHOLE = frozenset({"ISSUER_DETAILS", "CSV_PARAMS", "DOCKER_CLIENT", "DOCKER_RUN_OPTIONS", "DOCKER_IMAGES"})

DEFAULTS: dict[str, Any] = {
    "TIME_ZONE": "UTC",
    "SITE_ID": 1,
    "DEFAULT_FROM_EMAIL": "webmaster@localhost",
    "DEFAULT_REPLY_TO_EMAIL": "",
    "EMAIL_HOOK_FROM_EMAIL": "",
    "VERIFY_WEBHOOK_REQUESTS": True,
    "WALDUR_CORE": {
        "ENABLE_ACCOUNTING_START_DATE": False,
        "HOMEPORT_URL": "https://example.com/",
        "NOTIFICATION_SUBJECT": "Notifications from Waldur",
        # Durations are in seconds.
        "INVITATION_LIFETIME": 7 * 24 * 3600,
        "GROUP_INVITATION_LIFETIME": 7 * 24 * 3600,
        "TOKEN_LIFETIME": 3600,
        "INVITATION_CREATE_MISSING_USER": False,
        "INVITATION_USE_WEBHOOKS": False,
        "INVITATION_WEBHOOK_URL": "",
        "INVITATION_WEBHOOK_TOKEN_URL": "",
        "INVITATION_WEBHOOK_TOKEN_CLIENT_ID": "",
        "INVITATION_WEBHOOK_TOKEN_SECRET": "",
        "NOTIFICATIONS_PROFILE_CHANGES": {
            "FIELDS": ["email", "phone_number", "job_title"],
            "ENABLE_OPERATOR_OWNER_NOTIFICATIONS": False,
            "OPERATOR_NOTIFICATION_EMAILS": [],
        },
    },
    "WALDUR_FREEIPA": {
        "ENABLED": False,
        "HOSTNAME": "ipa.example.com",
        "USERNAME": "admin",
        "PASSWORD": "secret",
        "VERIFY_SSL": True,
        "USERNAME_PREFIX": "waldur_",
        "GROUPNAME_PREFIX": "waldur_",
        "BLACKLISTED_USERNAMES": ["root"],
        "GROUP_SYNCHRONIZATION_ENABLED": True,
    },
    "WALDUR_INVOICES": {
        "ISSUER_DETAILS": {
            "company": "OpenNode",
            "address": "Lille 4-205",
            "country": "Estonia",
            "email": "info@opennodecloud.com",
            "postal": "80041",
            "phone": {"country_code": "372", "national_number": "5555555"},
            "bank": "Estonian Bank",
            "account": "123456789",
            "vat_code": "EE123456789",
            "country_code": "EE",
        },
        "PAYMENT_INTERVAL": 30,
        "INVOICE_REPORTING": {
            "ENABLE": False,
            "EMAIL": "accounting@waldur.example.com",
            "CSV_PARAMS": {"delimiter": ";"},
            "USE_SAF": False,
            "SERIALIZER_EXTRA_KWARGS": {"start": {"format": "%d.%m.%Y"}, "end": {"format": "%d.%m.%Y"}},
            "SAF_PARAMS": {"RMAKSULIPP": "20%", "ARTPROJEKT": "PROJEKT"},
            "USE_SAP": False,
            "SAP_PARAMS": {
                "KM_KOOD": "2",
                "ORG_CODE": "NS20",
                "MAKSET": "Z025",
                "FUNKA": "04600",
                "EELUKS": "ENA0",
                "FUND": "44",
                "KULUUKSUS": "",
            },
        },
        "SEND_CUSTOMER_INVOICES": False,
        "INVOICE_FINALIZATION_GRACE_PERIOD_HOURS": 0,
    },
    "WALDUR_MARKETPLACE": {
        "ENABLE_STALE_RESOURCE_NOTIFICATIONS": False,
        "NOTIFY_ABOUT_RESOURCE_CHANGE": True,
        "TELEMETRY_URL": "https://telemetry.waldur.com/",
        "TELEMETRY_VERSION": 1,
        "NOTIFY_STAFF_ABOUT_APPROVALS": False,
    },
    "WALDUR_MARKETPLACE_SCRIPT": {
        "SCRIPT_RUN_MODE": "docker",
        "DOCKER_CLIENT": {"base_url": "unix://var/run/docker.sock"},
        "DOCKER_RUN_OPTIONS": {"mem_limit": "512m"},
        "DOCKER_SCRIPT_DIR": None,
        "DOCKER_VOLUME_NAME": "",
        "DOCKER_REMOVE_CONTAINER": True,
        "K8S_NAMESPACE": "default",
        "K8S_CONFIG_PATH": "~/.kube/config",
        "K8S_JOB_TIMEOUT": 1800,  # seconds
        "DOCKER_IMAGES": {
            "python": {"image": "python:3.11-alpine", "command": "python"},
            "shell": {"image": "alpine:3", "command": "sh"},
        },
    },
    "RABBITMQ": {"HOST": "localhost", "STOMP_PORT": None, "USER": "guest", "PASSWORD": "guest"},
    "WALDUR_PAYPAL": {"ENABLED": False},
    "WALDUR_AUTH_SOCIAL": {
        "ENABLE_EDUTEAMS_SYNC": False,
        "REMOTE_EDUTEAMS_ENABLED": False,
        "REMOTE_EDUTEAMS_TOKEN_URL": "https://proxy.acc.researcher-access.org/OIDC/token",
        "REMOTE_EDUTEAMS_USERINFO_URL": "https://proxy.acc.researcher-access.org/api/userinfo",
        "REMOTE_EDUTEAMS_CLIENT_ID": "",
        "REMOTE_EDUTEAMS_SECRET": "",
        "REMOTE_EDUTEAMS_REFRESH_TOKEN": "",
        "REMOTE_EDUTEAMS_SSH_API_URL": "",
        "REMOTE_EDUTEAMS_SSH_API_USERNAME": "",
        "REMOTE_EDUTEAMS_SSH_API_PASSWORD": "",
    },
    "WALDUR_PID": {
        "DATACITE": {
            "REPOSITORY_ID": "",
            "PASSWORD": "",
            "PREFIX": "",
            "API_URL": "https://example.com",
            "PUBLISHER": "Waldur",
            "COLLECTION_DOI": "",
        },
    },
    "WALDUR_SLURM": {"ENABLED": False},
    "WALDUR_VMWARE": {"BASIC_MODE": False},
    "WALDUR_ANALYTICS": {"DAILY_QUOTA_LIFETIME": 31 * 24 * 3600},
}


def _names(section: str, names: Iterable[str], prefix: str = "") -> dict[str, str]:
    return {f"{prefix}{name}": f"{section}.{name}" for name in names}


# Settings that newer versions of Waldur keep in the database, by constance's keys (spec newer 3).
IN_DATABASE = {
    **_names("WALDUR_CORE", ["HOMEPORT_URL"]),
    **_names("WALDUR_MARKETPLACE", DEFAULTS["WALDUR_MARKETPLACE"]),
    **_names("WALDUR_MARKETPLACE_SCRIPT", DEFAULTS["WALDUR_MARKETPLACE_SCRIPT"]),
    **_names("WALDUR_FREEIPA", DEFAULTS["WALDUR_FREEIPA"], prefix="FREEIPA_"),
    **_names("WALDUR_AUTH_SOCIAL", ["REMOTE_EDUTEAMS_REFRESH_TOKEN"]),
}

# Those that, when they are empty there, have the value of the deployment file.
FILLED_FROM_FILE = frozenset({"REMOTE_EDUTEAMS_REFRESH_TOKEN"})

# Defaults that became others when the settings moved there.
DEFAULTS_IN_DATABASE: dict[str, Any] = {
    "WALDUR_MARKETPLACE_SCRIPT": {
        "DOCKER_CLIENT": {"base_url": "unix:///var/run/docker.sock"},
        "DOCKER_SCRIPT_DIR": "",
        "DOCKER_VOLUME_NAME": "waldur-docker-compose_waldur_script_launchzone",
        "DOCKER_IMAGES": {
            "python": {"image": "python:3.12-alpine", "command": "python"},
            "shell": {"image": "alpine:3", "command": "sh"},
            "ansible": {"image": "alpine/ansible:2.18.6", "command": "ansible-playbook"},
        },
    },
}


class BadSetting(Exception):
    """A value that the site keeps in its database cannot be used; the text names the setting, and never the value."""


@dataclass(frozen=True)
class Unusable:
    """Stands for a value that cannot be used: whoever asks for it is told why, and nobody else."""

    reason: str


class Settings(Mapping[str, Any]):
    """Settings by dotted name, e.g. ``settings["WALDUR_INVOICES.INVOICE_REPORTING.ENABLE"]``.

    A name that the site does not set has Waldur's default; a name that neither knows raises KeyError. Sections are
    merged key by key with their defaults; those of WHOLE are one value.
    """

    def __init__(self, site: Mapping[str, Any], stored: Mapping[str, Any] | None = None, *, in_database: bool = False):
        """``site`` are those of the deployment file; ``stored``, by constance's keys, win over them.

        ``in_database`` says that the site's Waldur keeps settings there, with the defaults that it has for them.
        """
        kept = {
            IN_DATABASE[key]: value for key, value in (stored or {}).items() if value or key not in FILLED_FROM_FILE
        }
        defaults = _merged(DEFAULTS, DEFAULTS_IN_DATABASE) if in_database else DEFAULTS
        self._values = _merged(defaults, _merged(nested(site), nested(kept)))

    def __getitem__(self, name: str) -> Any:
        """Raises BadSetting for a value, or a section with a value, that cannot be used."""
        value: Any = self._values
        for part in name.split("."):
            if not isinstance(value, Mapping) or part not in value:
                raise KeyError(f"Waldur has no setting {name} that this program knows")
            value = value[part]
        if bad := _unusable(value):
            raise BadSetting(bad.reason)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def nested(names: Mapping[str, Any]) -> dict[str, Any]:
    """``{"A.B": 1}`` as ``{"A": {"B": 1}}``; names that are nested already stay as they are."""
    result: dict[str, Any] = {}
    for name, value in names.items():
        head, _, rest = name.partition(".")
        below = nested({rest: value}) if rest else nested(value) if isinstance(value, Mapping) else value
        known = result.get(head)
        result[head] = _merged(known, below) if isinstance(known, dict) and isinstance(below, dict) else below
    return result


def _unusable(value: Any) -> Unusable | None:
    if isinstance(value, Mapping):
        return next((bad for part in value.values() if (bad := _unusable(part))), None)
    return value if isinstance(value, Unusable) else None


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        known = result.get(key)
        if key not in WHOLE and isinstance(known, Mapping) and isinstance(value, Mapping):
            result[key] = _merged(known, value)
        else:
            result[key] = value
    return result
