"""Waldur's own REST API, called as the user of the deployment's token."""

from __future__ import annotations

from waldur_dagster.clients import http
from waldur_dagster.deployment import Deployment
from waldur_dagster.outbox.messages import ApiCall
from waldur_dagster.outbox.senders.interface import Down, Misconfigured, Postponed, Refused, Sender, UnknownFate
from waldur_dagster.words import in_words

OF_JSON = frozenset({b"", b"{", b"[", b'"'})  # how an answer of Waldur begins; a page of somebody else's does not
UNAVAILABLE = frozenset({502, 503, 504})  # said by what stands before Waldur


class WaldurApiCalls(Sender):
    """POSTs to the API; what Waldur refuses is refused for good, but a refused token is the deployment's fault."""

    def __init__(self, deployment: Deployment, _: object = None):
        self._api, self._secrets = deployment.waldur_api, deployment.secrets
        if self._api is not None:
            self.longest = self._api.timeout

    def ready(self, message: ApiCall) -> None:
        if self._api is None:
            raise Misconfigured("no API of Waldur is configured ([waldur_api] url, token)")

    def send(self, message: ApiCall) -> None:
        assert self._api is not None
        headers = {"Authorization": f"Token {self._api.token.get_secret_value()}"}
        try:
            answer = http.post(
                f"{self._api.url}{message.path}", seconds=self.longest, read=1000, json=message.body, headers=headers
            )
        except http.NotReached as problem:
            raise Down(self._says(problem)) from None
        except http.NoAnswer as problem:
            raise UnknownFate(self._says(problem), slow=problem.slow) from None
        if answer.is_success:
            if answer.body.lstrip()[:1] not in OF_JSON:
                raise Misconfigured(self._says(f"answers {answer.status} without JSON: is [waldur_api] url Waldur's?"))
            return
        reason = self._says(f"answers {answer.status}: {answer.text}")
        if answer.status == 401:
            raise Misconfigured(reason)
        if answer.status in UNAVAILABLE:
            raise Down(reason)
        raise (Refused if answer.is_refusal or answer.status < 400 else Postponed)(reason)

    def _says(self, problem: BaseException | str) -> str:
        return f"Waldur's API: {in_words(str(problem), self._secrets)}"
