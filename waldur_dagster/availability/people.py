"""What the entries of the people family need of a site."""

from waldur_dagster.availability.needs import Needs
from waldur_dagster.schema import core, django, freeipa, permissions, quotas, structure

NEEDS = {
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
}
