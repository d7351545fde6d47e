"""SLURM allocations, and who has an account in them."""

from sqlalchemy import BigInteger, Column, DateTime, Integer, SmallInteger, String, Table, Text, Uuid

from waldur_dagster.schema.base import OLDER, metadata

allocation = Table(
    "waldur_slurm_allocation",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("modified", DateTime(timezone=True)),
    Column("name", String),
    Column("uuid", Uuid),
    Column("error_message", Text),
    Column("state", Integer),
    Column("backend_id", String),
    Column("error_traceback", Text),
    Column("project_id", Integer),
    Column("service_settings_id", Integer),
    *(Column(f"{kind}_{what}", BigInteger) for kind in ("cpu", "gpu", "ram") for what in ("usage", "limit")),
    info=OLDER,
)

allocationuserusage = Table(
    "waldur_slurm_allocationuserusage",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("allocation_id", Integer),
    Column("username", String),
    Column("user_id", Integer),
    Column("year", SmallInteger),
    Column("month", SmallInteger),
    Column("cpu_usage", BigInteger),
    Column("gpu_usage", BigInteger),
    Column("ram_usage", BigInteger),
    info=OLDER,
)
