"""Calls for proposals, their rounds and what was proposed."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    Numeric,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.schema.base import OnDelete, identity, metadata, references

callmanagingorganisation = Table(
    "proposal_callmanagingorganisation",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("image", String(100)),
    Column("description", String(2000), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column(
        "customer_id",
        Integer,
        references(
            "structure_customer.id", OnDelete.CASCADE, name="proposal_callmanager_customer_id_e9e05f72_fk_structure"
        ),
        nullable=False,
    ),
    UniqueConstraint("customer_id", name="proposal_callmanager_customer_id_key"),
    UniqueConstraint("uuid", name="proposal_callmanager_uuid_key"),
)

call = Table(
    "proposal_call",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("description", String(2000), nullable=False),
    Column("name", String(150), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("state", String, nullable=False),
    Column(
        "created_by_id",
        Integer,
        references("core_user.id", OnDelete.SET_NULL, name="proposal_call_created_by_id_29d4f7c3_fk_core_user_id"),
    ),
    Column(
        "manager_id",
        Integer,
        references(
            "proposal_callmanagingorganisation.id",
            OnDelete.PROTECT,
            name="proposal_call_manager_id_e87ee6e7_fk_proposal_",
        ),
        nullable=False,
    ),
    Column("backend_id", String(255), nullable=False),
    Column(
        "default_project_role_id",
        Integer,
        references(
            "permissions_role.id", OnDelete.SET_NULL, name="proposal_call_default_project_role_99426e23_fk_permissio"
        ),
    ),
    UniqueConstraint("uuid", name="proposal_call_uuid_key"),
    Index("proposal_call_created_by_id_29d4f7c3", "created_by_id"),
    Index("proposal_call_default_project_role_id_99426e23", "default_project_role_id"),
    Index("proposal_call_manager_id_e87ee6e7", "manager_id"),
    Index("proposal_call_state_2c405d92", "state"),
    Index("proposal_call_state_2c405d92_like", "state", postgresql_ops={"state": "varchar_pattern_ops"}),
)

round = Table(
    "proposal_round",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("start_time", DateTime(timezone=True), nullable=False),
    Column("cutoff_time", DateTime(timezone=True), nullable=False),
    Column(
        "call_id",
        Integer,
        references("proposal_call.id", OnDelete.PROTECT, name="proposal_round_call_id_b92eb529_fk_proposal_call_id"),
        nullable=False,
    ),
    Column("minimum_number_of_reviewers", Integer),
    Column("review_duration_in_days", Integer),
    Column("review_strategy", String, nullable=False),
    Column("allocation_date", DateTime(timezone=True)),
    Column("allocation_time", String, nullable=False),
    Column("deciding_entity", String, nullable=False),
    Column("minimal_average_scoring", Numeric(5, 1)),
    UniqueConstraint("uuid", name="proposal_round_uuid_key"),
    CheckConstraint("minimum_number_of_reviewers >= 0", name="proposal_round_minimum_number_of_reviewers_check"),
    CheckConstraint("review_duration_in_days >= 0", name="proposal_round_review_duration_in_days_check"),
    Index("proposal_round_allocation_time_3aa182ac", "allocation_time"),
    Index(
        "proposal_round_allocation_time_3aa182ac_like",
        "allocation_time",
        postgresql_ops={"allocation_time": "varchar_pattern_ops"},
    ),
    Index("proposal_round_call_id_b92eb529", "call_id"),
    Index("proposal_round_deciding_entity_167f3bf7", "deciding_entity"),
    Index(
        "proposal_round_deciding_entity_167f3bf7_like",
        "deciding_entity",
        postgresql_ops={"deciding_entity": "varchar_pattern_ops"},
    ),
    Index("proposal_round_review_strategy_0a20bbbb", "review_strategy"),
    Index(
        "proposal_round_review_strategy_0a20bbbb_like",
        "review_strategy",
        postgresql_ops={"review_strategy": "varchar_pattern_ops"},
    ),
)

proposal = Table(
    "proposal_proposal",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("name", String(150), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("state", String, nullable=False),
    Column(
        "project_id",
        Integer,
        references(
            "structure_project.id",
            OnDelete.PROTECT,
            name="proposal_proposal_project_id_df7820ac_fk_structure_project_id",
        ),
        nullable=False,
    ),
    Column(
        "round_id",
        Integer,
        references(
            "proposal_round.id", OnDelete.CASCADE, name="proposal_proposal_round_id_565082d3_fk_proposal_round_id"
        ),
        nullable=False,
    ),
    Column(
        "approved_by_id",
        Integer,
        references("core_user.id", OnDelete.SET_NULL, name="proposal_proposal_approved_by_id_5b2217e4_fk_core_user_id"),
    ),
    Column(
        "created_by_id",
        Integer,
        references("core_user.id", OnDelete.SET_NULL, name="proposal_proposal_created_by_id_3a4b83d6_fk_core_user_id"),
    ),
    Column("duration_in_days", Integer),
    Column("oecd_fos_2007_code", String(80)),
    Column("project_duration", Integer),
    Column("project_has_civilian_purpose", Boolean, nullable=False),
    Column("project_is_confidential", Boolean, nullable=False),
    Column("project_summary", Text, nullable=False),
    Column("description", String(2000), nullable=False),
    Column("allocation_comment", String(150)),
    UniqueConstraint("uuid", name="proposal_proposal_uuid_key"),
    CheckConstraint("duration_in_days >= 0", name="proposal_proposal_duration_in_days_check"),
    CheckConstraint("project_duration >= 0", name="proposal_proposal_project_duration_check"),
    Index("proposal_proposal_approved_by_id_5b2217e4", "approved_by_id"),
    Index("proposal_proposal_created_by_id_3a4b83d6", "created_by_id"),
    Index("proposal_proposal_project_id_df7820ac", "project_id"),
    Index("proposal_proposal_round_id_565082d3", "round_id"),
    Index("proposal_proposal_state_c4d15648", "state"),
    Index("proposal_proposal_state_c4d15648_like", "state", postgresql_ops={"state": "varchar_pattern_ops"}),
)

requestedoffering = Table(
    "proposal_requestedoffering",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("attributes", JSONB, nullable=False),
    Column("state", String, nullable=False),
    Column(
        "approved_by_id",
        Integer,
        references("core_user.id", OnDelete.SET_NULL, name="proposal_requestedof_approved_by_id_9430e408_fk_core_user"),
    ),
    Column(
        "call_id",
        Integer,
        references(
            "proposal_call.id", OnDelete.CASCADE, name="proposal_requestedoffering_call_id_8976c452_fk_proposal_call_id"
        ),
        nullable=False,
    ),
    Column(
        "created_by_id",
        Integer,
        references("core_user.id", OnDelete.SET_NULL, name="proposal_requestedof_created_by_id_88398838_fk_core_user"),
    ),
    Column(
        "offering_id",
        Integer,
        references(
            "marketplace_offering.id", OnDelete.CASCADE, name="proposal_requestedof_offering_id_7034c928_fk_marketpla"
        ),
        nullable=False,
    ),
    Column("description", String(2000), nullable=False),
    Column(
        "plan_id",
        Integer,
        references("marketplace_plan.id", OnDelete.CASCADE, name="proposal_requestedof_plan_id_1d1f140e_fk_marketpla"),
    ),
    UniqueConstraint("uuid", name="proposal_requestedoffering_uuid_key"),
    Index("proposal_requestedoffering_approved_by_id_9430e408", "approved_by_id"),
    Index("proposal_requestedoffering_call_id_8976c452", "call_id"),
    Index("proposal_requestedoffering_created_by_id_88398838", "created_by_id"),
    Index("proposal_requestedoffering_offering_id_7034c928", "offering_id"),
    Index("proposal_requestedoffering_plan_id_1d1f140e", "plan_id"),
    Index("proposal_requestedoffering_state_0995265a", "state"),
    Index("proposal_requestedoffering_state_0995265a_like", "state", postgresql_ops={"state": "varchar_pattern_ops"}),
)

requestedresource = Table(
    "proposal_requestedresource",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("description", String(2000), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("attributes", JSONB, nullable=False),
    Column(
        "created_by_id",
        Integer,
        references("core_user.id", OnDelete.SET_NULL, name="proposal_requestedre_created_by_id_dd5a6eef_fk_core_user"),
    ),
    Column(
        "proposal_id",
        Integer,
        references(
            "proposal_proposal.id", OnDelete.CASCADE, name="proposal_requestedre_proposal_id_bb2581e8_fk_proposal_"
        ),
        nullable=False,
    ),
    Column(
        "requested_offering_id",
        Integer,
        references(
            "proposal_requestedoffering.id",
            OnDelete.PROTECT,
            name="proposal_requestedre_requested_offering_i_d837c59b_fk_proposal_",
        ),
        nullable=False,
    ),
    Column(
        "resource_id",
        Integer,
        references(
            "marketplace_resource.id", OnDelete.SET_NULL, name="proposal_requestedre_resource_id_43000a3b_fk_marketpla"
        ),
    ),
    Column("limits", JSONB, nullable=False),
    UniqueConstraint("uuid", name="proposal_requestedresource_uuid_key"),
    Index("proposal_requestedresource_created_by_id_dd5a6eef", "created_by_id"),
    Index("proposal_requestedresource_proposal_id_bb2581e8", "proposal_id"),
    Index("proposal_requestedresource_requested_offering_id_d837c59b", "requested_offering_id"),
    Index("proposal_requestedresource_resource_id_43000a3b", "resource_id"),
)
