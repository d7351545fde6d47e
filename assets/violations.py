"""Asset checks that are queries: what a query finds should not be there."""

from collections.abc import Callable
from typing import Any

import dagster as dg
from sqlalchemy import Select

from waldur_dagster.platform.month import Month
from waldur_dagster.resources import RunSite
from waldur_dagster.work import Work

SHOWN = 20
Violations = Callable[[Work, RunSite], Select[Any]]


def of_month(violations: Callable[[Month], Select[Any]]) -> Violations:
    """Violations in the month of the run's partition."""
    return lambda _, site: violations(site.month)


def violation_check(
    asset: str, name: str, violations: Violations, description: str, *, grave: bool
) -> dg.AssetChecksDefinition:
    """A check that passes when a query finds nothing; the first rows that it finds are shown."""

    @dg.asset_check(asset=asset, name=name, description=description, required_resource_keys={"site"})
    def check(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        site: RunSite = context.resources.site
        with site.site.work(f"check {asset} {name}", site.present) as work:
            found = work.connection.execute(violations(work, site)).fetchmany(SHOWN)
        return dg.AssetCheckResult(
            passed=not found,
            severity=dg.AssetCheckSeverity.ERROR if grave else dg.AssetCheckSeverity.WARN,
            metadata={"violations": len(found)} | {f"{n}": str(row._asdict()) for n, row in enumerate(found, 1)},
        )

    return check
