"""Every implemented entry of the catalog becomes a schedule."""

from schedules.entry_schedule import build_schedules

__all__ = ["build_schedules"]
