"""Policies on cost and usage."""

from sqlalchemy import Boolean, Column, DateTime, Index, Integer, String, Table, UniqueConstraint, Uuid

from waldur_dagster.schema.base import OnDelete, identity, metadata, references

customerestimatedcostpolicy = Table(
    "policy_customerestimatedcostpolicy",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("has_fired", Boolean, nullable=False),
    Column("fired_datetime", DateTime(timezone=True)),
    Column("actions", String(255), nullable=False),
    Column("limit_cost", Integer, nullable=False),
    Column(
        "created_by_id",
        Integer,
        references("core_user.id", OnDelete.CASCADE, name="policy_customerestim_created_by_id_de296597_fk_core_user"),
    ),
    Column(
        "scope_id",
        Integer,
        references(
            "structure_customer.id", OnDelete.CASCADE, name="policy_customerestim_scope_id_250ebaae_fk_structure"
        ),
        nullable=False,
    ),
    Column("period", Integer, nullable=False),
    UniqueConstraint("uuid", name="policy_customerestimatedcostpolicy_uuid_key"),
    Index("policy_customerestimatedcostpolicy_created_by_id_de296597", "created_by_id"),
    Index("policy_customerestimatedcostpolicy_customer_id_5a5cf683", "scope_id"),
)

offeringcomponentlimit = Table(
    "policy_offeringcomponentlimit",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("limit", Integer, nullable=False),
    Column(
        "component_id",
        Integer,
        references(
            "marketplace_offeringcomponent.id",
            OnDelete.CASCADE,
            name="policy_offeringcompo_component_id_ebbf171b_fk_marketpla",
        ),
        nullable=False,
    ),
    Column(
        "policy_id",
        Integer,
        references(
            "policy_offeringusagepolicy.id",
            OnDelete.CASCADE,
            name="policy_offeringcompo_policy_id_a6d4ce18_fk_policy_of",
        ),
        nullable=False,
    ),
    UniqueConstraint("policy_id", "component_id", name="policy_offeringcomponent_policy_id_component_id_cb89ea18_uniq"),
    Index("policy_offeringcomponentlimit_component_id_ebbf171b", "component_id"),
    Index("policy_offeringcomponentlimit_policy_id_a6d4ce18", "policy_id"),
)

offeringestimatedcostpolicy = Table(
    "policy_offeringestimatedcostpolicy",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("has_fired", Boolean, nullable=False),
    Column("fired_datetime", DateTime(timezone=True)),
    Column("limit_cost", Integer, nullable=False),
    Column("actions", String(255), nullable=False),
    Column(
        "created_by_id",
        Integer,
        references("core_user.id", OnDelete.CASCADE, name="policy_offeringestim_created_by_id_7c5e0b48_fk_core_user"),
    ),
    Column(
        "scope_id",
        Integer,
        references(
            "marketplace_offering.id", OnDelete.CASCADE, name="policy_offeringestim_scope_id_9b3b2e41_fk_marketpla"
        ),
        nullable=False,
    ),
    Column("period", Integer, nullable=False),
    UniqueConstraint("uuid", name="policy_offeringestimatedcostpolicy_uuid_key"),
    Index("policy_offeringestimatedcostpolicy_created_by_id_7c5e0b48", "created_by_id"),
    Index("policy_offeringestimatedcostpolicy_scope_id_9b3b2e41", "scope_id"),
)

