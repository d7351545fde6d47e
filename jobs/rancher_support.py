"""Operational jobs of help desks, Rancher and Keycloak."""

from jobs.entry_job import item_by_item_job
from waldur_dagster.functions import Function

ITEM_BY_ITEM = {
    "pull-priorities": Function("waldur_dagster.help_desks.priorities:pull_priorities"),
    "pull-support-users": Function("waldur_dagster.help_desks.people:pull_support_users"),
    "sync_request_types": Function("waldur_dagster.help_desks.request_types:sync_request_types"),
    "waldur-rancher-delete-leftover-keycloak-groups": Function(
        "waldur_dagster.rancher.keycloak_groups:delete_leftover_groups"
    ),
    "waldur-rancher-delete-leftover-keycloak-memberships": Function(
        "waldur_dagster.rancher.keycloak_memberships:delete_leftover_memberships"
    ),
    "waldur-rancher-sync-keycloak-users": Function("waldur_dagster.rancher.keycloak_users:sync_users"),
    "waldur-rancher-sync-rancher-group-bindings": Function("waldur_dagster.rancher.bindings:sync_bindings"),
    "waldur-rancher-sync-rancher-roles": Function("waldur_dagster.rancher.roles:sync_roles"),
    "waldur-rancher-update-clusters-nodes": Function("waldur_dagster.rancher.nodes:update_nodes"),
}

JOBS = {name: item_by_item_job(name, do) for name, do in ITEM_BY_ITEM.items()}
