"""A run that finds the retrieval budget used waits until there is room again, and then copies everything."""

from __future__ import annotations

import time
from collections.abc import Mapping

from solution.cli.automation import LAUNCH_DOCUMENT, start_run
from solution.cli.demo.run import launch_parameters
from solution.cli.runs import RunState, read_run
from solution.contract import tables
from solution.contract.entry_points import CALCULATE_TIMEOUT
from solution.domain.status import ArchiveStatus
from tests.local.deployed import Solution
from tests.local.support import unique, until

CONTENTS = {f"{number}.txt": f"archive {number}".encode() for number in range(5)}
GIB = 1024**3


def function_environment(solution: Solution, name: str) -> dict[str, str]:
    """The environment of a function, by the beginning of its name."""
    pages = solution.client("lambda").get_paginator("list_functions").paginate()
    [found] = [f for page in pages for f in page["Functions"] if f["FunctionName"].startswith(f"{name}-")]
    variables: dict[str, str] = found["Environment"]["Variables"]
    return variables


def write_ledger(solution: Solution, entries: Mapping[int, int], *, version: int) -> None:
    """What all runs have asked for lately, whatever it was before."""
    solution.client("dynamodb").put_item(
        TableName=solution.target.output("MetricTableName"),
        Item={
            tables.PK: {"S": tables.QUOTA_PK},
            tables.QuotaItem.VERSION: {"N": str(version)},
            tables.QuotaItem.ENTRIES: {"M": {str(moment): {"N": str(size)} for moment, size in entries.items()}},
            tables.QuotaItem.FREE_AT: {"N": "0"},
        },
    )


def states(solution: Solution, run: str) -> list[str]:
    """States of the run's archives, those that are known."""
    time.sleep(0.5)
    found = solution.records(run).values()
    return [item[tables.ArchiveItem.STATUS] for items in found for item in items if item[tables.SK] == tables.META]


def when_ended(solution: Solution, run: str, execution_arn: str) -> RunState | None:
    """The run, when it has ended."""
    time.sleep(0.5)
    state = read_run(solution.target, run, execution_arn=execution_arn)
    return state if state.ended else None


def test_a_run_waits_for_the_budget_that_others_have_used_and_then_copies_everything(solution: Solution) -> None:
    environment = function_environment(solution, CALCULATE_TIMEOUT.name)
    budget = int(environment["DAILY_RETRIEVAL_BUDGET_GIB"]) * GIB
    oldest = int(time.time()) - int(environment["QUOTA_PERIOD_SECONDS"])
    # others have asked for far more than there is, some of which ceases to weigh every five seconds
    write_ledger(solution, {oldest + 5 * number: budget for number in range(1, 400)}, version=10**6)
    run = unique("waiting")
    vault = solution.fill(CONTENTS)
    started = start_run(solution.target, LAUNCH_DOCUMENT, launch_parameters(run=run, vault=vault))

    waiting = [ArchiveStatus.REQUESTING.value] * len(CONTENTS)
    try:
        until(lambda: states(solution, run) == waiting, timeout=240)
        # two rounds of asking, being told to wait, and waiting
        time.sleep(12)
        assert states(solution, run) == waiting
    finally:
        # other stories share the ledger
        write_ledger(solution, {}, version=2 * 10**6)

    state = until(lambda: when_ended(solution, run, started.execution_arn), timeout=240)
    assert state.failure == ""
    assert state.complete
