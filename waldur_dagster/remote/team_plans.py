"""What has to be changed so that a remote project has the team that the project here has: looked up, not yet done."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from waldur_dagster.clients.waldur import Document, Instant, Uuid, Words
from waldur_dagster.remote.projects import at_remote
from waldur_dagster.remote.remotes import client
from waldur_dagster.remote.teams import Seat, Team
from waldur_dagster.visits import Visit


class Member(Document):
    """A role of a user in a remote project."""

    user_username: Words
    user_uuid: Uuid
    role_name: Words
    expiration_time: Instant | None = None


@dataclass(frozen=True)
class Step:
    """A change of one seat. ``uuid`` is the user's at the remote; '' has to be asked for there."""

    kind: Literal["add", "update", "delete"]
    username: str
    uuid: str
    seat: Seat

    def __str__(self) -> str:
        return f"{self.kind} {self.username} as {self.seat.role}"


@dataclass(frozen=True)
class Plan:
    """``project`` is the remote project's uuid; None: there is none yet, and everybody is to be added to a new one.

    ``known`` are the users there, ``lost`` those who would have no role any more. ``notes`` are to be told.
    """

    team: Team
    project: str | None = None
    steps: tuple[Step, ...] = ()
    known: int = 0
    lost: int = 0
    notes: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not self.steps and (self.project is not None or not self.team.wanted)

    def without_removals(self) -> Plan:
        """Nobody who has no seat here loses his there."""
        kept = {step.username for step in self.steps if step.kind != "delete"} | self.team.wanted.keys()
        return replace(self, lost=0, steps=tuple(s for s in self.steps if s.kind != "delete" or s.username in kept))


def plan_team(visit: Visit, team: Team) -> Plan:
    """Look what is there, and say what has to be done."""
    api = client(visit, team.remote)
    found = at_remote(visit, api, team.project, team.organization, count=team.count)
    if len(found) > 1:
        note = f"{len(found)} projects at {team.remote.name} stand for it; the team of none was changed"
        return Plan(team, "", notes=(note,))
    if not found:
        return Plan(team)
    listed = [Member.read(one) for one in api.listed(f"projects/{found[0].uuid}/list_users/")]
    return _compared(team, found[0].uuid, listed)


@dataclass
class _Matched:
    """Members by the user here whom they are; ``others`` are nobody here; ``unclear``: one may be several users."""

    here: dict[str, list[Member]] = field(default_factory=lambda: defaultdict(list))
    others: list[Member] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)


def _compared(team: Team, project: str, listed: Sequence[Member]) -> Plan:
    matched = _match(team, listed)
    steps: list[Step] = []
    for username, seat in team.wanted.items():
        if username.lower() not in {name.lower() for name in matched.unclear}:
            steps += _steps_of(username, seat, matched.here.get(username, []))
    notes = [
        f"{name} may be several users whose names differ only in case; nobody was removed" for name in matched.unclear
    ]
    if matched.others and not team.wanted:
        notes.append(f"nobody here is to be in it; the {len(matched.others)} members at {team.remote.name} stay")
    leaving = [] if notes else matched.others
    steps += [_removal(one.user_username, one) for one in leaving]
    return Plan(
        team,
        project,
        tuple(steps),
        known=len({one.user_uuid for one in listed}),
        lost=len({one.user_uuid for one in leaving}),
        notes=tuple(notes),
    )


def _match(team: Team, listed: Iterable[Member]) -> _Matched:
    """By the exact name; else by the one name here that differs only in case."""
    matched = _Matched()
    similar: dict[str, list[str]] = defaultdict(list)
    for username in team.wanted:
        similar[username.lower()].append(username)
    exact = [one for one in listed if one.user_username in team.wanted]
    uuids = {one.user_username: one.user_uuid for one in exact}
    for one in exact:
        matched.here[one.user_username].append(one)
    for one in listed:
        if one.user_username in team.wanted:
            continue
        names = similar.get(one.user_username.lower(), [])
        if not names:
            matched.others.append(one)
        elif len(names) > 1 or uuids.get(names[0], one.user_uuid) != one.user_uuid:
            matched.unclear.append(one.user_username)
        else:
            matched.here[names[0]].append(one)
            uuids[names[0]] = one.user_uuid
    matched.unclear = list(dict.fromkeys(matched.unclear))
    return matched


def _steps_of(username: str, seat: Seat, members: Sequence[Member]) -> Iterable[Step]:
    """Other roles go first, then the wanted one comes or gets another end."""
    uuid = members[0].user_uuid if members else ""
    for one in members:
        if one.role_name != seat.role:
            yield _removal(username, one)
    same = [one for one in members if one.role_name == seat.role]
    if not same:
        yield Step("add", username, uuid, seat)
    elif same[0].expiration_time != seat.end:
        yield Step("update", username, uuid, seat)


def _removal(username: str, one: Member) -> Step:
    return Step("delete", username, one.user_uuid, Seat(one.role_name, one.expiration_time))
