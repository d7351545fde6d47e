"""Results of logins with Mobile ID."""

from sqlalchemy import Column, DateTime, Index, Integer, String, Table, Text, UniqueConstraint, Uuid

from waldur_dagster.schema.base import OnDelete, identity, metadata, references

authresult = Table(
    "waldur_auth_valimo_authresult",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("error_message", Text, nullable=False),
    Column("phone", String(30), nullable=False),
    Column("message", String(4), nullable=False),
    Column("state", String(50), nullable=False),
    Column("details", String(255), nullable=False),
    Column("backend_transaction_id", String(100), nullable=False),
    Column(
        "user_id",
        Integer,
        references(
            "core_user.id", OnDelete.CASCADE, name="waldur_auth_valimo_authresult_user_id_9d653d90_fk_core_user_id"
        ),
    ),
    Column("error_traceback", Text, nullable=False),
    UniqueConstraint("uuid", name="waldur_auth_valimo_authresult_uuid_key"),
    Index("waldur_auth_valimo_authresult_user_id_9d653d90", "user_id"),
)
