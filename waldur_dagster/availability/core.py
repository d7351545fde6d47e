"""What the entries of the core family need of a site."""

from waldur_dagster.availability.needs import MAILS, Needs
from waldur_dagster.schema import django, permissions, structure, users, valimo

INVITATIONS = (*MAILS, django.content_type, users.invitation, structure.customer, structure.project)

NEEDS = {
    "cancel-expired-invitations": Needs(INVITATIONS),
    "cancel_expired_group_invitations": Needs((users.groupinvitation,)),
    "send-reminder-for-pending-invitations": Needs(INVITATIONS),
    "create_customer_permission_reviews": Needs(
        (
            django.content_type,
            permissions.userrole,
            structure.customer,
            structure.customerpermissionreview,
            structure.project,
        )
    ),
    "valimo-auth-cleanup-auth-results": Needs((valimo.authresult,)),
}
