"""What the entries of the people family need of a site."""

from waldur_dagster.availability.needs import EVENTS, MAILS, Needs
from waldur_dagster.schema import (
    core,
    django,
    firecrest,
    freeipa,
    marketplace,
    permissions,
    quotas,
    social,
    structure,
)

NEEDS = {
    "waldur-firecrest-pull-jobs": Needs(
        (
            django.content_type,
            firecrest.job,
            marketplace.offering,
            marketplace.offeringuser,
            permissions.userrole,
            quotas.quotausage,
            social.oauthtoken,
            structure.project,
            structure.servicesettings,
        )
    ),
    "waldur-freeipa-sync-groups": Needs(
        (
            django.content_type,
            freeipa.profile,
            permissions.userrole,
            quotas.quotalimit,
            structure.customer,
            structure.project,
        )
    ),
    "waldur-freeipa-sync-names": Needs((core.user, freeipa.profile)),
    "waldur-pull-remote-eduteams-ssh-keys": Needs((*EVENTS, core.sshpublickey, core.user)),
    "waldur-pull-remote-eduteams-users": Needs((*EVENTS, *MAILS, core.sshpublickey, structure.customer)),
}
