"""`make chaos`: bad luck of every kind for every entry that has a job; prints what was tried and what fell.

The entries are those of the catalog that have a job here: one that is added is tried without a word about it. The
sites are made on servers of their own, which are deleted afterwards. Ends with 1 when anything fell.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import URL

from tests.chaos import junk_and_pairs, outside
from tests.chaos.kills import kills
from tests.chaos.launcher import Launcher
from tests.chaos.outages import full_disk, held_back, restarted, small_disk
from tests.chaos.places import Place, Scene, placed
from tests.chaos.scenes import all_scenes
from tests.chaos.servers import ChaosServer
from tests.chaos.sizes import FULL, SMALL, Size
from tests.chaos.together import together
from tests.chaos.trials import Usual, chosen, usual
from tests.memory import memory_folder
from waldur_dagster.availability.writes import WRITES

PROGRESS = 30.0  # seconds
# Each trial gives what was wrong with it.
Trials = Iterator[list[str]]


def all_kills(place: Place, launchers: list[Launcher], size: Size) -> Trials:
    for name in place.scene.entries():
        yield from kills(launchers[0], place, name, size.points)


def same_at_once(place: Place, launchers: list[Launcher], size: Size) -> Trials:
    """Two and three runs of every entry."""
    in_order = _in_order(place, launchers[0])
    for name in place.scene.entries():
        for many in (2, 3):
            yield _told(f"{name} {many} times at once", together(launchers, place, [name] * many, in_order))


def others_at_once(place: Place, launchers: list[Launcher], size: Size) -> Trials:
    """Two entries at once: those that write the same tables, or all pairs; and each pair with a second run."""
    in_order, names = _in_order(place, launchers[0]), place.scene.entries()
    pairs = [(a, b) for n, a in enumerate(names) for b in names[n + 1 :] if size.all_pairs or _share(a, b)]
    for a, b in pairs[:: size.every_pair]:
        yield _told(f"{a} with {b}", together(launchers, place, [a, b], in_order))
        yield _told(f"{a} with {b}, twice", together(launchers, place, [a, b, b], in_order))


def _share(a: str, b: str) -> bool:
    return bool(WRITES.get(a, {}).keys() & WRITES.get(b, {}).keys())


def _in_order(place: Place, launcher: Launcher) -> Callable[..., Usual]:
    return cache(lambda *names: usual(launcher, place, *names))


def restarts(place: Place, launchers: list[Launcher], size: Size) -> Trials:
    launcher = launchers[0]
    for name in place.scene.entries():
        undisturbed = usual(launcher, place, name)
        for at in chosen(undisturbed.points, size.outages):
            yield _told(
                f"{name}, server restarted at {at} ({undisturbed.points[at - 1]})",
                restarted(launcher, place, name, at, undisturbed),
            )


def time_outs(place: Place, launchers: list[Launcher], size: Size) -> Trials:
    launcher = launchers[0]
    for name in place.scene.entries():
        undisturbed = usual(launcher, place, name)
        for at in chosen(undisturbed.points, size.outages):
            told = held_back(launcher, place, name, at, undisturbed)
            yield _told(f"{name}, statements held back from {at} ({undisturbed.points[at - 1]})", told)


def full_disks(place: Place, launchers: list[Launcher], size: Size) -> Trials:
    launcher = launchers[0]
    for name in place.scene.entries():
        with small_disk(place.folder / "small") as disk:
            if disk is None:
                print("  no disk was filled: this user may not mount one", flush=True)
                return
            yield _told(f"{name}, disk full", full_disk(launcher, place, name, usual(launcher, place, name), disk))


def _told(what: str, problems: list[str]) -> list[str]:
    return [f"{what}: {problem}" for problem in problems]


ON_SITES: dict[str, Callable[[Place, list[Launcher], Size], Trials]] = {
    "kills": all_kills,
    "same at once": same_at_once,
    "others at once": others_at_once,
    "restarts": restarts,
    "time-outs": time_outs,
    "full disks": full_disks,
}
ALONE: dict[str, Callable[[URL, Size], Trials]] = {
    "meetings": junk_and_pairs.all_meetings,
    "junk": junk_and_pairs.all_junk,
    "outside systems": outside.all_faults,
}


SIZES = {"small": SMALL, "full": FULL}
PARTS = {name.replace(" ", "-"): name for name in (*ALONE, *ON_SITES)}


def main(
    size: Annotated[str, typer.Argument(help=" or ".join(SIZES))] = "small",
    parts: Annotated[list[str] | None, typer.Argument(help=f"All by default, or some of {', '.join(PARTS)}.")] = None,
    scene: Annotated[list[str] | None, typer.Option(help="Of parts with real runs, on these sites only.")] = None,
    entry: Annotated[list[str] | None, typer.Option(help="Of parts with real runs, these entries only.")] = None,
) -> None:
    """Try every entry with bad luck of every kind; fails when anything fell."""
    if size not in SIZES:
        raise typer.BadParameter(f"write {' or '.join(SIZES)}, not {size!r}")
    if unknown := [name for name in parts or () if name not in PARTS]:
        raise typer.BadParameter(f"there is no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    scenes = [_only(one, entry) for one in all_scenes() if not scene or one.name in scene]
    if _fallen(SIZES[size], [PARTS[name] for name in parts or PARTS], scenes):
        raise typer.Exit(1)


def _only(scene: Scene, wanted: list[str] | None) -> Scene:
    """The site with those of its entries that are wanted."""
    return replace(scene, entries=lambda: [name for name in scene.entries() if not wanted or name in wanted])


def _fallen(size: Size, wanted: list[str], scenes: list[Scene]) -> bool:
    """Try the parts that are wanted, and print what was tried; whether anything fell."""
    counts: dict[str, tuple[int, int]] = {}
    with _folder() as folder:
        server = ChaosServer(Path(folder) / "postgresql")
        for name in wanted:
            if name in ALONE:
                counts[name] = _report(name, ALONE[name](server.url, size))
        on_sites = [name for name in wanted if name in ON_SITES]
        for scene in scenes if on_sites else ():
            with ExitStack() as open_parts:
                launchers = [open_parts.enter_context(Launcher()) for _ in range(3)]
                place = open_parts.enter_context(placed(scene, server.url, Path(folder), server.restart))
                for name in on_sites:
                    label = f"{name}, {scene.name}"
                    counts[label] = _report(label, ON_SITES[name](place, launchers, size))
    print("\n| what | tried | fell |\n|---|---|---|")
    for name, (tried, fell) in counts.items():
        print(f"| {name} | {tried:,} | {fell:,} |")
    return any(fell for _, fell in counts.values())


def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="waldur-chaos-", dir=memory_folder(), ignore_cleanup_errors=True)


def _report(what: str, trials: Trials) -> tuple[int, int]:
    tried = fell = 0
    told = time.monotonic()
    for problems in trials:
        tried += 1
        fell += bool(problems)
        if time.monotonic() - told > PROGRESS:
            told = time.monotonic()
            print(f"  {what}: {tried:,} so far, {fell:,} fell", flush=True)
        for problem in problems[:5]:
            print(f"  {problem}", flush=True)
    print(f"{what}: {tried:,} tried, {fell:,} fell", flush=True)
    return tried, fell


if __name__ == "__main__":
    typer.run(main)
