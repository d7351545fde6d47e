"""FreeIPA's JSON-RPC interface, through python-freeipa (spec people 0.6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any, Self, TypeVar

from python_freeipa import ClientMeta
from python_freeipa.exceptions import FreeIPAError, Unauthorized

from waldur_dagster.clients import http, patience
from waldur_dagster.clients.closing import Closing
from waldur_dagster.clients.failures import (
    Incomplete,
    ItemFailed,
    LoginRefused,
    NotFound,
    SystemFailed,
    VisitFailed,
    without_secrets,
    words_of,
)

UNAVAILABLE = frozenset({502, 503, 504})  # said by what stands before FreeIPA
LONGEST_ANSWER = 2**24  # bytes
LONGEST_LIST = 2**28  # bytes; 60,000 groups with their members are some 50 MiB
LONG = 300.0  # seconds, for a list of everything and for many changes in one call
# So many changes of one kind are sent in batches of so many; fewer go one by one.
BATCHED_FROM, BATCH = 25, 50
DENIED, NOT_FOUND, EXISTS, NO_CHANGE = 2100, 4001, 4002, 4202

Result = TypeVar("Result")


class Refused(ItemFailed):
    """FreeIPA understood the command and says no."""


class Exists(Refused):
    """What was to be made is there already."""


class NoChange(Refused):
    """What was to be changed is so already."""


class NotPermitted(Refused):
    """The program's own account may not do this."""


class SessionLost(ItemFailed):
    """FreeIPA has dropped the program's session, once more than it is begun again."""


_KINDS: dict[int, type[ItemFailed]] = {
    DENIED: NotPermitted,
    NOT_FOUND: NotFound,
    EXISTS: Exists,
    NO_CHANGE: NoChange,
}


@dataclass(frozen=True)
class Change:
    """One call that changes a group or an account: FreeIPA's command, the name, and its named parameters."""

    command: str
    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Listing:
    """Entries of a kind; ``complete`` is False where FreeIPA says that there are more, or some cannot be read."""

    entries: Sequence[Mapping[str, Any]]
    complete: bool


