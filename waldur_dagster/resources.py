"""The Dagster resource that gives the steps of a run their site."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import dagster as dg

from waldur_dagster import clock
from waldur_dagster.functions import Function
from waldur_dagster.outcome import Finding, Outcome, counted
from waldur_dagster.rounds import LONGEST_OF_RUN

if TYPE_CHECKING:  # the code location loads nothing that only a run needs
    from waldur_dagster.deployment import Deployment
    from waldur_dagster.outbox.delivery import Delivered
    from waldur_dagster.platform.month import Month
    from waldur_dagster.site import Transactions
    from waldur_dagster.work import Work

# On the runs of jobs that are dry runs whatever their options say.
DRY_RUN_TAG = "waldur/dry_run"

OPTIONS = {
    # With a default, though it is empty: what has none is not shown in the Launchpad.
    "as_of": dg.Field(
        str,
        default_value="",
        description="The instant that the job works for, ISO 8601 with its offset. Empty: when the run was created.",
    ),
    "dry_run": dg.Field(
        bool,
        default_value=False,
        description="Do everything, report what would change and be sent, and roll it all back.",
    ),
    "deliver": dg.Field(
        bool,
        default_value=True,
        description="Send what the job put into the outbox at once; otherwise the outbox sensor does.",
    ),
}
DRY_RUN_OPTIONS = {"as_of": OPTIONS["as_of"]}
SHOWN_FINDINGS = 100
# On a run that found the database away, the site incomplete or another run at its work before it had done anything.
NOT_BEGUN = "waldur/not_begun"
# Waldur is not older; a dry run may look ahead so far. A tick may come from a host whose clock goes before ours.
FIRST_YEAR, MOST_YEARS_AHEAD, CLOCKS_DIFFER = 2010, 10, timedelta(minutes=5)
# When the tries inside a step were in vain, Dagster does the step again later, in the same run.
LATER_TRIES, SECONDS_BETWEEN = 2, 60

Result = TypeVar("Result")


class RunSite:
    """The site of one run, with the run's options. All steps of a run share it, and the lock that it holds."""

    def __init__(self, deployment: Deployment, run: dg.DagsterRun, created: datetime, options: Mapping[str, Any]):
        from waldur_dagster.site import Site

        self.deployment = deployment
        self.dry_run: bool = options["dry_run"]
        self._now = clock.now()
        self._as_of = _instant(options["as_of"], self._now, dry_run=self.dry_run) if options.get("as_of") else None
        self._checked: set[str] = set()
        self._partition = run.tags.get("dagster/partition")
        self._created = created
        self.site = Site(
            deployment,
            dry_run=self.dry_run,
            run_id=run.run_id,
            present=self.present,
            at_end=_evaluate_policies,
        )
        self._deliver: bool = options["deliver"] and not self.dry_run

    @property
    def as_of(self) -> datetime:
        """What the run's options say, else the beginning of its partition, else when the run was created."""
        if self._as_of is None and self._partition is not None:
            return self.month.start
        return self._as_of or self._created

    @property
    def present(self) -> datetime:
        """Now, for work that depends on today's state; a dry run may play another present, that of its ``as_of``."""
        return self._as_of if self.dry_run and self._as_of else self._now

    @property
    def month(self) -> Month:
        """The month that the run's partition names, else the one that ``as_of`` falls into."""
        from waldur_dagster.platform.month import Month

        if self._partition is None:
            return Month.of(self._as_of or self._created, self.deployment.zone)
        first = datetime.fromisoformat(self._partition)
        return Month(first.year, first.month, self.deployment.zone)

    @property
    def day(self) -> date:
        """The day that the run's partition names, else the UTC date of the present."""
        return date.fromisoformat(self._partition) if self._partition else self.present.astimezone(UTC).date()

    def do(
        self,
        context: dg.OpExecutionContext,
        entry: str,
        function: Callable[[Work], Result],
        as_of: datetime | None = None,
        figures: Function | None = None,
    ) -> tuple[Result, Outcome]:
        """One step, in one transaction, tried again after passing errors (see Site.do); returns its result and outcome.

        Its figures become metadata of the step's output. ``figures`` gives further ones, of what the run's steps have
        made together; the run's own are shown with them. Raises dg.Failure, for which Dagster tries no retry, when
        another run has the entry or the work is refused.
        """

        def step(work: Work) -> tuple[Result, Mapping[str, Any]]:
            return function(work), figures(work, self) if figures is not None else {}

        with self._begun(context, entry):
            (result, further), outcome = self.site.do(entry, as_of or self.as_of, step, context.log.warning)
        self._tell(context, outcome if figures is None else self.site.outcome, further)
        return result, outcome

    def look_for(self, name: str, query: Function, shown: int) -> tuple[int, list[Mapping[str, Any]]]:
        """How many rows a query finds, and the first of them; ``query`` is given the unit of work and this site."""
        from sqlalchemy import func, select

        def look(work: Work) -> tuple[int, list[Mapping[str, Any]]]:
            wanted = query(work, self)
            count = work.connection.scalar(select(func.count()).select_from(wanted.subquery())) or 0
            found = work.connection.execute(wanted.limit(shown)).mappings().all() if count else []
            return count, [dict(row) for row in found]

        with _refusals():
            found, _ = self.site.do(name, self.present, look)
        return found

    @contextmanager
    def transactions(
        self, context: dg.OpExecutionContext, entry: str, as_of: datetime | None = None
    ) -> Iterator[Transactions]:
        """As ``do``, for a step of many units of work; gives what opens the next one."""
        self.site.outcome.failures.clear()  # of an earlier try of the step, which does all that is not done
        with self._begun(context, entry):
            yield self.site.transactions(entry, as_of or self.as_of, context.log)
        self._tell(context, self.site.outcome)

    @contextmanager
    def _begun(self, context: dg.OpExecutionContext, entry: str) -> Iterator[None]:
        """The check that ticks make too, once for each entry; then the step itself.

        A run that could not begin is marked, so that its tick is tried again.
        """
        from waldur_dagster.availability import reason_not_to_run
        from waldur_dagster.site import AlreadyRunning, SiteUnreachable
        from waldur_dagster.work import Refused

        begun = bool(self._checked)
        with _refusals():
            try:
                if entry not in self._checked and (reason := reason_not_to_run(self.site, entry)):
                    raise Refused(reason)
                self._checked.add(entry)
                self.site.hold(entry)
                begun = True
                yield
            except (AlreadyRunning, SiteUnreachable, Refused):
                if not begun:
                    context.instance.add_run_tags(context.run_id, {NOT_BEGUN: "true"})
                raise

    def _tell(self, context: dg.OpExecutionContext, outcome: Outcome, further: Mapping[str, Any] | None = None) -> None:
        context.log.info(f"{'Would be' if self.dry_run else 'Done'}: {outcome.summary()}")
        for finding in outcome.warnings:
            context.log.warning(f"{finding.item} {finding.problem}")
        context.add_output_metadata(metadata_of(outcome, dry_run=self.dry_run) | dict(further or {}))

    def deliver(self, context: dg.OpExecutionContext, entry: str) -> None:
        """Send what this run wrote to the outbox for an entry, and what runs of it that died have left there.

        The work is done; a database that is away for long does not undo that, and what waits there is sent later.
        """
        if not self._deliver:
            return
        from waldur_dagster.outbox.delivery import deliver
        from waldur_dagster.passing_errors import in_short, passes
        from waldur_dagster.site import patiently

        with _refusals():
            try:
                delivered = patiently()(deliver, self.site.engine, self.deployment, entry=entry, longest=LONGEST_OF_RUN)
            except Exception as problem:
                if not passes(problem):
                    raise
                context.log.warning(f"not delivered: {in_short(problem)}; all waits for the sensor outbox")
                return
        context.add_output_metadata(delivery_metadata(delivered))
        for finding in delivered.findings():
            context.log.warning(f"not delivered: {finding}")

    def finish(self, context: dg.OpExecutionContext, entry: str) -> None:
        """The last step: deliver what this run wrote to the outbox; fail if items failed, now that all else is done."""
        self.deliver(context, entry)
        if failures := self.site.outcome.failures:
            for finding in failures[:SHOWN_FINDINGS]:
                context.log.error(f"{finding.item} {finding.problem}")
            rest = "everything else would be done" if self.dry_run else "everything else is done and committed"
            raise dg.Failure(
                f"{counted(len(failures), 'items')} {'would fail' if self.dry_run else 'failed'}; {rest}.",
                metadata={"failures": _table(failures)},
                allow_retries=False,
            )


