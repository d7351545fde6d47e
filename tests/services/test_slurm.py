"""SLURM: what allocations and their users have used in a month, and their limits."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.scene import Scene
from waldur_dagster.clients.slurm import Slurm
from waldur_dagster.schema import freeipa, slurm, structure
from waldur_dagster.services.pull import pull_service_resources

NOW = datetime(2025, 3, 10, 9, 30, tzinfo=UTC)
OK = 3


@pytest.fixture
def cluster(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What sacct and sacctmgr print for the one allocation of a site."""
    printed = {"sacct": "", "sacctmgr": ""}
    monkeypatch.setattr(Slurm, "_run", lambda self, *command: printed[command[0]])
    settings = scene.add(structure.servicesettings, type="SLURM", name="hpc", state=OK, is_active=True, options="{}")
    place = {"service_settings_id": settings, "project_id": scene.project(scene.customer()), "state": OK}
    limits = {"cpu_limit": 1000, "gpu_limit": 200, "ram_limit": 300}
    scene.add(slurm.allocation, name="a1", backend_id="acc", is_active=True, **place, **limits)
    return printed


def pull(scene: Scene) -> None:
    with scene.site() as site:
        pull_service_resources(site.transactions("pull-service-resources", NOW))
        assert site.outcome.failures == []


def used(row: Any) -> tuple[int, int, int]:
    return row.cpu_usage, row.gpu_usage, row.ram_usage


def test_many_short_jobs_count_as_one_long_one(scene: Scene, cluster: dict[str, str]) -> None:
    """100 jobs of 25 seconds are 42 minutes, although each of them is less than half a minute."""
    cluster["sacct"] = "\n".join(["acc|cpu=1,mem=1024M|00:00:25|alice"] * 60 + ["acc|cpu=1|00:00:25|bob"] * 40)
    pull(scene)
    assert used(scene.one(slurm.allocation)) == (42, 0, 25600)
    assert {row.username: used(row) for row in scene.rows(slurm.allocationuserusage)} == {
        "alice": (25, 0, 25600),
        "bob": (17, 0, 0),
    }


def test_usage_is_that_of_the_user_with_the_name(scene: Scene, cluster: dict[str, str]) -> None:
    """Also in rows that were written before the user had one; a name that is unknown now takes nobody away."""
    account = scene.one(slurm.allocation).id
    alice, carol = scene.user("alice@example.org"), scene.user("carol@example.org")
    scene.add(freeipa.profile, user_id=alice, username="alice", is_active=True)
    month = {"allocation_id": account, "year": 2025, "month": 3}
    scene.add(slurm.allocationuserusage, username="carol", user_id=carol, **month)
    cluster["sacct"] = "\n".join(f"acc|cpu=1|01:00:00|{name}" for name in ("alice", "bob", "carol", "dora"))
    pull(scene)
    dora = scene.user("dora@example.org")
    scene.add(freeipa.profile, user_id=dora, username="dora", is_active=True)
    pull(scene)
    found = {row.username: (row.user_id, row.cpu_usage) for row in scene.rows(slurm.allocationuserusage)}
    assert found == {"alice": (alice, 60), "bob": (None, 60), "carol": (carol, 60), "dora": (dora, 60)}


@pytest.mark.parametrize(
    ("printed", "limits"),
    [
        ("acc|cpu=500", (500, 0)),
        ("acc|gres/gpu=7,mem=9", (0, 7)),
        ("acc|", (1000, 200)),
        ("", (1000, 200)),
    ],
)
def test_a_limit_that_was_lifted_does_not_stay(
    scene: Scene, cluster: dict[str, str], printed: str, limits: tuple[int, int]
) -> None:
    cluster["sacctmgr"] = printed
    pull(scene)
    row = scene.one(slurm.allocation)
    assert (row.cpu_limit, row.gpu_limit) == limits
