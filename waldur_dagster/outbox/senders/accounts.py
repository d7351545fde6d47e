"""FreeIPA, which makes accounts for guests."""

from __future__ import annotations

from collections.abc import Callable

from waldur_dagster.clients.failures import LoginRefused, SystemFailed, VisitFailed
from waldur_dagster.clients.freeipa import FreeIpa, NotPermitted, SessionLost
from waldur_dagster.deployment import Deployment
from waldur_dagster.outbox.messages import AccountRequest
from waldur_dagster.outbox.senders.interface import Down, Misconfigured, NotDelivered, Postponed, Sender
from waldur_dagster.settings import Settings
from waldur_dagster.words import in_words


class Accounts(Sender):
    """One session for a round. FreeIPA answers a second request for an account as it does the first, so a lost answer
    is no unknown fate: asking again does no harm."""

    def __init__(self, deployment: Deployment, settings: Callable[[], Settings]):
        self._secrets = deployment.secrets
        self._server = FreeIpa.of(settings())
        self.longest = 2 * self._server.longest

    def ready(self, message: AccountRequest) -> None:
        try:
            self._server.log_in()
        except VisitFailed as problem:
            raise self._meaning(problem, message) from None

    def send(self, message: AccountRequest) -> None:
        try:
            self._server.add_user(message.username, message.facts | {"userpassword": message.password})
        except VisitFailed as problem:
            raise self._meaning(problem, message) from None

    def close(self) -> None:
        self._server.close()

    def _meaning(self, problem: VisitFailed, message: AccountRequest) -> NotDelivered:
        kinds = {SystemFailed: Down, **dict.fromkeys((LoginRefused, NotPermitted, SessionLost), Misconfigured)}
        return kinds.get(type(problem), Postponed)(in_words(str(problem), [*self._secrets, message.password]))
