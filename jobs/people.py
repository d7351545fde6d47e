"""Operational jobs of the people family."""

from jobs.entry_job import entry_job, item_by_item_job
from waldur_dagster.functions import Function

WORK = {
    "create-reviews-if-strategy-is-after-proposal": Function("waldur_dagster.proposals.reviewers:assign_to_submitted"),
    "create-reviews-if-strategy-is-after-round": Function("waldur_dagster.proposals.reviewers:assign_after_rounds"),
    "expired-reviews-should-be-cancelled": Function("waldur_dagster.proposals.expired_reviews:cancel_expired_reviews"),
    "proposals-for-ended-rounds-should-be-cancelled": Function(
        "waldur_dagster.proposals.ended_rounds:cancel_unsubmitted_proposals"
    ),
    "mark-offering-backend-as-disconnected-after-timeout": Function(
        "waldur_dagster.site_agents.connections:mark_silent_agents"
    ),
    "waldur-create-offering-users-for-site-agent-offerings": Function(
        "waldur_dagster.site_agents.offering_users:create_missing_accounts"
    ),
}

ITEM_BY_ITEM = {
    "waldur-firecrest-pull-jobs": Function("waldur_dagster.firecrest.pull_jobs:pull_jobs"),
    "waldur-freeipa-sync-groups": Function("waldur_dagster.freeipa.entries:sync_groups"),
    "waldur-freeipa-sync-names": Function("waldur_dagster.freeipa.name_sync:sync_names"),
    "waldur-pull-remote-eduteams-ssh-keys": Function("waldur_dagster.eduteams.entries:pull_ssh_keys"),
    "waldur-pull-remote-eduteams-users": Function("waldur_dagster.eduteams.entries:pull_users"),
    "send-messages-about-pending-orders": Function(
        "waldur_dagster.site_agents.pending_orders:remind_of_pending_orders"
    ),
    "waldur-pid-update-all-referrables": Function("waldur_dagster.datacite.referrals:update_referrals"),
    "waldur-update-all-pid": Function("waldur_dagster.datacite.records:update_records"),
    "sync-resources": Function("waldur_dagster.site_agents.silent_resources:ask_for_silent_resources"),
}

JOBS = {name: entry_job(name, do) for name, do in WORK.items()} | {
    name: item_by_item_job(name, do) for name, do in ITEM_BY_ITEM.items()
}
