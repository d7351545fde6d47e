"""Policies: limits on cost and usage, and what happens when they are exceeded (spec quotas, check-polices)."""

from waldur_dagster.policies.evaluation import Affected, affected_by_resources, check_policies, evaluate_policies

__all__ = ["Affected", "affected_by_resources", "check_policies", "evaluate_policies"]
