"""Calls for proposals, their rounds and what was proposed."""

from sqlalchemy import Column, Integer, String, Table, Uuid

from waldur_dagster.schema.base import metadata

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
)

round = Table(
    "proposal_round",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("call_id", Integer),
)

proposal = Table(
    "proposal_proposal",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String),
    Column("uuid", Uuid),
    Column("round_id", Integer),
)

requestedresource = Table(
    "proposal_requestedresource",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("resource_id", Integer),
)
