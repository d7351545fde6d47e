"""How the function that does an entry's work becomes a Dagster job."""

from collections.abc import Callable
from typing import Any

import dagster as dg

from waldur_dagster.catalog import entry
from waldur_dagster.resources import RunSite
from waldur_dagster.work import Work


def entry_job(name: str, do: Callable[[Work], Any], then: Callable[[Work], Any] | None = None) -> dg.JobDefinition:
    """A job of one op for an entry of the catalog; ``do`` is its work, in one transaction.

    ``then`` is what follows once the messages that ``do`` put into the outbox were sent, or could not be: a second op
    with a transaction of its own, which may look up what became of them (``outbox.deliveries``).
    """
    documented = entry(name)
    # A job and its op must not have the same name.
    op_name = do.__name__ if do.__name__ != documented.dagster_name else f"do_{do.__name__}"
    options: dict[str, Any] = {"required_resource_keys": {"site"}, "out": dg.Out(dg.Nothing)}

    @dg.op(name=op_name, description=do.__doc__, **options)
    def run(context: dg.OpExecutionContext) -> None:
        site: RunSite = context.resources.site
        with site.step(context, name) as work:
            do(work)
        if then is None:
            site.finish(context, name)
        else:
            site.deliver(context, name)

    if then is None:

        @dg.job(name=documented.dagster_name, description=documented.description, tags=documented.tags)
        def job() -> None:
            run()

        return job

    @dg.op(name=then.__name__, description=then.__doc__, ins={"sent": dg.In(dg.Nothing)}, **options)
    def follow_up(context: dg.OpExecutionContext) -> None:
        site: RunSite = context.resources.site
        with site.step(context, name) as work:
            then(work)
        site.finish(context, name)

    @dg.job(name=documented.dagster_name, description=documented.description, tags=documented.tags)
    def job_with_follow_up() -> None:
        follow_up(sent=run())

    return job_with_follow_up
