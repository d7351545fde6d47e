"""What a role, an invitation or an event can be about: organizations, projects, calls, proposals and offerings."""

from __future__ import annotations

from sqlalchemy import Subquery, Table, Text, cast, false, literal, select, union_all

from waldur_dagster.schema import marketplace, proposal, structure
from waldur_dagster.work import Work

# App, model, table, the word that mails have for it, and its page in the portal.
KINDS: tuple[tuple[str, str, Table, str, str], ...] = (
    ("structure", "customer", structure.customer, "organization", "organizations"),
    ("structure", "project", structure.project, "project", "projects"),
    ("marketplace", "offering", marketplace.offering, "offering", "unknown"),
    ("proposal", "call", proposal.call, "call", "calls"),
    ("proposal", "proposal", proposal.proposal, "proposal", "unknown"),
)


def scopes(work: Work) -> Subquery:
    """All of them by content_type_id and object_id: kind, page, uuid, name, slug ('' when there is none), is_removed.

    A removed project is there; what the site's schema or content types do not know is not.
    """
    return union_all(
        *(
            select(
                literal(content_type).label("content_type_id"),
                table.c.id.label("object_id"),
                literal(kind, Text).label("kind"),
                literal(page, Text).label("page"),
                table.c.uuid,
                cast(table.c.name, Text).label("name"),
                (cast(table.c.slug, Text) if "slug" in table.c else literal("", Text)).label("slug"),
                (table.c.is_removed if "is_removed" in table.c else false()).label("is_removed"),
            )
            for app_label, model, table, kind, page in KINDS
            if (content_type := work.content_types.get(app_label, model)) is not None and work.schema.has(table.name)
        )
    ).subquery("scope")
