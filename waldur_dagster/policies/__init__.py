"""Policies: limits on cost and usage, and what happens when they are exceeded (spec quotas, check-polices)."""

from waldur_dagster.policies.evaluation import Affected, check_policies, evaluate_policies

__all__ = ["Affected", "check_policies", "evaluate_policies"]
