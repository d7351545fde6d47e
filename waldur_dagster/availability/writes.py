"""Which tables each entry writes, and how: for the check of the role's rights.

Of tables that an entry can do without (see ``Needs``) nothing is asked, so they may be left out here. The tests look at
everything that they see an entry write.
"""

Rights = tuple[str, ...]
ADDS: Rights = ("INSERT",)
CHANGES: Rights = ("UPDATE",)
REMOVES: Rights = ("DELETE",)
KEEPS: Rights = ("INSERT", "UPDATE")
RENEWS: Rights = ("INSERT", "DELETE")
ALL: Rights = ("INSERT", "UPDATE", "DELETE")

# Every event in Waldur's log, with who sees it.
EVENTS = {"logging_event": ADDS, "logging_feed": ADDS}

# What follows when a project is removed: its roles, estimates, counts and credits end.
PROJECT_REMOVED = {
    **EVENTS,
    "analytics_dailyquotahistory": KEEPS,
    "billing_priceestimate": REMOVES,
    "invoices_credittransaction": ADDS,
    "invoices_customercredit": CHANGES,
    "invoices_projectcredit": CHANGES,
    "permissions_userrole": CHANGES,
    "quotas_quotausage": ADDS,
    "structure_project": CHANGES,
}
# Policies fire and are released, with what they do.
POLICIES = {
    **EVENTS,
    "authtoken_token": ADDS,
    "core_user": ADDS,
    "marketplace_order": ADDS,
    "marketplace_resource": CHANGES,
    "policy_customercomponentusagepolicy": CHANGES,
    "policy_customerestimatedcostpolicy": CHANGES,
    "policy_offeringestimatedcostpolicy": CHANGES,
    "policy_offeringusagepolicy": CHANGES,
    "policy_projectestimatedcostpolicy": CHANGES,
    "quotas_quotausage": ADDS,
}
# What follows in the marketplace when a resource, or a plugin's row behind it, changes its state, also for the month's
# costs and the policies on them. A project that is over goes with its last resource.
COUPLED = {
    **PROJECT_REMOVED,
    **POLICIES,
    "billing_priceestimate": ALL,
    "invoices_invoice": KEEPS,
    "invoices_invoiceitem": KEEPS,
    "structure_servicesettings": CHANGES,
    "marketplace_componentquota": KEEPS,
    "marketplace_resourceplanperiod": KEEPS,
    "marketplace_order": KEEPS,
}
# Usage of the month, its invoice, and the policies that it may fire.
REPORTED_USAGE = {
    **POLICIES,
    "billing_priceestimate": KEEPS,
    "invoices_invoice": KEEPS,
    "invoices_invoiceitem": KEEPS,
    "marketplace_componentusage": KEEPS,
    "marketplace_resourceplanperiod": ADDS,
}
DELETED_SNAPSHOTS = {
    **EVENTS,
    "openstack_backup_snapshots": REMOVES,
    "openstack_snapshot": ("UPDATE", "DELETE"),
    "openstack_volume": CHANGES,
    "quotas_quotausage": ADDS,
}
ASSIGNED_REVIEWERS = {"proposal_proposal": CHANGES, "proposal_review": ADDS}