@contextmanager
def _refusals() -> Iterator[None]:
    """What is no use trying again at once becomes a failure that Dagster does not repeat."""
    try:
        yield
    except Exception as problem:
        final, passing, interrupted = _known_problems()
        if isinstance(problem, final):
            raise dg.Failure(str(problem), allow_retries=False) from None
        if isinstance(problem, passing):
            raise dg.Failure(str(problem)) from None
        if interrupted(problem):
            raise dg.RetryRequested(max_retries=LATER_TRIES, seconds_to_wait=SECONDS_BETWEEN) from problem
        _without_secrets(problem)
        raise


def _evaluate_policies(work: Work) -> None:
    """What stands above the apps that change resources: policies follow what such a change has cost, or has used.

    When that cannot be told, the change holds, and the next ``check-polices`` looks again.
    """
    if work.billed or work.metered:
        from waldur_dagster.platform.isolation import isolated
        from waldur_dagster.policies import affected_by_resources, evaluate_policies

        with isolated(work, "policies on changed resources"):
            evaluate_policies(work, affected_by_resources(work.billed, work.metered))


class StepFailed(Exception):
    """A step met an error whose own text may not be shown; what is told of it is without secrets and rows."""


def _without_secrets(problem: Exception) -> None:
    """Raise another error in the place of one that shows secrets, or rows as databases do. The traceback stays."""
    from sqlalchemy.exc import DBAPIError

    from waldur_dagster.passing_errors import in_short
    from waldur_dagster.words import chain, in_words, tells_secrets

    of_database = next((one for one in chain(problem) if isinstance(one, DBAPIError)), None)
    if of_database is not None:
        words = in_words(f"{type(of_database.orig).__name__}: {in_short(of_database)}")
    elif tells_secrets(problem):
        words = in_words(problem)
    else:
        return
    raise StepFailed(words).with_traceback(problem.__traceback__) from None


