"""Visiting many items in outside systems: fetched at once, a few at a time, and merged one by one."""

from waldur_dagster.visits.circuit import Circuit
from waldur_dagster.visits.loop import Partly, visit
from waldur_dagster.visits.stops import Stop, Visit

__all__ = ["Circuit", "Partly", "Stop", "Visit", "visit"]
