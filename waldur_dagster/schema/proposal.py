"""Calls for proposals, their rounds and what was proposed."""

from sqlalchemy import Column, DateTime, Integer, SmallInteger, String, Table, Text, Uuid

from waldur_dagster.schema.base import OLDER, metadata

callmanagingorganisation = Table(
    "proposal_callmanagingorganisation",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("customer_id", Integer),
)

call = Table(
    "proposal_call",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String),
    Column("uuid", Uuid),
    Column("manager_id", Integer),
    Column("state", String),
)

round = Table(
    "proposal_round",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("call_id", Integer),
    Column("cutoff_time", DateTime(timezone=True)),
    Column("review_duration_in_days", Integer),
    Column("minimum_number_of_reviewers", Integer, info=OLDER),
    Column("review_strategy", String, info=OLDER),
)

proposal = Table(
    "proposal_proposal",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String),
    Column("uuid", Uuid),
    Column("round_id", Integer),
    Column("state", String),
    Column("created_by_id", Integer),
    Column("modified", DateTime(timezone=True)),
)

review = Table(
    "proposal_review",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("created", DateTime(timezone=True)),
    Column("modified", DateTime(timezone=True)),
    Column("uuid", Uuid),
    Column("state", String),
    Column("proposal_id", Integer),
    Column("reviewer_id", Integer),
    Column("summary_private_comment", Text),
    Column("summary_public_comment", Text),
    Column("summary_score", SmallInteger),
)

requestedresource = Table(
    "proposal_requestedresource",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("resource_id", Integer),
)
