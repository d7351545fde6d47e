"""``waldur-dagster doctor``: whether the site can run the entries of this deployment."""

from contextlib import closing
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from waldur_dagster.availability import NEEDS, missing_parts, superseded
from waldur_dagster.availability.rights import require_some_rights
from waldur_dagster.catalog import CATALOG
from waldur_dagster.clients.broker import Broker, NotGiven
from waldur_dagster.clients.containers import NAME, EngineFailed, ScriptSettings
from waldur_dagster.clients.task_results import ResultStoreUnusable, open_store
from waldur_dagster.database.constance import Constance
from waldur_dagster.database.encryption import Secrets
from waldur_dagster.definitions import implemented_entries
from waldur_dagster.deployment import Deployment, load_deployment
from waldur_dagster.deployment_sections import Celery
from waldur_dagster.openstack.left_alone import left_alone
from waldur_dagster.past_partitions import suggested_first_month
from waldur_dagster.settings import BadSetting, Settings
from waldur_dagster.site import Site

EDUTEAMS = "WALDUR_AUTH_SOCIAL.REMOTE_EDUTEAMS"


def doctor(
    quiet: Annotated[bool, typer.Option(help="Only the exit status: 0 well, 1 something is missing.")] = False,
) -> None:
    """Check the database, the tables that each registered entry needs, the settings and the outside systems."""
    deployment, console = load_deployment(), Console(quiet=quiet)
    with Site(deployment) as site:
        site.check()
        require_some_rights(site, {table.name for name in _registered(deployment) for table in NEEDS[name].tables})
        console.print(f"Database  {site.engine.url.render_as_string(hide_password=True)}: reachable")
        replaced = {name: words for name in _registered(deployment) if (words := superseded(site, name))}
        too_new = {name: words for name in _registered(deployment) if (words := NEEDS[name].too_new(site))}
        others = [name for name in _registered(deployment) if name not in replaced and name not in too_new]
        lacking = {name: missing_parts(site, name) for name in others}
        is_newer = site.schema.has("marketplace_order", "completed_at")
        unfillable = _unfillable(site, list(lacking))
        settings, locked = site.settings, _locked(site)
        first_month, help_desk = _first_month(site), _help_desk(site)
        unpulled = left_alone(site.schema.tables)
    console.print(_entries(lacking, {"superseded": replaced, "not here": too_new}))
    if is_newer:
        _tell_other_schedules(console, [name for name in lacking if CATALOG[name].newest_schedule])
    if unpulled:
        console.print(f"Left as they are, since this program does not pull them from clouds: {', '.join(unpulled)}.")
    if unfillable:
        console.print(
            f"Columns of a newer Waldur that this program cannot fill: {', '.join(unfillable)}. "
            "Entries that add rows there will fail; a newer version of this program is needed."
        )
    if locked:
        console.print(
            f"Encrypted, and no key of [encryption] opens it: {', '.join(locked)}. Give Waldur's FIELD_ENCRYPTION_KEY "
            "as one of keys, or its SECRET_KEY as secret_key; what needs these values does not run until then."
        )
    console.print(_surroundings(deployment, settings, first_month, help_desk))
    if any(lacking.values()):
        raise typer.Exit(1)


def _registered(deployment: Deployment) -> list[str]:
    return [
        name
        for name in CATALOG
        if name in implemented_entries() and deployment.options(name, CATALOG[name].family).registered
    ]


def _unfillable(site: Site, entries: list[str]) -> list[str]:
    tables = {table.name: table for name in entries for table in NEEDS[name].tables}
    return [column for table in tables.values() for column in site.schema.unfillable(table)]


def _entries(lacking: dict[str, list[str]], left_out: dict[str, dict[str, str]]) -> Table:
    table = Table("entry", "can run", "what is missing", header_style="bold")
    for name, missing in lacking.items():
        table.add_row(name, "[red]no[/]" if missing else "[green]yes[/]", ", ".join(missing))
    for kind, entries in left_out.items():
        for name, words in entries.items():
            table.add_row(name, kind, words)
    return table


def _tell_other_schedules(console: Console, names: list[str]) -> None:
    """The documented schedule stays the default where the newest version of Waldur has another."""
    for name in names:
        entry = CATALOG[name]
        console.print(
            f"{name}: the newest Waldur runs it {entry.newest_schedule}, not {entry.schedule}; "
            f"to do the same set schedule under [entries.{name}] of the deployment file."
        )


def _locked(site: Site) -> list[str]:
    """Where encrypted secrets are that none of the deployment's keys opens."""
    with site.engine.connect() as connection:
        secrets = Secrets(connection, site.schema, site.deployment.encryption)
        return [*secrets.locked(), *Constance(connection, site.schema, secrets).locked()]


