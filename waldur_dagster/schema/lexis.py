"""Links of robot accounts with LEXIS."""

from sqlalchemy import CheckConstraint, Column, DateTime, Integer, Table, Text, UniqueConstraint, Uuid

from waldur_dagster.schema.base import OnDelete, identity, metadata, references

lexislink = Table(
    "waldur_lexis_lexislink",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("error_message", Text, nullable=False),
    Column("error_traceback", Text, nullable=False),
    Column("state", Integer, nullable=False),
    Column("heappe_project_id", Integer),
    Column(
        "robot_account_id",
        Integer,
        references(
            "marketplace_robotaccount.id",
            OnDelete.CASCADE,
            name="waldur_lexis_lexisli_robot_account_id_d085bac0_fk_marketpla",
        ),
        nullable=False,
    ),
    UniqueConstraint("robot_account_id", name="waldur_lexis_lexislink_robot_account_id_key"),
    UniqueConstraint("uuid", name="waldur_lexis_lexislink_uuid_key"),
    CheckConstraint("heappe_project_id >= 0", name="waldur_lexis_lexislink_heappe_project_id_check"),
)