# What is sold at other Waldurs and here.
CATALOGUE = {
    **EVENTS,
    "marketplace_componentquota": REMOVES,
    "marketplace_offering": CHANGES,
    "marketplace_offeringaccessendpoint": ALL,
    "marketplace_offeringcomponent": ALL,
    "marketplace_offeringtermsofservice": ALL,
    "marketplace_plan": KEEPS,
    "marketplace_plancomponent": ALL,
    "media_file": RENEWS,
}
WRITES: dict[str, dict[str, Rights]] = {
    "cancel-expired-invitations": {"users_invitation": CHANGES},
    "cancel_expired_group_invitations": {"users_groupinvitation": CHANGES},
    "check-expired-permissions": {
        **EVENTS,
        "analytics_dailyquotahistory": KEEPS,
        "permissions_userrole": CHANGES,
        "quotas_quotausage": ADDS,
    },
    "core-reset-updating-resources": {**COUPLED, "openstack_volume": CHANGES},
    "create_customer_permission_reviews": {"structure_customerpermissionreview": ADDS},
    "process-pending-project-invitations": {
        **EVENTS,
        "authtoken_token": ADDS,
        "core_user": ADDS,
        "users_invitation": CHANGES,
        "waldur_freeipa_profile": ADDS,
    },
    "send-scheduled-broadcast-notifications": {"notifications_broadcastmessage": CHANGES},
    "structure-set-erred-stuck-resources": {**COUPLED, "openstack_volume": CHANGES},
    "valimo-auth-cleanup-auth-results": {"waldur_auth_valimo_authresult": REMOVES},
    "update-invoices-total-cost": {"invoices_invoice": CHANGES},
    "finalize-previous-invoices": {
        **EVENTS,
        "invoices_customercredit": KEEPS,
        "invoices_invoice": CHANGES,
        "invoices_invoiceitem": RENEWS,
        "invoices_projectcredit": CHANGES,
        "waldur_paypal_invoice": ADDS,
        "waldur_paypal_invoiceitem": ADDS,
    },
    "waldur-create-invoices": {
        **EVENTS,
        "billing_priceestimate": KEEPS,
        "invoices_credittransaction": ADDS,
        "invoices_customercredit": KEEPS,
        "invoices_invoice": KEEPS,
        "invoices_invoiceitem": RENEWS,
        "invoices_projectcredit": CHANGES,
        "marketplace_componentusage": ADDS,
        "marketplace_plancomponent": CHANGES,
        "marketplace_resourceplanperiod": ADDS,
        "marketplace_resource": CHANGES,
        "policy_customerestimatedcostpolicy": CHANGES,
        "policy_projectestimatedcostpolicy": CHANGES,
        "waldur_paypal_invoice": ADDS,
        "waldur_paypal_invoiceitem": ADDS,
    },
    "check-polices": POLICIES,
    "update-custom-quotas": {"analytics_dailyquotahistory": KEEPS, "quotas_quotausage": ADDS},
    "update-standard-quotas": {"quotas_quotausage": ADDS},
    "waldur-marketplace-calculate-usage": {"marketplace_categorycomponentusage": KEEPS},
    "waldur-sync-daily-quotas": {"analytics_dailyquotahistory": ALL},
    "mark_resources_as_erred_after_timeout": {
        **COUPLED,
        "openstack_instance": CHANGES,
        "openstack_tenant": CHANGES,
    },
    "process_pending_project_orders": {**EVENTS, "marketplace_order": CHANGES},
    "remove_deleted_robot_accounts": {
        **EVENTS,
        "marketplace_robotaccount": REMOVES,
        "marketplace_robotaccount_users": REMOVES,
    },
    "terminate_expired_resources": {
        **EVENTS,
        "authtoken_token": ADDS,
        "core_user": ADDS,
        "marketplace_order": KEEPS,
        "quotas_quotausage": ADDS,
    },
    "terminate_resources_if_project_end_date_has_been_reached": {
        **PROJECT_REMOVED,
        "authtoken_token": ADDS,
        "core_user": ADDS,
        "marketplace_order": KEEPS,
        "marketplace_resource": CHANGES,
    },
    "terminate_resources_in_state_erred_without_backend_id_and_failed_terminate_order": {
        **EVENTS,
        "invoices_invoiceitem": CHANGES,
        "marketplace_componentquota": REMOVES,
        "marketplace_componentusage": REMOVES,
        "marketplace_componentuserusage": REMOVES,
        "marketplace_order": REMOVES,
        "marketplace_resource": REMOVES,
        "marketplace_resourceaccessendpoint": REMOVES,
        "marketplace_resourceplanperiod": REMOVES,
        "marketplace_robotaccount": REMOVES,
        "marketplace_robotaccount_users": REMOVES,
        "quotas_quotausage": ADDS,
    },
    "waldur-marketplace-script-pull-resources": REPORTED_USAGE,
    "waldur-marketplace-script-remove-old-dry-runs": {"marketplace_script_dryrun": REMOVES},
    "waldur-mastermind-reject-past-bookings": COUPLED,
    "marketplace-openstack.create-resources-for-lost-instances-and-volumes": {**EVENTS, "marketplace_resource": KEEPS},
    "marketplace-openstack.refresh-instance-backend-metadata": {**EVENTS, "marketplace_resource": CHANGES},
    "openstack-delete-expired-backups": {**DELETED_SNAPSHOTS, "openstack_backup": ("UPDATE", "DELETE")},
    "openstack-delete-expired-snapshots": DELETED_SNAPSHOTS,
    "openstack-tenant-properties-list-pull-task": {
        **COUPLED,
        "marketplace_offeringcomponent": KEEPS,
        "openstack_flavor": KEEPS,
        "openstack_flavor_tenants": RENEWS,
        "openstack_image": KEEPS,
        "openstack_image_tenants": RENEWS,
        "openstack_instance": CHANGES,
        "openstack_instanceavailabilityzone": ALL,
        "openstack_tenant": CHANGES,
        "openstack_volume": CHANGES,
        "openstack_volumeavailabilityzone": ALL,
        "openstack_volumetype": KEEPS,
        "openstack_volumetype_tenants": RENEWS,
    },
    "openstack-tenant-pull-quotas": {
        **COUPLED,
        "marketplace_componentusage": KEEPS,
        "openstack_tenant": CHANGES,
        "quotas_quotalimit": KEEPS,
    },
    "openstack-tenant-resources-list-pull-task": {
        **COUPLED,
        "openstack_instance": CHANGES,
        "openstack_instance_security_groups": RENEWS,
        "openstack_snapshot": CHANGES,
        "openstack_tenant": CHANGES,
        "openstack_volume": CHANGES,
    },
    "openstack-tenant-subresources-list-pull-task": {
        **COUPLED,
        "openstack_floatingip": ALL,
        "openstack_instance": CHANGES,
        "openstack_instance_security_groups": REMOVES,
        "openstack_network": ALL,
        "openstack_port": ALL,
        "openstack_port_security_groups": RENEWS,
        "openstack_router": ALL,
        "openstack_securitygroup": ALL,
        "openstack_securitygrouprule": ALL,
        "openstack_servergroup": ALL,
        "openstack_subnet": ALL,
        "openstack_tenant": CHANGES,
        "quotas_quotausage": ADDS,
    },
    "openstack_mark_as_erred_old_tenants_in_deleting_state": {"openstack_tenant": CHANGES},
    "pull-service-properties": {
        "quotas_quotalimit": KEEPS,
        "quotas_quotausage": ADDS,
        "structure_servicesettings": CHANGES,
    },
    "pull-service-resources": {
        **COUPLED,
        "marketplace_offering": CHANGES,
        "openstack_tenant": CHANGES,
        "structure_servicesettings": CHANGES,
    },
    "waldur-remote-offerings-sync": {
        **CATALOGUE,
        "marketplace_offering": KEEPS,
        "marketplace_remote_remotelocalcategory": CHANGES,
        "marketplace_remote_remotesynchronisation": CHANGES,
        "marketplace_screenshot": RENEWS,
    },
    "waldur-firecrest-pull-jobs": {"quotas_quotausage": ADDS, "waldur_firecrest_job": KEEPS},
    "waldur-pull-remote-eduteams-ssh-keys": {**EVENTS, "core_sshpublickey": RENEWS},
    "waldur-pull-remote-eduteams-users": {**EVENTS, "core_sshpublickey": RENEWS, "core_user": CHANGES},
    "create-reviews-if-strategy-is-after-proposal": ASSIGNED_REVIEWERS,
    "create-reviews-if-strategy-is-after-round": ASSIGNED_REVIEWERS,
    "expired-reviews-should-be-cancelled": {**EVENTS, "proposal_review": CHANGES},
    "proposals-for-ended-rounds-should-be-cancelled": {**EVENTS, "proposal_proposal": CHANGES},
    "mark-offering-backend-as-disconnected-after-timeout": {"marketplace_integrationstatus": CHANGES},
    "waldur-create-offering-users-for-site-agent-offerings": {**EVENTS, "marketplace_offeringuser": KEEPS},
    "waldur-pid-update-all-referrables": {"marketplace_offering": CHANGES, "waldur_pid_datacitereferral": ALL},
    "waldur-update-all-pid": {"marketplace_offering": CHANGES},
    "waldur-remote-pull-offering-users": {**EVENTS, "marketplace_offeringuser": ALL},
    "waldur-remote-pull-offerings": CATALOGUE,
    "waldur-remote-pull-robot-accounts": {
        **EVENTS,
        "marketplace_robotaccount": ALL,
        "marketplace_robotaccount_users": REMOVES,
    },
    "waldur-remote-pull-erred-orders": COUPLED,
    "waldur-remote-pull-invoices": {
        **EVENTS,
        "billing_priceestimate": KEEPS,
        "invoices_invoice": KEEPS,
        "invoices_invoiceitem": ALL,
        "marketplace_componentusage": ADDS,
    },
    "waldur-remote-pull-orders": COUPLED,
    "waldur-remote-pull-resources": COUPLED,
    "waldur-remote-pull-usage": {
        **EVENTS,
        "billing_priceestimate": KEEPS,
        "invoices_invoice": KEEPS,
        "invoices_invoiceitem": KEEPS,
        "marketplace_componentusage": KEEPS,
        "marketplace_componentuserusage": KEEPS,
        "marketplace_resourceplanperiod": ADDS,
    },
    "pull-priorities": {"support_priority": ALL},
    "pull-support-users": {"support_supportuser": KEEPS},
    "sync_request_types": {"support_requesttype": ALL},
    "waldur-rancher-sync-keycloak-users": {"waldur_rancher_keycloakusergroupmembership": CHANGES},
    "waldur-rancher-sync-rancher-roles": {"waldur_rancher_roletemplate": ALL},
    "waldur-rancher-update-clusters-nodes": {
        **COUPLED,
        "marketplace_componentusage": KEEPS,
        "waldur_rancher_cluster": CHANGES,
        "waldur_rancher_node": CHANGES,
    },
}
