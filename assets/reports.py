"""Reports: assets made of the others, kept as Parquet, with a plot; made anew when what they read has changed."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.tables import described, key_of
from waldur_dagster.functions import Function

if TYPE_CHECKING:
    from waldur_dagster.deployment import Deployment
    from waldur_dagster.resources import RunSite


@dataclass(frozen=True)
class ReportAsset:
    """A report for each partition. ``make`` is given the unit of work and the run's site (see assets/report.py)."""

    name: str
    make: Function
    description: str
    deps: tuple[str | dg.AssetKey, ...]
    partitions: dg.PartitionsDefinition[str]

    def definition(self, deployment: "Deployment") -> dg.AssetsDefinition:
        @dg.asset(
            name=self.name,
            group_name="reports",
            partitions_def=self.partitions,
            deps=self.deps,
            io_manager_key="parquet",
            required_resource_keys={"site"},
            output_required=False,
            automation_condition=dg.AutomationCondition.eager(),
            kinds={"pandas", "parquet"},
            description=self.description,
        )
        def report(context: dg.AssetExecutionContext) -> Any:
            from assets.report import metadata_of  # with matplotlib

            site: RunSite = context.resources.site
            made, _ = site.do(context.op_execution_context, self.name, lambda work: self.make(work, site))
            if not site.dry_run:
                metadata = metadata_of(made, self.name, context.partition_key, site.deployment.reports)
                yield dg.Output(made.frame, metadata=metadata)

        return report.map_asset_specs(lambda spec: described(spec, deployment, source=[self.make]))


def build(months: dg.PartitionsDefinition[str], days: dg.PartitionsDefinition[str]) -> list[ReportAsset]:
    return [
        ReportAsset(
            "cost_report",
            Function("assets.cost_report:report"),
            "What the month costs by organization, project and offering.",
            ("invoices",),
            months,
        ),
        ReportAsset(
            "usage_report",
            Function("assets.usage_report:report"),
            "What organizations used by category and month, over a year.",
            ("category_component_usage",),
            months,
        ),
        ReportAsset(
            "quota_utilisation",
            Function("assets.quota_reports:utilisation_report"),
            "How full the quotas of projects are, fullest first.",
            ("daily_quotas", key_of("quotas_quotalimit")),
            days,
        ),
        ReportAsset(
            "quota_trend",
            Function("assets.quota_reports:trend_report"),
            "How the quotas of all organizations have gone, day by day.",
            ("daily_quotas",),
            days,
        ),
    ]