offeringestimatedcostpolicy_organization_groups = Table(
    "policy_offeringestimatedcostpolicy_organization_groups",
    metadata,
    identity(),
    Column(
        "offeringestimatedcostpolicy_id",
        Integer,
        references(
            "policy_offeringestimatedcostpolicy.id",
            OnDelete.CASCADE,
            name="policy_offeringestim_offeringestimatedcos_756d7fb1_fk_policy_of",
        ),
        nullable=False,
    ),
    Column(
        "organizationgroup_id",
        Integer,
        references(
            "structure_organizationgroup.id",
            OnDelete.CASCADE,
            name="policy_offeringestim_organizationgroup_id_eeeff8b3_fk_structure",
        ),
        nullable=False,
    ),
    UniqueConstraint(
        "offeringestimatedcostpolicy_id",
        "organizationgroup_id",
        name="policy_offeringestimated_offeringestimatedcostpol_5cc28c86_uniq",
    ),
    Index("policy_offeringestimatedco_offeringestimatedcostpolic_756d7fb1", "offeringestimatedcostpolicy_id"),
    Index("policy_offeringestimatedco_organizationgroup_id_eeeff8b3", "organizationgroup_id"),
)

offeringusagepolicy = Table(
    "policy_offeringusagepolicy",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("has_fired", Boolean, nullable=False),
    Column("fired_datetime", DateTime(timezone=True)),
    Column("actions", String(255), nullable=False),
    Column("period", Integer, nullable=False),
    Column(
        "created_by_id",
        Integer,
        references("core_user.id", OnDelete.CASCADE, name="policy_offeringusage_created_by_id_427e3401_fk_core_user"),
    ),
    Column(
        "scope_id",
        Integer,
        references(
            "marketplace_offering.id", OnDelete.CASCADE, name="policy_offeringusage_scope_id_14eab498_fk_marketpla"
        ),
        nullable=False,
    ),
    UniqueConstraint("uuid", name="policy_offeringusagepolicy_uuid_key"),
    Index("policy_offeringusagepolicy_created_by_id_427e3401", "created_by_id"),
    Index("policy_offeringusagepolicy_scope_id_14eab498", "scope_id"),
)

offeringusagepolicy_organization_groups = Table(
    "policy_offeringusagepolicy_organization_groups",
    metadata,
    identity(),
    Column(
        "offeringusagepolicy_id",
        Integer,
        references(
            "policy_offeringusagepolicy.id",
            OnDelete.CASCADE,
            name="policy_offeringusage_offeringusagepolicy__c54b167f_fk_policy_of",
        ),
        nullable=False,
    ),
    Column(
        "organizationgroup_id",
        Integer,
        references(
            "structure_organizationgroup.id",
            OnDelete.CASCADE,
            name="policy_offeringusage_organizationgroup_id_6518dc50_fk_structure",
        ),
        nullable=False,
    ),
    UniqueConstraint(
        "offeringusagepolicy_id",
        "organizationgroup_id",
        name="policy_offeringusagepoli_offeringusagepolicy_id_o_a745e606_uniq",
    ),
    Index("policy_offeringusagepolicy_offeringusagepolicy_id_c54b167f", "offeringusagepolicy_id"),
    Index("policy_offeringusagepolicy_organizationgroup_id_6518dc50", "organizationgroup_id"),
)

projectestimatedcostpolicy = Table(
    "policy_projectestimatedcostpolicy",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("has_fired", Boolean, nullable=False),
    Column("actions", String(255), nullable=False),
    Column("limit_cost", Integer, nullable=False),
    Column(
        "scope_id",
        Integer,
        references(
            "structure_project.id", OnDelete.CASCADE, name="policy_projectestima_scope_id_54f66293_fk_structure"
        ),
        nullable=False,
    ),
    Column(
        "created_by_id",
        Integer,
        references("core_user.id", OnDelete.CASCADE, name="policy_projectestima_created_by_id_cc68883e_fk_core_user"),
    ),
    Column("fired_datetime", DateTime(timezone=True)),
    Column("period", Integer, nullable=False),
    UniqueConstraint("uuid", name="policy_projectestimatedcostpolicy_uuid_key"),
    Index("policy_projectestimatedcostpolicy_created_by_id_cc68883e", "created_by_id"),
    Index("policy_projectestimatedcostpolicy_project_id_cf156501", "scope_id"),
)
