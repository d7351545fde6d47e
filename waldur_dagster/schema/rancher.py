"""Rancher clusters and what runs in them."""

from sqlalchemy import Column, DateTime, Float, Integer, String, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.schema.base import NEWER, metadata

cluster = Table(
    "waldur_rancher_cluster",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("modified", DateTime(timezone=True)),
    Column("name", String),
    Column("uuid", Uuid),
    Column("error_message", Text),
    Column("state", Integer),
    Column("backend_id", String),
    Column("runtime_state", String),
    Column("error_traceback", Text),
    Column("project_id", Integer),
    Column("service_settings_id", Integer),
    Column("settings_id", Integer),
)

node = Table(
    "waldur_rancher_node",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("modified", DateTime(timezone=True)),
    Column("name", String),
    Column("cluster_id", Integer),
    Column("backend_id", String),
    Column("state", Integer),
    Column("runtime_state", String),
    Column("error_message", Text),
    Column("error_traceback", Text),
    Column("labels", JSONB),
    Column("annotations", JSONB),
    Column("docker_version", String),
    Column("k8s_version", String),
    Column("cpu_allocated", Float),
    Column("cpu_total", Integer),
    Column("ram_allocated", Integer),
    Column("ram_total", Integer),
    Column("pods_allocated", Integer),
    Column("pods_total", Integer),
)

# A project of Rancher, in one of its clusters.
project = Table(
    "waldur_rancher_project",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", Uuid),
    Column("name", String),
    Column("backend_id", String),
    Column("cluster_id", Integer),
    Column("settings_id", Integer),
)

roletemplate = Table(
    "waldur_rancher_roletemplate",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", Uuid),
    Column("scope_type", String),
    Column("name", String),
    Column("display_name", String),
    Column("settings_id", Integer),
    info=NEWER,
)

keycloakgroup = Table(
    "waldur_rancher_keycloakgroup",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("backend_id", String),
    Column("name", String),
    Column("scope_uuid", Uuid),
    Column("role_id", Integer),
    info=NEWER,
)

membership = Table(
    "waldur_rancher_keycloakusergroupmembership",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("created", DateTime(timezone=True)),
    Column("modified", DateTime(timezone=True)),
    Column("username", String),
    Column("state", String),
    Column("last_checked", DateTime(timezone=True)),
    Column("first_name", String),
    Column("last_name", String),
    Column("error_message", Text),
    Column("error_traceback", Text),
    Column("group_id", Integer),
    info=NEWER,
)

application = Table(
    "waldur_rancher_application",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("modified", DateTime(timezone=True)),
    Column("name", String),
    Column("uuid", Uuid),
    Column("error_message", Text),
    Column("runtime_state", String),
    Column("state", Integer),
    Column("backend_id", String),
    Column("error_traceback", Text),
    Column("project_id", Integer),
    Column("service_settings_id", Integer),
)

ingress = Table(
    "waldur_rancher_ingress",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("modified", DateTime(timezone=True)),
    Column("name", String),
    Column("uuid", Uuid),
    Column("error_message", Text),
    Column("runtime_state", String),
    Column("state", Integer),
    Column("backend_id", String),
    Column("error_traceback", Text),
    Column("project_id", Integer),
    Column("service_settings_id", Integer),
)

service = Table(
    "waldur_rancher_service",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("modified", DateTime(timezone=True)),
    Column("name", String),
    Column("uuid", Uuid),
    Column("error_message", Text),
    Column("runtime_state", String),
    Column("state", Integer),
    Column("backend_id", String),
    Column("error_traceback", Text),
    Column("project_id", Integer),
    Column("service_settings_id", Integer),
)
