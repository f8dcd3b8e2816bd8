"""Two runs of one vault at the same time, and a resume that has nothing to do."""

from __future__ import annotations

import pytest

from solution.cli.automation import LAUNCH_DOCUMENT, start_run
from solution.cli.demo.run import launch_parameters
from tests.local.deployed import Solution
from tests.local.support import unique
from tests.local.truth import assert_true, when_ended

CONTENTS = {f"file {number}.txt": f"content {number}".encode() * number for number in range(1, 7)}


@pytest.mark.holds(7)
def test_two_runs_of_one_vault_at_once_do_not_disturb_each_other(solution: Solution) -> None:
    vault = solution.fill(CONTENTS)
    runs = [unique("twin"), unique("twin")]
    started = [start_run(solution.target, LAUNCH_DOCUMENT, launch_parameters(run=run, vault=vault)) for run in runs]
    states = [when_ended(solution, run, begun.execution_arn) for run, begun in zip(runs, started, strict=True)]

    for run, state in zip(runs, states, strict=True):
        assert state.failure == ""
        assert state.complete
        assert_true(solution, run, CONTENTS)