def _known_problems() -> tuple[
    tuple[type[Exception], ...], tuple[type[Exception], ...], Callable[[BaseException], bool]
]:
    """Those that no retry mends at once, those that may pass, and whether a problem was an interruption."""
    from waldur_dagster.clients.task_results import ResultStoreUnusable
    from waldur_dagster.passing_errors import passes
    from waldur_dagster.settings import BadSetting
    from waldur_dagster.site import AlreadyRunning, Interrupted, SiteUnreachable
    from waldur_dagster.work import Refused

    return (
        (AlreadyRunning, Refused, BadSetting),
        (SiteUnreachable, ResultStoreUnusable),
        lambda problem: isinstance(problem, Interrupted) or passes(problem),
    )


def is_dry_run(run: dg.DagsterRun) -> bool:
    """Whether a run is that of a dry run's job, or was started with the option ``dry_run``."""
    if DRY_RUN_TAG in run.tags:
        return True
    options: Any = run.run_config
    for name in ("resources", "site", "config"):
        options = options.get(name) or {}
    return bool(options.get("dry_run"))


def _instant(text: str, now: datetime, *, dry_run: bool) -> datetime:
    """The option ``as_of``. Raises dg.Failure when it is no instant, or one that nobody can mean."""
    example = "write e.g. 2025-04-01T00:00:00+03:00"
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise dg.Failure(f"as_of {text} is no instant; {example}", allow_retries=False) from None
    if instant.tzinfo is None:
        raise dg.Failure(f"as_of {text} has no offset; {example}", allow_retries=False)
    if not FIRST_YEAR <= instant.year <= now.year + MOST_YEARS_AHEAD:
        raise dg.Failure(f"as_of {text} lies in a year that no site has; {example}", allow_retries=False)
    if instant > now + CLOCKS_DIFFER and not dry_run:
        raise dg.Failure(
            f"as_of {text} is later than now ({now:%Y-%m-%d %H:%M} UTC); "
            "only a dry run may work for an instant to come.",
            allow_retries=False,
        )
    return instant


def site_resource(deployment: Deployment, *, dry_run: bool = False) -> dg.ResourceDefinition:
    """The resource ``site``; with ``dry_run`` for jobs that are nothing else.

    The deployment stays in this closure: no secret of it is in a run's configuration.
    """

    @dg.resource(
        config_schema=DRY_RUN_OPTIONS if dry_run else OPTIONS,
        description="The Waldur site, with the options that every job has.",
    )
    def site(context: dg.InitResourceContext) -> Iterator[RunSite]:
        assert context.run is not None and context.instance is not None
        record = context.instance.get_run_record_by_id(context.run.run_id)
        created = record.create_timestamp if record else datetime.now(UTC)
        options = {"dry_run": True, "deliver": False} | context.resource_config if dry_run else context.resource_config
        run_site = RunSite(deployment, context.run, created.replace(tzinfo=created.tzinfo or UTC), options)
        try:
            yield run_site
        finally:
            run_site.site.close()

    return site


def metadata_of(outcome: Outcome, *, dry_run: bool = False) -> dict[str, Any]:
    """The figures of an outcome as Dagster metadata: a number for each table and kind, tables of findings."""
    metadata: dict[str, Any] = {"dry run": True} if dry_run else {}
    for table, kinds in sorted(outcome.rows.items()):
        metadata |= {f"{table} {kind}": count for kind, count in kinds.items()}
    metadata |= {name: count for name, count in outcome.figures.items() if count}
    for name, findings in (("warnings", outcome.warnings), ("failures", outcome.failures)):
        if findings:
            metadata |= {f"{name} in all": len(findings), name: _table(findings)}
    return metadata


def _table(findings: list[Finding]) -> dg.MarkdownMetadataValue:
    from tabulate import tabulate

    rows = [(f.item, f.problem) for f in findings[:SHOWN_FINDINGS]]
    return dg.MetadataValue.md(tabulate(rows, ["item", "problem"], tablefmt="pipe", disable_numparse=True))


def delivery_metadata(delivered: Delivered) -> dict[str, Any]:
    """What a round of deliveries has sent, by kind, and how many messages it has not."""
    return {f"{kind} sent": count for kind, count in delivered.sent.items()} | {
        "not delivered": delivered.not_delivered
    }
