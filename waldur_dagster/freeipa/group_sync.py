"""waldur-freeipa-sync-groups: FreeIPA has a group for each organization and project, and locks who is inactive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from waldur_dagster.clients.failures import ItemFailed
from waldur_dagster.clients.freeipa import BATCH, BATCHED_FROM, Change, Exists, FreeIpa, Listing
from waldur_dagster.freeipa import groups
from waldur_dagster.freeipa.groups import Group, Prefixes
from waldur_dagster.freeipa.server import connect, server_facts, system_name
from waldur_dagster.schema import freeipa
from waldur_dagster.site import Transactions
from waldur_dagster.visits import Stop, Visit, visit
from waldur_dagster.work import Work

profile = freeipa.profile
FIGURES = {
    "group_add": "groups added",
    "group_mod": "groups changed",
    "group_add_member": "additions to groups",
    "group_remove_member": "removals from groups",
    "group_del": "groups deleted",
    "user_enable": "accounts unlocked",
    "user_disable": "accounts locked",
}
SHOWN = 10  # names in a warning

Told = tuple[Change, Any, ItemFailed | None]  # a change, FreeIPA's result, and what was refused


def synchronize_groups(transaction: Transactions) -> None:
    """Make groups, their members and the status of accounts in FreeIPA what the site says (spec people).

    FreeIPA is read first and the site after that, so that a group that is there for something new is never taken for
    one that nobody wants. Only what differs is called for; what is refused is told, and the rest is done. Groups are
    deleted only when both sides were read completely.
    """
    with transaction() as work:
        facts = server_facts(work)
    _Synchronization(transaction, facts, connect(facts)).run()


@dataclass
class _Synchronization:
    transaction: Transactions
    facts: dict[str, Any]
    server: FreeIpa
    wanted: dict[str, Group] = field(default_factory=dict)
    there: dict[str, Group] = field(default_factory=dict)
    complete: bool = False
    unknown: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.prefixes = Prefixes(self.facts["GROUPNAME_PREFIX"], self.facts["USERNAME_PREFIX"])

    def run(self) -> None:
        if self._read("groups", self._groups, self._compare):
            self._change(groups.missing_groups(self.wanted, self.there), self._note_added)
            for changes in groups.differences(self.wanted, self.there, self.prefixes):
                self._change(changes, self._note_members)
            self._delete()
            self._synchronize_status()

    def _read(self, what: str, fetch: Any, merge: Any) -> bool:
        """Read something from FreeIPA, and from the site after that; whether it could be."""
        done: list[bool] = []

        def compare(work: Work, _: Any, found: Any) -> None:
            merge(work, found)
            done.append(True)

        visit(self.transaction, [self._stop(f"FreeIPA {what}", None)], fetch, compare)
        return bool(done)

    def _stop(self, item: str, facts: Any) -> Stop[Any]:
        return Stop(system_name(self.facts), item, facts)

    def _groups(self, _: Visit, __: Any) -> Listing:
        return self.server.groups()

    def _compare(self, work: Work, listing: Listing) -> None:
        self.there, self.complete = groups.own_groups(listing, self.prefixes)
        self.wanted = groups.wanted_groups(work, self.prefixes)

    def _change(self, changes: Sequence[Change], note: Any = None) -> None:
        """Make changes of one kind, a few one by one, many in batches; tell each that is refused."""
        size = BATCH if len(changes) >= BATCHED_FROM else 1
        parts = [changes[start : start + size] for start in range(0, len(changes), size)]

        def fetch(visiting: Visit, part: Sequence[Change]) -> list[Told]:
            answers = visiting.change(_words(part), lambda: self.server.do(part)) or [(None, None)] * len(part)
            told = [(change, *answer) for change, answer in zip(part, answers, strict=True)]
            return note(told) if note is not None else told

        def merge(work: Work, _: Any, told: list[Told]) -> None:
            for change, _result, problem in told:
                if problem is not None:
                    work.outcome.fail(f"FreeIPA {change.command} {change.name}", str(problem))
                elif not work.dry_run:
                    work.outcome.figures[FIGURES[change.command]] += 1

        # In one session, and one after the other: FreeIPA's directory takes changes of one group in turn anyway.
        visit(self.transaction, [self._stop(f"FreeIPA {_words(p)}", p) for p in parts], fetch, merge, parallel=1)

    def _note_added(self, told: list[Told]) -> list[Told]:
        """Groups that were made are there; so are those that a list which was cut off has left out."""
        noted: list[Told] = []
        for change, result, refused in told:
            made, problem = Group(change.name, change.options["description"]), refused
            if isinstance(refused, Exists) and not self.complete:
                made, problem = self._look_up(made)
            if problem is None:
                self.there[change.name.casefold()] = made
            noted.append((change, result, problem))
        return noted

    def _look_up(self, group: Group) -> tuple[Group, ItemFailed | None]:
        try:
            known = groups.group_of(self.server.group(group.name), self.prefixes)
        except ItemFailed as problem:
            return group, problem
        return (known, None) if known else (group, ItemFailed("FreeIPA shows it in an unknown form"))

    def _note_members(self, told: list[Told]) -> list[Told]:
        """Members that FreeIPA does not know are no failure; they are told together at the end."""
        for change, result, _ in told:
            if change.command == "group_add_member":
                self.unknown |= _not_taken(result)
        return told

    def _delete(self) -> None:
        stale = groups.stale_groups(self.wanted, self.there)
        reason = ""
        if not self.prefixes.group:
            reason = "GROUPNAME_PREFIX is empty, so that all groups of FreeIPA would be the site's"
        elif not self.wanted:
            reason = "the site has neither organizations nor projects"
        elif not self.complete:
            reason = "FreeIPA's list of groups is cut off; raise its limits: ipa config-mod --searchtimelimit"
        if not reason:
            self._change(stale)
        with self.transaction() as work:
            if stale and reason:
                work.outcome.warn("FreeIPA groups", f"{len(stale)} that nobody wants were not deleted: {reason}")
            elif reason and self.wanted:
                work.outcome.warn("FreeIPA groups", f"none would be deleted: {reason}")
            if self.unknown:
                names = ", ".join(sorted(self.unknown)[:SHOWN])
                work.outcome.warn("FreeIPA groups", f"{len(self.unknown)} members are not known there: {names}")

    def _synchronize_status(self) -> None:
        found: list[Change] = []

        def compare(work: Work, listing: Listing) -> None:
            found.extend(_status_changes(work, listing))

        self._read("accounts", lambda *_: self.server.users(), compare)
        for command in ("user_enable", "user_disable"):
            self._change([change for change in found if change.command == command])


def _words(changes: Sequence[Change]) -> str:
    return f"{changes[0].command} {', '.join(change.name for change in changes)}"


def _not_taken(result: Any) -> set[str]:
    """The names that an addition to a group was refused for, but for those that are in it already."""
    try:
        refused = [pair for kind in result["failed"]["member"].values() for pair in kind]
        return {str(name) for name, reason in refused if "already" not in str(reason)}
    except (KeyError, TypeError, ValueError, AttributeError):
        return set()


def _status_changes(work: Work, listing: Listing) -> list[Change]:
    """Accounts to lock and to unlock; one whose status FreeIPA does not tell stays as it is."""
    locked = {name.casefold(): _is_locked(entry) for entry in listing.entries if (name := _account(entry))}
    rows = work.connection.execute(select(profile.c.username, profile.c.is_active).order_by(profile.c.id))
    return [
        Change("user_enable" if row.is_active else "user_disable", row.username)
        for row in rows
        if locked.get(row.username.casefold()) is row.is_active
    ]


def _account(entry: Any) -> str | None:
    names = entry.get("uid")
    name = names[0] if isinstance(names, list) and names else names
    return name if isinstance(name, str) else None


def _is_locked(entry: Any) -> bool | None:
    status = entry.get("nsaccountlock")
    status = status[0] if isinstance(status, list) and status else status
    return {"true": True, "false": False}.get(str(status).lower())
