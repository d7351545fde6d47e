"""Runs the job of a golden case in process and tells the referee what left the program."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from typing import Any
from unittest.mock import patch

import dagster as dg
from sqlalchemy import Engine, create_engine, select

from assets.partitions import partition_key
from tests.dagster.runs import QUIET, passing_instance
from tests.freeipa_server import freeipa_server
from tests.mail_server import free_port, mail_server
from tests.parity.script_engines import script_engines
from tests.parity.slurm_commands import slurm_commands
from tests.result_store import folder_store
from tests.scene import LOOPBACK
from waldur_dagster import clock
from waldur_dagster.catalog import entry
from waldur_dagster.definitions import build_definitions
from waldur_dagster.deployment import parse_deployment
from waldur_dagster.outbox.migrate import migrate
from waldur_dagster.outbox.tables import message as outbox_message


@dataclass
class Observed:
    """What the referee wants to know of a run, see its own class of this name."""

    mails: list[dict] = field(default_factory=list)
    http: list[dict] = field(default_factory=list)
    handovers: list[dict] = field(default_factory=list)
    error: str | None = None


def run(case: dict[str, Any], url: str) -> Observed:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
    migrate(engine)
    _restart_numbers(engine)
    extra = case.get("extra")
    facts = extra if isinstance(extra, dict) else {}  # a list tells of what the reference queued
    refusals = json.dumps(facts.get("smtp") or "")
    refused = set(re.findall(r"[\w.+-]+@[\w.-]+\w", refusals))
    results = folder_store(facts.get("celery_results") or {})
    with (
        mail_server(refused=refused) as server,
        results as results_url,
        _freeipa(facts.get("freeipa")) as settings,
        script_engines(extra) as engines,
        patch.object(clock, "now", lambda: datetime.fromisoformat(case["now"])),
        slurm_commands(facts.get("commands")),
    ):
        server.refused_subjects |= set(re.findall(r"with subject '([^']*)'", refusals))
        deployment = parse_deployment(
            {
                "first_month": "2015-01",
                "database": {"url": url},
                "mail": {"host": "127.0.0.1", "port": server.port},
                "celery": {"result_store_url": results_url},
                # Cases compare contexts field by field, and all were recorded on, or derived from, those of 2024.
                "event_contexts": "2024",
                # A superseded entry is played all the same, to see that it works on the schema.
                "entries": {case["job"]: {"superseded": "run"}},
                "web_hooks": LOOPBACK,
                **_digitalocean(case),
                "waldur": case["settings"] | _telemetry(case) | settings | engines,
            }
        )
        job = build_definitions(deployment).resolve_job_def(entry(case["job"]).dagster_name)
        result = job.execute_in_process(
            run_config=QUIET | {"resources": {"site": {"config": {"as_of": case["now"]}}}},
            partition_key=partition_key(job.partitions_def, datetime.fromisoformat(case["now"])),
            instance=passing_instance(),
            raise_on_error=False,
        )
        mails = [_mail(recipients, message) for recipients, message in server.received]
    with engine.connect() as connection:
        payloads = connection.scalars(select(outbox_message.c.payload).where(outbox_message.c.kind == "handover")).all()
    engine.dispose()
    handovers = [
        {"args": [], "kwargs": {}} | {k: v for k, v in p.items() if k in ("task", "args", "kwargs")} for p in payloads
    ]
    return Observed(mails=mails, handovers=handovers, error=None if result.success else _error(result))


def _digitalocean(case: dict[str, Any]) -> dict[str, str]:
    """Where the recorded DigitalOcean stands on loopback."""
    urls = [call["url"] for call in case["http"] if "api.digitalocean.com" in call["url"]]
    return {"digitalocean_url": urls[0].partition("/v2/")[0] + "/v2/"} if urls else {}


def _telemetry(case: dict[str, Any]) -> dict[str, str]:
    """The recorded telemetry server, which stands on loopback; the setting's own default is its real address."""
    urls = [call["url"].removesuffix("v1/metrics/") for call in case["http"] if call["url"].endswith("v1/metrics/")]
    return {"WALDUR_MARKETPLACE.TELEMETRY_URL": urls[0]} if urls else {}


def _restart_numbers(engine: Engine) -> None:
    """Rows of empty tables are numbered from 1, whatever cases the database has served before."""
    restart = """
        DO $$ DECLARE found record; filled boolean; BEGIN
            FOR found IN SELECT table_name AS name FROM information_schema.columns
                         WHERE table_schema = 'public' AND column_name = 'id' AND is_identity = 'YES' LOOP
                EXECUTE format('SELECT EXISTS (SELECT FROM %I)', found.name) INTO filled;
                IF NOT filled THEN
                    PERFORM setval(pg_get_serial_sequence(quote_ident(found.name), 'id'), 1, false);
                END IF;
            END LOOP;
        END $$"""
    with engine.begin() as connection:
        connection.exec_driver_sql(restart.replace("%", "%%"))


@contextmanager
def _freeipa(facts: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    """Plays the FreeIPA of a case, and checks that it was asked for the right users; gives the settings to reach it."""
    if not facts:
        yield {}
    elif facts["answer"] == "connection error":
        yield {"WALDUR_FREEIPA.HOSTNAME": f"http://127.0.0.1:{free_port()}"}
    else:
        with freeipa_server() as server:
            yield {"WALDUR_FREEIPA.HOSTNAME": server.hostname}
        names = {"mail": "mail", "first_name": "givenname", "last_name": "sn"}
        wanted = {call["username"]: [call[name] for name in names] for call in facts["user_add"]}
        made = {name: [user[attribute] for attribute in names.values()] for name, user in server.users.items()}
        assert made == wanted, f"FreeIPA: expected {wanted}, observed {made}"


def _mail(recipients: list[str], message: EmailMessage) -> dict[str, Any]:
    to, cc = (
        [address.addr_spec for header in message.get_all(name, []) for address in header.addresses]
        for name in ("To", "Cc")
    )
    body, html = message.get_body(("plain",)), message.get_body(("html",))
    return {
        "to": to,
        "cc": cc,
        "bcc": [address for address in recipients if address not in to + cc],
        "subject": str(message["Subject"]),
        "body": body.get_content() if body else "",
        "html": html.get_content() if html else "",
        "attachments": [{"filename": part.get_filename()} for part in message.iter_attachments()],
    }


def _error(result: dg.ExecuteInProcessResult) -> str:
    failed = [event for event in result.all_events if event.is_failure]
    return failed[0].message or "the run failed" if failed else "the run failed"
