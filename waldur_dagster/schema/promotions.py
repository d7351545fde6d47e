"""Discount campaigns."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
    Uuid,
)

from waldur_dagster.schema.base import OnDelete, identity, metadata, references

campaign = Table(
    "promotions_campaign",
    metadata,
    identity(),
    Column("uuid", Uuid, nullable=False),
    Column("description", String(2000), nullable=False),
    Column("start_date", Date, nullable=False),
    Column("end_date", Date, nullable=False),
    Column("coupon", String(255), nullable=False),
    Column("discount_type", String(30), nullable=False),
    Column("discount", Integer, nullable=False),
    Column("stock", Integer),
    Column("months", Integer, nullable=False),
    Column("auto_apply", Boolean, nullable=False),
    Column("state", Integer, nullable=False),
    Column(
        "service_provider_id",
        Integer,
        references(
            "marketplace_serviceprovider.id",
            OnDelete.CASCADE,
            name="promotions_campaign_service_provider_id_5ed7d0dc_fk_marketpla",
        ),
        nullable=False,
    ),
    Column("name", String(150), nullable=False),
    UniqueConstraint("uuid", name="promotions_campaign_uuid_key"),
    CheckConstraint("months >= 0", name="promotions_campaign_months_check"),
    CheckConstraint("stock >= 0", name="promotions_campaign_stock_check"),
    Index("promotions_campaign_service_provider_id_5ed7d0dc", "service_provider_id"),
)

campaign_offerings = Table(
    "promotions_campaign_offerings",
    metadata,
    identity(),
    Column(
        "campaign_id",
        Integer,
        references(
            "promotions_campaign.id", OnDelete.CASCADE, name="promotions_campaign__campaign_id_c92eb1b8_fk_promotion"
        ),
        nullable=False,
    ),
    Column(
        "offering_id",
        Integer,
        references(
            "marketplace_offering.id", OnDelete.CASCADE, name="promotions_campaign__offering_id_9e416f92_fk_marketpla"
        ),
        nullable=False,
    ),
    UniqueConstraint(
        "campaign_id", "offering_id", name="promotions_campaign_offe_campaign_id_offering_id_24d3491b_uniq"
    ),
    Index("promotions_campaign_offerings_campaign_id_c92eb1b8", "campaign_id"),
    Index("promotions_campaign_offerings_offering_id_9e416f92", "offering_id"),
)

campaign_required_offerings = Table(
    "promotions_campaign_required_offerings",
    metadata,
    identity(),
    Column(
        "campaign_id",
        Integer,
        references(
            "promotions_campaign.id", OnDelete.CASCADE, name="promotions_campaign__campaign_id_25dd3188_fk_promotion"
        ),
        nullable=False,
    ),
    Column(
        "offering_id",
        Integer,
        references(
            "marketplace_offering.id", OnDelete.CASCADE, name="promotions_campaign__offering_id_e8d5c7e9_fk_marketpla"
        ),
        nullable=False,
    ),
    UniqueConstraint(
        "campaign_id", "offering_id", name="promotions_campaign_requ_campaign_id_offering_id_ac5924b6_uniq"
    ),
    Index("promotions_campaign_required_offerings_campaign_id_25dd3188", "campaign_id"),
    Index("promotions_campaign_required_offerings_offering_id_e8d5c7e9", "offering_id"),
)

discountedresource = Table(
    "promotions_discountedresource",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column(
        "campaign_id",
        Integer,
        references(
            "promotions_campaign.id", OnDelete.CASCADE, name="promotions_discounte_campaign_id_a1ac4bbb_fk_promotion"
        ),
        nullable=False,
    ),
    Column(
        "resource_id",
        Integer,
        references(
            "marketplace_resource.id", OnDelete.CASCADE, name="promotions_discounte_resource_id_153112ef_fk_marketpla"
        ),
        nullable=False,
    ),
    Index("promotions_discountedresource_campaign_id_a1ac4bbb", "campaign_id"),
    Index("promotions_discountedresource_resource_id_153112ef", "resource_id"),
)
