"""SLURM: its commands on the head node of a cluster, over ssh (spec openstack, pull-service-resources)."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from waldur_dagster.clients.failures import ItemFailed, SystemFailed
from waldur_dagster.clients.patience import time_left

CONNECT_TIMEOUT = 10  # seconds
NO_CONNECTION = 255  # ssh's own exit status
SHOWN = 300


@dataclass(frozen=True)
class Job:
    """What one job of an account has used: cores, GPUs and MiB, each times seconds, which sum up without rounding."""

    account: str
    user: str
    cpu: int
    gpu: int
    ram: int


class Slurm:
    """The head node that service settings name: hostname, username, port, gateway, use_sudo."""

    def __init__(self, options: Mapping[str, Any]):
        self._options = options

    def jobs(self, accounts: Collection[str], first: date, last: date) -> list[Job]:
        """The jobs of these accounts in a month, as sacct tells them."""
        output = self._run(
            *("sacct", "--parsable2", "--noheader", "--noconvert", "--truncate", "--allocations", "--allusers"),
            *(f"--starttime={first}", f"--endtime={last}", f"--accounts={','.join(accounts)}"),
            "--format=Account,ReqTRES,Elapsed,User",
        )
        return [_job(line) for line in output.splitlines() if line.strip()]

    def limits(self, account: str) -> dict[str, int]:
        """Limits of an account by their names at SLURM, in minutes."""
        output = self._run(
            *("sacctmgr", "--parsable2", "--noheader", "show", "association"),
            *("format=account,GrpTRESMins", "where", f"accounts={account}"),
        )
        found: dict[str, int] = {}
        for line in output.splitlines():
            _, _, resources = line.partition("|")
            found |= _resources(resources)
        return found

    def _run(self, *command: str) -> str:
        options = self._options
        words = ["sudo", *command] if options.get("use_sudo") else list(command)
        address = f"{options.get('username') or 'root'}@{options.get('hostname') or 'localhost'}"
        call: list[str] = ["ssh", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={CONNECT_TIMEOUT}"]
        call += ["-p", str(options.get("port") or 22)]
        if options.get("gateway"):
            call += ["-J", str(options["gateway"])]
        try:
            done = subprocess.run(  # noqa: S603  no shell here, and words are quoted for the one over there
                [*call, "--", address, shlex.join(words)],
                capture_output=True,
                text=True,
                check=False,
                timeout=time_left() * 3,
                stdin=subprocess.DEVNULL,
            )
        except FileNotFoundError:
            raise SystemFailed("there is no ssh where this program runs") from None
        except subprocess.TimeoutExpired:
            raise SystemFailed(f"{command[0]} at {address} took too long") from None
        if done.returncode == NO_CONNECTION:
            raise SystemFailed(f"ssh to {address}: {done.stderr.strip()[:SHOWN]}")
        if done.returncode:
            raise ItemFailed(f"{command[0]} at {address} failed: {done.stderr.strip()[:SHOWN]}")
        return done.stdout


def _job(line: str) -> Job:
    try:
        account, resources, elapsed, user = line.split("|")
        seconds = _seconds(elapsed)
        used = _resources(resources)
    except ValueError:
        raise ItemFailed(f"sacct printed a line that is none of its own: {line[:80]!r}") from None
    return Job(
        account,
        user,
        used.get("cpu", 0) * seconds,
        used.get("gres/gpu", 0) * seconds,
        used.get("mem", 0) * seconds,
    )


def _resources(text: str) -> dict[str, int]:
    """``cpu=2,gres/gpu=1,mem=4096M`` by name; memory in MiB."""
    found = {}
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        found[name] = _amount(value)
    return found


def _amount(value: str) -> int:
    units = {"K": 1 / 1024, "M": 1, "G": 1024, "T": 1024**2}
    if value and value[-1] in units:
        return round(float(value[:-1]) * units[value[-1]])
    return int(value)


def _seconds(elapsed: str) -> int:
    """``[days-]hours:minutes:seconds``."""
    days, _, clock = elapsed.rpartition("-")
    hours, minutes, seconds = (int(part) for part in clock.split(":"))
    return ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds


def names(accounts: Sequence[str]) -> list[str]:
    """Accounts that can be named in a list of sacct's."""
    return [account for account in accounts if account and "," not in account]