class FreeIpa(Closing):
    """A session with the site's FreeIPA server; logs in at the first call. A context manager.

    The setting HOSTNAME is a name, or a URL where the server is not reached by https. All calls raise LoginRefused,
    SystemFailed or ItemFailed (``clients.failures``), with the server's own words. A session that the server drops is
    begun again, once. ``longest``: seconds that a call takes at most, its repetitions included.
    """

    def __init__(self, hostname: str, username: str, password: str, *, verify: bool = True):
        self.hostname = hostname
        self._username, self._password = username, password
        self._client = ClientMeta(hostname, verify_ssl=verify, dns_discovery=False)
        self._session = self._client._session = _Session()
        self._logins = 0

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """The server that the site's settings WALDUR_FREEIPA name. Raises BadSetting."""
        facts = settings["WALDUR_FREEIPA"]
        return cls(facts["HOSTNAME"], facts["USERNAME"], facts["PASSWORD"], verify=facts["VERIFY_SSL"])

    @property
    def longest(self) -> float:
        return patience.ATTEMPTS * (http.TIMEOUT + patience.LONGEST_PAUSE)

    def log_in(self) -> None:
        """Begin the session, once. Raises LoginRefused or SystemFailed."""
        if not self._logins:
            self._begin()

    def add_user(self, username: str, facts: Mapping[str, Any]) -> None:
        """Make an account of which ``facts`` has FreeIPA's attributes; one that exists already stays as it is."""
        options = {name: value for name, value in facts.items() if value not in (None, "", [])}
        given, family, full = (options.pop(name, "N/A") for name in ("givenname", "sn", "cn"))
        try:
            self._ask(lambda: self._client.user_add(username, given, family, full, **options))
        except Exists:
            return

    def change_user(self, username: str, attributes: Mapping[str, Any]) -> bool:
        """Give an account these attributes; False where it has them already. None takes an attribute away."""
        try:
            self._command("user_mod", username, dict(attributes))
        except NoChange:
            return False
        return True

    def user(self, username: str) -> Mapping[str, Any]:
        """All attributes of an account."""
        return self._entry("user_show", username, all=True)

    def group(self, name: str) -> Mapping[str, Any]:
        """A group with its members."""
        return self._entry("group_show", name)

    def groups(self) -> Listing:
        """All groups with their members."""
        # Newer servers leave members out of lists unless they are asked for them.
        return self._listing("group_find", no_members=False)

    def users(self) -> Listing:
        """All active and locked accounts, without the groups that they are in."""
        return self._listing("user_find", no_members=True)

    def do(self, changes: Sequence[Change]) -> list[tuple[Any, ItemFailed | None]]:
        """Make the changes, several in one call; gives for each its result, or what was refused.

        Raises what concerns all of them: that the server does not answer, or refuses this program.
        """
        if len(changes) > 1:
            try:
                return self._batch(changes)
            except Refused:  # a server without the command
                pass
            except ItemFailed as problem:  # many that fail so are no affair of single groups
                raise SystemFailed(str(problem)) from None
        return [self._single(change) for change in changes]

    def _single(self, change: Change) -> tuple[Any, ItemFailed | None]:
        try:
            return self._command(change.command, change.name, dict(change.options)), None
        except ItemFailed as problem:
            return None, problem

    def _batch(self, changes: Sequence[Change]) -> list[tuple[Any, ItemFailed | None]]:
        methods = [{"method": c.command, "params": [[c.name], dict(c.options)]} for c in changes]
        answer = self._ask(lambda: self._client.batch(a_methods=methods), LONG)
        results = answer.get("results") if isinstance(answer, dict) else None
        if not isinstance(results, list) or len(results) != len(changes):
            raise SystemFailed(f"{self._place}: the answer to {len(changes)} commands has not as many results")
        return [self._told(result) for result in results]

    def _told(self, result: Any) -> tuple[Any, ItemFailed | None]:
        """One result of a batch, whose errors have a form of their own."""
        if not isinstance(result, dict):
            return None, ItemFailed(f"{self._place}: a result has an unknown form")
        if result.get("error") is None:
            return result, None
        code, said = result.get("error_code"), without_secrets(str(result["error"]), [self._password])
        return None, _KINDS.get(code or 0, Refused)(f"{self._place}: {result.get('error_name', code)} {said}")

    def _listing(self, command: str, **options: Any) -> Listing:
        answer = self._command(command, None, {"sizelimit": 0} | options, LONG)
        entries = answer.get("result") if isinstance(answer, dict) else None
        if not isinstance(entries, list):
            raise Incomplete(f"{self._place}: the answer to {command} has no list")
        readable = [entry for entry in entries if isinstance(entry, dict)]
        counts = (len(readable), answer.get("count", len(readable)))
        return Listing(readable, complete=not answer.get("truncated") and counts == (len(entries), len(entries)))

    def _entry(self, command: str, name: str, **options: Any) -> Mapping[str, Any]:
        answer = self._command(command, name, options)
        entry = answer.get("result") if isinstance(answer, dict) else None
        if not isinstance(entry, dict):
            raise ItemFailed(f"{self._place}: the answer to {command} {name} shows nothing")
        return entry

    def _command(self, command: str, name: str | None, options: dict[str, Any], seconds: float | None = None) -> Any:
        """Ask for a command by the library's general way: its methods of their own send defaults of all parameters."""
        return self._ask(lambda: self._client._request(command, name, options), seconds)

    def _ask(self, command: Callable[[], Result], seconds: float | None = None) -> Result:
        """What FreeIPA answers to a command; logs in before the first, and once more when the session is lost."""
        self.log_in()
        self._session.seconds = seconds
        try:
            return command()
        except Unauthorized as error:
            if self._session.status != 401:
                raise self._problem(error) from None
            if self._logins > 1:
                raise SessionLost(f"{self._place}: the session was lost again (HTTP 401)") from None
        except (FreeIPAError, http.CallFailed, ValueError, TypeError, KeyError) as error:
            raise self._problem(error) from None
        self._begin()
        return self._ask(command, seconds)

    def _begin(self) -> None:
        self._session.seconds = None
        try:
            self._client.login(self._username, self._password)
        except Exception as error:
            problem = self._problem(error)
            if isinstance(error, Unauthorized):
                kind = LoginRefused if self._session.status < 500 else SystemFailed
                raise kind(str(problem)) from None
            raise problem from None
        self._logins += 1

    @property
    def _place(self) -> str:
        return f"FreeIPA at {self.hostname}"

    def _problem(self, error: Exception) -> VisitFailed:
        """What went wrong; FreeIPA's own words where it gave some, without the password."""
        said = words_of(str(error), [self._password])
        words = f"{self._place}: {type(error).__name__} {said}".strip()
        if isinstance(error, http.Forbidden):
            return LoginRefused(words)
        if isinstance(error, http.CallFailed):
            return SystemFailed(words)
        if isinstance(error, Unauthorized):
            return NotPermitted(words)
        is_answer = isinstance(error, FreeIPAError) and self._session.status < 400
        return _KINDS.get(getattr(error, "code", 0), Refused)(words) if is_answer else ItemFailed(words)

    def close(self) -> None:
        """Nothing is open between calls."""


class _Session:
    """What python-freeipa wants of a session of ``requests``, with a total deadline for each call.

    Keeps FreeIPA's cookie; a HOSTNAME that is a URL keeps its scheme. A call that was certainly not taken is repeated.
    ``seconds`` that the next call may take; ``status`` of the last answer.
    """

    def __init__(self) -> None:
        self.seconds: float | None = None
        self.status = 0
        self._cookies: dict[str, str] = {}

    def post(self, url: str, *, headers: Mapping[str, str], data: Any, verify: bool, **_: Any) -> _Response:
        address = url.removeprefix("https://") if url.startswith(("https://http://", "https://https://")) else url
        body = {"data": data} if isinstance(data, dict) else {"content": data}

        def once() -> _Response:
            cookies = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
            sent = dict(headers) | (cookies if self._cookies else {})
            most = LONGEST_ANSWER if self.seconds is None else LONGEST_LIST
            answer = http.post(address, seconds=self.seconds, read=most, verify=verify, headers=sent, **body)
            if len(answer.body) >= most:  # what was cut off is not even looked at
                raise http.NoAnswer(f"its answer is larger than {most / 2**20:g} MiB")
            return _Response(answer)

        response = patience.patient(once, "POST", http.NotReached)
        self.status = response.status_code
        if response.status_code in UNAVAILABLE:
            raise http.NotReached(f"answers {response.status_code}")
        for line in response.headers.get_list("Set-Cookie"):
            self._cookies |= {name: crumb.value for name, crumb in SimpleCookie(line).items()}
        return response


class _Response:
    """An answer under the names that ``requests`` gives to its parts."""

    def __init__(self, answer: http.Answer):
        self.status_code, self.headers, self.text = answer.status, answer.headers, answer.text
        self.ok = answer.status < 400
        self.json = answer.json
