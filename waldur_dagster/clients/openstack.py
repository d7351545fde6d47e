"""OpenStack clouds: sessions of one user in one project, and lists that are complete (spec openstack 0.4).

What services answer is taken as plain JSON: openstacksdk's own lists end early where a service does not link to its
next page, without a sign. What is left of it is keystoneauth, which logs in and finds services: the SDK's connection
objects, one for each tenant, cost more than a tenant's calls.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Self

from waldur_dagster.clients.closing import Closing
from waldur_dagster.clients.failures import (
    Incomplete,
    ItemFailed,
    LoginRefused,
    SystemFailed,
    VisitFailed,
    failure_of,
    without_secrets,
    words_of,
)
from waldur_dagster.clients.listing import Page, Pages, by_marker, by_offset, complete, items_of
from waldur_dagster.clients.patience import PatientAdapter
from waldur_dagster.clients.requests_calls import do_not_warn

# From 2.47 on a server does not tell its flavor's id, from 2.64 on a server group not its policies.
COMPUTE_VERSION = "2.19"
PAGE = 500  # asked for where a service cuts its list without a link
# By our names: what people call a service, its type in catalogs, and the oldest and newest version that is understood.
SERVICES = {
    "identity": ("keystone", "identity", "3", "3.latest"),
    "compute": ("nova", "compute", "2", "2.latest"),
    "block_storage": ("cinder", "block-storage", "2", "3.latest"),
    "network": ("neutron", "network", "2", "2.latest"),
    "image": ("glance", "image", "2", "2.latest"),
}


@dataclass(frozen=True)
class Account:
    """Who logs in where. A project is given by its id (tenants) or its name (administrators).

    ``certificate`` is the text of a PEM file that the server's certificate is verified against.
    """

    auth_url: str
    username: str
    password: str = field(repr=False)
    domain: str = "Default"
    project_id: str = ""
    project_name: str = ""
    verify: bool = False
    certificate: str = field(default="", repr=False)
    auth_type: str = "password"

    @property
    def is_of_tenant(self) -> bool:
        return bool(self.project_id)


class Connections(Closing):
    """What sessions at one cloud share: connections that are kept alive, and what services say of their versions."""

    def __init__(self, account: Account):
        """``account`` is any of the cloud: it says how servers are verified."""
        import requests

        self.http = requests.Session()
        self.http.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # none travels to another tenant
        for scheme in ("http://", "https://"):
            self.http.mount(scheme, PatientAdapter(pool_maxsize=16))
        self._certificate = _file_of(account.certificate) if account.verify and account.certificate else None
        self.verify: bool | str = self._certificate.name if self._certificate else account.verify
        self.discovered: dict[str, Any] = {}
        if not account.verify:
            do_not_warn()

    def close(self) -> None:
        self.http.close()
        if self._certificate:
            self._certificate.close()


class Cloud:
    """One session: logs in at its first call, and again when its token expires.

    Raises ItemFailed when a tenant's own login is refused, LoginRefused for an administrator's; NotFound, ItemFailed
    and SystemFailed with the services' own words, and Incomplete for lists.
    """

    def __init__(self, account: Account, connections: Connections):
        from keystoneauth1.adapter import Adapter
        from keystoneauth1.session import Session

        self._account = account
        self._session = Session(
            auth=_plugin(account),
            session=connections.http,
            verify=connections.verify,
            redirect=False,
            discovery_cache=connections.discovered,
        )
        self._services = {
            ours: Adapter(
                self._session,
                service_type=kind,
                min_version=oldest,
                max_version=newest,
                default_microversion=COMPUTE_VERSION if kind == "compute" else None,
            )
            for ours, (_, kind, oldest, newest) in SERVICES.items()
        }

    def logged_in(self) -> Self:
        """Log in now, so that a login that is refused is refused once, whoever shares the session."""
        self._understood("keystone", "the login", self._session.get_token)
        return self

    def get(self, service: str, path: str, **parameters: Any) -> dict[str, Any]:
        """What a service (``compute``, ``block_storage``, ``network``, ``image``, ``identity``) answers to a GET."""
        answer = self._ask("GET", service, path, parameters)
        try:
            value = answer.json()
        except (ValueError, RecursionError):
            raise ItemFailed(f"{_name(service)} answered GET {path} with no JSON") from None
        if not isinstance(value, dict):
            raise ItemFailed(f"{_name(service)} answered GET {path} with no JSON object")
        return value

    def delete(self, service: str, path: str) -> None:
        self._ask("DELETE", service, path, {})

    def listed(self, service: str, path: str, key: str, **parameters: Any) -> list[dict[str, Any]]:
        """All items of a list whose pages link to the next one: servers, flavors, volumes, networks, images ..."""
        return self._complete(key, self._linked(service, path, key, parameters))

    def listed_silently(self, service: str, path: str, key: str, **parameters: Any) -> list[dict[str, Any]]:
        """All items of a list that some releases cut without a link: projects, volume types."""

        def read(last: str | None) -> Page:
            marker = {"marker": last} if last else {}
            answer = self.get(service, path, limit=PAGE, **parameters, **marker)
            cut.append(bool(answer.get("truncated")))
            return Page(items_of(answer, key))

        cut: list[bool] = []
        found = self._complete(key, by_marker(read))
        if cut[-1]:
            raise Incomplete(f"the list of {key} is not complete: keystone says that it has cut it")
        return found

    def listed_by_offset(self, service: str, path: str, key: str) -> list[dict[str, Any]]:
        """All items of a list that is cut without a link, and knows no markers: server groups."""

        def read(offset: int) -> Page:
            return Page(items_of(self.get(service, path, limit=PAGE, offset=offset), key))

        return self._complete(key, by_offset(read, unless_ignored=True))

    def _linked(self, service: str, path: str, key: str, parameters: dict[str, Any]) -> Pages:
        """The next page is asked for by the last item: links may name another host, or http where https is spoken."""

        def pages() -> Iterator[Page]:
            marker: dict[str, str] = {}
            while True:
                answer = self.get(service, path, **parameters, **marker)
                items = items_of(answer, key)
                yield Page(items)
                if not items or not _has_more(answer):
                    return
                marker = {"marker": str(items[-1]["id"])}

        return pages

    def _complete(self, key: str, pages: Pages) -> list[dict[str, Any]]:
        return complete(key.replace("_", " "), pages)

    def _ask(self, method: str, service: str, path: str, parameters: dict[str, Any]) -> Any:
        what = f"{method} {path}"

        def ask() -> Any:  # finding the service may mean to log in
            return self._services[service].request(path, method, params=parameters, raise_exc=False)

        answer = self._understood(_name(service), what, ask)
        if not answer.ok or answer.is_redirect:
            said = words_of(answer.text, [self._account.password])
            words = f"{_name(service)}: {said or what} (HTTP {answer.status_code})"
            # The login was accepted: a service that refuses its token cannot ask keystone, or is out of its mind.
            raise SystemFailed(words) if answer.status_code == 401 else failure_of(answer.status_code, words)
        return answer

    def _understood(self, service: str, what: str, call: Any) -> Any:
        """Make a call, and tell what it raises as what it means."""
        from keystoneauth1 import exceptions

        try:
            return call()
        except VisitFailed:
            raise
        except exceptions.Unauthorized as error:
            words = f"keystone refuses the login of {self._account.username}: {self._covered(error)}"
            raise ItemFailed(words) if self._account.is_of_tenant else LoginRefused(words) from None
        except exceptions.HttpError as error:
            raise failure_of(error.http_status, f"{service}: {self._covered(error)}") from None
        except (exceptions.EndpointNotFound, exceptions.DiscoveryFailure) as error:
            raise SystemFailed(f"{service} cannot be found: {self._covered(error)}") from None
        except exceptions.ClientException as error:
            raise SystemFailed(f"{service} did not answer {what}: {self._covered(error)}") from None
        except (ValueError, KeyError, TypeError) as error:
            raise ItemFailed(f"{service} answered {what} with nonsense: {type(error).__name__}") from None

    def _covered(self, error: Exception) -> str:
        return without_secrets(str(error), [self._account.password])


def _name(service: str) -> str:
    return SERVICES[service][0]


def _plugin(account: Account) -> Any:
    from keystoneauth1.identity import v3

    if account.auth_type == "v3applicationcredential":
        return v3.ApplicationCredential(
            account.auth_url,
            application_credential_id=account.username,
            application_credential_secret=account.password,
        )
    project: dict[str, Any] = (
        {"project_id": account.project_id}
        if account.project_id
        else {"project_name": account.project_name, "project_domain_name": account.domain}
    )
    return v3.Password(
        account.auth_url,
        username=account.username,
        password=account.password,
        user_domain_name=account.domain,
        **project,
    )


def _has_more(answer: dict[str, Any]) -> bool:
    """Whether a page says that another one follows: ``servers_links`` and the like, or glance's ``next``."""
    lists = [value for key, value in answer.items() if key.endswith("_links") and isinstance(value, list)]
    links = [link for found in lists for link in found]
    return bool(answer.get("next")) or any(isinstance(link, dict) and link.get("rel") == "next" for link in links)


def _file_of(text: str) -> Any:
    """A file for libraries that want one; it goes when the session is closed."""
    file = tempfile.NamedTemporaryFile("w", suffix=".pem")  # noqa: SIM115
    file.write(text)
    file.flush()
    return file
