"""How the function that does an entry's work becomes a Dagster job."""

from collections.abc import Callable
from typing import Any

import dagster as dg

from waldur_dagster.catalog import entry
from waldur_dagster.resources import RunSite
from waldur_dagster.work import Work


def entry_job(name: str, do: Callable[[Work], Any]) -> dg.JobDefinition:
    """A job of one op for an entry of the catalog; ``do`` is its work, in one transaction."""
    documented = entry(name)
    # A job and its op must not have the same name.
    op_name = do.__name__ if do.__name__ != documented.dagster_name else f"do_{do.__name__}"

    @dg.op(name=op_name, description=do.__doc__, required_resource_keys={"site"}, out=dg.Out(dg.Nothing))
    def run(context: dg.OpExecutionContext) -> None:
        site: RunSite = context.resources.site
        with site.step(context, name) as work:
            do(work)
        site.finish(context, name)

    @dg.job(name=documented.dagster_name, description=documented.description, tags=documented.tags)
    def job() -> None:
        run()

    return job
