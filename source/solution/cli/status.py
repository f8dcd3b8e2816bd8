"""``status``: one look at a run."""

from __future__ import annotations

import typer
from rich.table import Table

from solution.cli import options
from solution.cli.console import out, print_json, size_text
from solution.cli.runs import RunState, read_run
from solution.cli.target import choose_target
from solution.contract.tables import RunStatus
from solution.domain.costs import dollars_text
from solution.domain.status import Metric


def print_state(state: RunState) -> None:
    """Where a run stands, for people."""
    out.print(f"Run {state.run} of vault {state.vault_name}: {state.outcome}", markup=False, soft_wrap=True)
    table = Table("", "archives", "bytes")
    for column in table.columns[1:]:
        column.justify = "right"
    for metric in Metric:
        count = state.counts[metric]
        # What a run rarely has is shown only where there is some.
        if count.archives or metric not in (Metric.SKIPPED, Metric.REJECTED):
            table.add_row(metric, f"{count.archives:,}", size_text(count.bytes))
    out.print(table)
    if state.cost.total:
        total, monthly = dollars_text(state.cost.total), dollars_text(state.cost.monthly)
        out.print(
            f"It has cost {total} so far, by list prices; keeping what is copied costs {monthly} a month.",
            markup=False,
            soft_wrap=True,
        )
    if state.failure:
        what = "was stopped" if state.outcome is RunStatus.STOPPED else "failed"
        out.print(f"It {what}: {state.failure}", markup=False, soft_wrap=True)


def status(
    *,
    run: options.RunId,
    as_json: options.Json = False,
    local: options.Local = False,
    state_dir: options.StateDir = None,
    profile: options.Profile = None,
    region: options.Region = None,
    stack: options.Stack = options.DEFAULT_STACK,
) -> None:
    """Show where a run stands; exit code 1 when it has ended without copying everything."""
    target = choose_target(local=local, state_dir=state_dir, profile=profile, region=region, stack=stack)
    state = read_run(target, run)
    if as_json:
        print_json(state.as_json())
    else:
        print_state(state)
    raise typer.Exit(state.exit_code)
