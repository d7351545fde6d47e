"""What the entries of the remote family need of a site."""

from waldur_dagster.availability.needs import Needs

NEEDS: dict[str, Needs] = {}