def _script_engine(settings: Settings) -> str:
    try:
        return ScriptSettings.read(settings[NAME]).address
    except (EngineFailed, BadSetting) as problem:
        return str(problem)


def _broker(celery: Celery | None) -> tuple[str, str]:
    if celery is None or celery.broker_url is None:
        return "none", "hand-overs wait"
    with Broker(celery.broker_url, celery.queue) as broker:
        try:
            return broker.described(), ""
        except NotGiven as problem:
            return "configured", f"hand-overs wait: {problem}"


def _results(celery: Celery | None) -> tuple[str, str]:
    if celery is None or celery.result_store_url is None:
        return "none", ""
    try:
        with closing(open_store(celery.result_store_url)) as store:
            store.states(["a task that nobody knows"])
    except ResultStoreUnusable as problem:
        return "configured", str(problem)
    return "configured", ""


def _shown(settings: Settings, name: str, *, only_if: str | None = None) -> str:
    """A setting that is no secret, or why it cannot be used; "none" where the switch ``only_if`` is off."""
    try:
        return str(settings[name]) if only_if is None or settings[only_if] else "none"
    except BadSetting as problem:
        return str(problem)


def _first_month(site: Site) -> str:
    """What the site's data say of the first month, when the deployment file says another or none."""
    if not all(site.schema.has(name) for name in ("invoices_invoice", "structure_customer")):
        return ""
    month, source = suggested_first_month(site)
    if month is None or month == site.deployment.first_month:
        return ""
    return f'the site\'s data suggest first_month = "{month:%Y-%m}" ({source})'


def _help_desk(site: Site) -> str:
    """Which help desk the site has, and where, as administrators have set it in the database."""
    with site.engine.connect() as connection:
        constance = Constance(connection, site.schema, Secrets(connection, site.schema, site.deployment.encryption))
        try:
            if not constance["WALDUR_SUPPORT_ENABLED"]:
                return "none"
            kind = constance["WALDUR_SUPPORT_ACTIVE_BACKEND_TYPE"]
            places = {"atlassian": "ATLASSIAN_API_URL", "zammad": "ZAMMAD_API_URL"}
            return f"{kind} {constance[places[kind]]}" if kind in places else str(kind)
        except BadSetting as problem:
            return str(problem)


def _surroundings(deployment: Deployment, settings: Settings, first_month: str, help_desk: str) -> Table:
    """Settings that jobs rely on, and outside systems; the values of secrets are never shown."""
    mail = deployment.mail
    where = f"folder {mail.directory}" if mail.directory else f"{mail.host}:{mail.port} ({mail.security})"
    home = _shown(settings, "WALDUR_CORE.HOMEPORT_URL")
    keys = len(deployment.encryption.keys) + bool(deployment.encryption.secret_key)
    rows = [
        ("time zone", deployment.zone.key, ""),
        ("first month", f"{deployment.first_partition:%Y-%m}", first_month),
        ("mail", where, ""),
        (
            "sender",
            settings["DEFAULT_FROM_EMAIL"],
            "the default" if "DEFAULT_FROM_EMAIL" not in deployment.waldur else "",
        ),
        (
            "WALDUR_CORE.HOMEPORT_URL",
            home,
            "" if home.endswith("/") else "must end with a slash, links are made by adding to it",
        ),
        ("Celery broker", *_broker(deployment.celery)),
        ("Celery results", *_results(deployment.celery)),
        ("encryption", f"{keys} keys" if keys else "no keys", ""),
        ("Waldur's API", deployment.waldur_api.url if deployment.waldur_api else "none", ""),
        ("FreeIPA", _shown(settings, "WALDUR_FREEIPA.HOSTNAME", only_if="WALDUR_FREEIPA.ENABLED"), ""),
        ("eduTEAMS", _shown(settings, f"{EDUTEAMS}_USERINFO_URL", only_if=f"{EDUTEAMS}_ENABLED"), ""),
        ("RabbitMQ of site agents", _shown(settings, "RABBITMQ.HOST", only_if="RABBITMQ.STOMP_PORT"), ""),
        (
            "DataCite",
            _shown(settings, "WALDUR_PID.DATACITE.API_URL", only_if="WALDUR_PID.DATACITE.REPOSITORY_ID"),
            "",
        ),
        ("help desk", help_desk, ""),
        ("PayPal", "invoices are copied" if settings["WALDUR_PAYPAL.ENABLED"] else "none", ""),
        ("script containers", _script_engine(settings), ""),
        ("alerts", ", ".join(deployment.alerts.to) or "nobody", ""),
        ("reports", str(deployment.reports), ""),
    ]
    table = Table("surroundings", "value", "note", header_style="bold")
    for row in rows:
        table.add_row(*row)
    return table
