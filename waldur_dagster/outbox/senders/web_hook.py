"""Web hooks: addresses that users chose, to which events are posted without credentials (spec core 1.7)."""

from __future__ import annotations

import hashlib
import json
import time
from typing import Any
from urllib.parse import urljoin, urlsplit

from waldur_dagster.clients import http
from waldur_dagster.deployment import Deployment
from waldur_dagster.outbox.messages import Message, WebCall
from waldur_dagster.outbox.senders.interface import Down, Refused, Sender, UnknownFate
from waldur_dagster.words import in_words

# By which a receiver tells a call that is repeated; the name is that of the Standard Webhooks specification.
ID_HEADER = "webhook-id"
MOST_REDIRECTIONS = 5
SAME_CALL_ELSEWHERE = frozenset({307, 308})


class WebHook(Sender):
    """The hooks of one host. An answer of any status is a delivery, except one that points elsewhere."""

    def __init__(self, deployment: Deployment, _: object = None):
        self._deployment = deployment
        self.longest = deployment.web_hooks.timeout

    def send(self, message: WebCall) -> None:
        request = {"headers": {ID_HEADER: repetition_id(self._deployment, message)}} | _body(message)
        end = time.monotonic() + self.longest
        url = message.url
        for _ in range(MOST_REDIRECTIONS + 1):
            answer = self._post(url, max(0.01, end - time.monotonic()), message.verify, request)
            if not 300 <= answer.status < 400:
                return
            place = answer.headers.get("Location", "")
            if answer.status not in SAME_CALL_ELSEWHERE or not place:
                raise Refused(_says(url, f"answers {answer.status}; only 307 and 308 lead a call elsewhere"))
            url = urljoin(url, place)
        raise Refused(_says(message.url, f"leads elsewhere more than {MOST_REDIRECTIONS} times"))

    def _post(self, url: str, seconds: float, verify: bool, request: dict[str, Any]) -> http.Answer:
        allowed = self._deployment.web_hooks.private_networks
        try:
            return http.post(url, seconds=seconds, read=0, verify=verify, permitted=allowed, **request)
        except http.Forbidden as problem:
            raise Refused(_says(url, f"is not called: {problem}")) from None
        except http.NotReached as problem:
            raise Down(_says(url, problem)) from None
        except http.NoAnswer as problem:
            raise UnknownFate(_says(url, problem), slow=problem.slow) from None


def repetition_id(deployment: Deployment, message: Message) -> str:
    """The same for every try of a message, and different for the messages of other sites."""
    site = f"{deployment.name} {deployment.settings['WALDUR_CORE.HOMEPORT_URL']}"
    return hashlib.sha256(f"{site} {message.key}".encode()).hexdigest()[:32]


def _body(call: WebCall) -> dict[str, Any]:
    if call.fields is None:
        return {}
    if call.form:
        return {"data": call.fields | {"context": json.dumps(call.fields.get("context"))}}
    return {"json": call.fields}


def _says(url: str, problem: BaseException | str) -> str:
    """With the host alone: the rest of a hook's address is often all that guards it."""
    try:
        host = urlsplit(url).hostname or "?"
    except ValueError:
        host = "?"
    return f"web hook {host}: {in_words(str(problem))}"
