"""Two runs of one vault at the same time, and a resume that has nothing to do."""

from __future__ import annotations

import time

import pytest

from solution.cli.automation import LAUNCH_DOCUMENT, start_run
from solution.cli.demo.run import launch_parameters
from solution.cli.runs import RunState, read_run
from solution.contract import object_keys
from solution.domain.status import Metric
from tests.local.deployed import Solution
from tests.local.support import unique

CONTENTS = {f"file {number}.txt": f"content {number}".encode() * number for number in range(1, 7)}


def wait_for(solution: Solution, run: str, execution_arn: str) -> RunState:
    while not (state := read_run(solution.target, run, execution_arn=execution_arn)).ended:
        time.sleep(0.5)
    return state


@pytest.mark.holds(7)
def test_two_runs_of_one_vault_at_once_do_not_disturb_each_other(solution: Solution) -> None:
    vault = solution.fill(CONTENTS)
    runs = [unique("twin"), unique("twin")]
    started = [start_run(solution.target, LAUNCH_DOCUMENT, launch_parameters(run=run, vault=vault)) for run in runs]
    states = [wait_for(solution, run, begun.execution_arn) for run, begun in zip(runs, started, strict=True)]

    s3, bucket = solution.client("s3"), solution.target.output("DestinationBucketName")
    for run, state in zip(runs, states, strict=True):
        assert state.failure == ""
        assert state.complete
        for metric in (Metric.TOTAL, Metric.REQUESTED, Metric.STAGED, Metric.DOWNLOADED):
            assert state.counts[metric].archives == len(CONTENTS)
            assert state.counts[metric].bytes == sum(map(len, CONTENTS.values()))
        found = {
            name: s3.get_object(Bucket=bucket, Key=object_keys.destination_key(run, name))["Body"].read()
            for name in CONTENTS
        }
        assert found == CONTENTS
        assert len(solution.records(run)) == len(CONTENTS)
