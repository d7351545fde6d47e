"""How the function that does an entry's work becomes a Dagster job."""

from typing import TYPE_CHECKING, Any

import dagster as dg

from waldur_dagster.catalog import entry
from waldur_dagster.functions import Function

if TYPE_CHECKING:
    from waldur_dagster.resources import RunSite

OP: dict[str, Any] = {"required_resource_keys": {"site"}, "out": dg.Out(dg.Nothing)}


def entry_job(name: str, do: Function, then: Function | None = None, *, changes: str | None = None) -> dg.JobDefinition:
    """A job of one op for an entry of the catalog; ``do``, given a Work, is its work, in one transaction.

    ``then`` is what follows once the messages that ``do`` put into the outbox were sent, or could not be: a second op
    with a transaction of its own, which may look up what became of them (``outbox.deliveries``). ``changes`` is an
    asset of which the run tells that it is new, when ``do`` has written something.
    """

    @dg.op(name=_op_name(name, do), description=entry(name).description, **OP)
    def run(context: dg.OpExecutionContext) -> None:
        site: RunSite = context.resources.site
        _, outcome = site.do(context, name, do)
        if changes is not None and outcome.rows and not site.dry_run:
            context.log_event(dg.AssetMaterialization(changes, description=f"Changed by {name}."))
        if then is None:
            site.finish(context, name)
        else:
            site.deliver(context, name)

    if then is None:
        return _job(name, run)

    @dg.op(
        name=then.__name__,
        description="What follows once the messages were sent, or could not be.",
        ins={"sent": dg.In(dg.Nothing)},
        **OP,
    )
    def follow_up(context: dg.OpExecutionContext) -> None:
        site: RunSite = context.resources.site
        site.do(context, name, then)
        site.finish(context, name)

    return _job(name, run, follow_up)


def item_by_item_job(name: str, do: Function) -> dg.JobDefinition:
    """A job of one op for an entry that waits for something outside between its transactions.

    ``do`` is given what opens the next transaction (site.Transactions).
    """

    @dg.op(name=_op_name(name, do), description=entry(name).description, **OP)
    def run(context: dg.OpExecutionContext) -> None:
        site: RunSite = context.resources.site
        with site.transactions(context, name) as transaction:
            do(transaction)
        site.finish(context, name)

    return _job(name, run)


def _op_name(name: str, do: Function) -> str:
    """A job and its op must not have the same name."""
    return do.__name__ if do.__name__ != entry(name).dagster_name else f"do_{do.__name__}"


def _job(name: str, run: dg.OpDefinition, follow_up: dg.OpDefinition | None = None) -> dg.JobDefinition:
    documented = entry(name)

    @dg.job(name=documented.dagster_name, description=documented.description, tags=documented.tags)
    def job() -> None:
        if follow_up is None:
            run()
        else:
            follow_up(sent=run())

    return job
