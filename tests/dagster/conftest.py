"""Instances of Dagster for tests."""

from collections.abc import Iterator

import dagster as dg
import pytest


@pytest.fixture(scope="module")
def kept_instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    """Schedules and sensors open the instance anew, so it has to be on disk."""
    with dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("dagster"))) as made:
        yield made


@pytest.fixture
def instance(kept_instance: dg.DagsterInstance) -> dg.DagsterInstance:
    """An instance without a history."""
    kept_instance.wipe()
    return kept_instance
