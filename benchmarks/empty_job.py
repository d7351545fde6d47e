"""An empty Dagster job in one process: what a run costs at least (benchmarks/run_cost.py)."""

import dagster as dg


@dg.op
def do_nothing() -> None:
    pass


@dg.job
def empty() -> None:
    do_nothing()


defs = dg.Definitions(jobs=[empty], executor=dg.in_process_executor)
