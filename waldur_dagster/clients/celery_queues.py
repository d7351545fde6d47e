"""The queues of Waldur's Celery workers, and which task goes to which (spec newer 0.2, newer_billing 5.5)."""

from __future__ import annotations

from enum import StrEnum


class Lane(StrEnum):
    """What Waldur tells tasks apart by, so that short ones do not wait for long ones."""

    DEFAULT = "tasks"
    HEAVY = "heavy"
    BACKGROUND = "background"

    @property
    def durable(self) -> str:
        """The quorum queue of newer versions of Waldur; there is an exchange of the same name, of the type topic."""
        return f"{self}-durable"

    @property
    def classic(self) -> str:
        """The queue of the versions of 2024, and of every broker that is not RabbitMQ."""
        return str(self)


# Tasks that Waldur marks as such; all others take the default. What is heavy is told when a resource's task is begun,
# and no task is so by its name.
_BACKGROUND = frozenset(
    {
        "openstack.DeleteExpiredBackups",
        "openstack.DeleteExpiredSnapshots",
        "openstack.ScheduleBackups",
        "openstack.ScheduleSnapshots",
        "openstack.TenantPullQuotas",
        "openstack.tenant_properties_list_pull_task",
        "openstack.tenant_resources_list_pull_task",
        "openstack.tenant_subresources_list_pull_task",
        "waldur_core.structure.ServicePropertiesListPullTask",
        "waldur_core.structure.ServiceResourcesListPullTask",
        "waldur_core.structure.SetErredStuckResources",
        "waldur_mastermind.marketplace.ServicePropertiesListPullTask",
        "waldur_mastermind.marketplace.ServiceResourcesListPullTask",
        "waldur_mastermind.marketplace_remote.pull_erred_orders",
        "waldur_mastermind.marketplace_remote.pull_invoices",
        "waldur_mastermind.marketplace_remote.pull_offering_users",
        "waldur_mastermind.marketplace_remote.pull_offerings",
        "waldur_mastermind.marketplace_remote.pull_orders",
        "waldur_mastermind.marketplace_remote.pull_resources",
        "waldur_mastermind.marketplace_remote.pull_robot_accounts",
        "waldur_mastermind.marketplace_remote.pull_usage",
        "waldur_mastermind.marketplace_remote.push_remote_project_data",
        "waldur_paypal.PaymentsCleanUp",
        "waldur_paypal.SendInvoices",
    }
)


def lane_of(task: str) -> Lane:
    """The lane that Waldur's own router gives a task."""
    return Lane.BACKGROUND if task in _BACKGROUND else Lane.DEFAULT
