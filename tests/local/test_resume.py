"""Runs end half way, each for another reason, and a resume transfers exactly what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from solution.cli.automation import StartedRun
from solution.cli.demo.archives import CHUNK_SIZE_MIB, MIB
from solution.cli.main import app
from solution.cli.runs import InventoryPhase, RunState, read_run
from solution.contract.tables import ArchiveItem, RunStatus
from solution.domain.archive import format_time
from solution.domain.status import ArchiveStatus
from solution.local import Instance
from solution.mocking.glacier.faults import Fault, FaultKind
from tests.local.deployed import Solution, deployed_solution
from tests.local.stories import faults, jobs, launch, resume
from tests.local.support import free_port, until
from tests.local.truth import archives, assert_true, states, under_way, when_ended

CHUNK = CHUNK_SIZE_MIB * MIB
FIRST = {**{f"first {number}.txt": b"content" * number for number in range(1, 5)}, "first.bin": bytes(CHUNK + 1)}
LATER = {**{f"later {number}.txt": b"more" * number for number in range(1, 5)}, "later.bin": bytes(CHUNK + 2)}
"""Glacier is in trouble with these, half way."""
CONTENTS = {**FIRST, **LATER}
TROUBLED = ("stopped", "ended from outside", "lost")
"""Names of the runs that end half way because of what happens to them, not to Glacier."""
FACTOR = 3600
LONGEST_STAGING = timedelta(hours=12) / FACTOR + timedelta(seconds=2)
PARAMETERS = {
    # what stands still here does so on purpose, and is not to be looked after
    "StallSeconds": "900",
    "BulkOverdueSeconds": "900",
    # and what ticks for four runs at once should leave the machine time for them
    "WindowExtensionPeriodMinutes": "720",
    "DashboardUpdatePeriodMinutes": "1440",
    "CompletionCheckPeriodMinutes": "240",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """How a run ended half way, and how its resume did; and how often the resume asked for each archive."""

    run: str
    half: RunState
    whole: RunState
    asked: dict[str, int]


@pytest.fixture(scope="module")
def stories(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Story]]:
    """Four runs, by what happens to them. Half way the local AWS is stopped and started again, too."""
    state_dir = tmp_path_factory.mktemp("resume")
    with deployed_solution(state_dir, free_port(), factor=FACTOR, parameters=PARAMETERS) as solution:
        yield tell(solution)


def tell(solution: Solution) -> dict[str, Story]:
    """Let them end half way, one after the other's trouble, and resume them together."""
    begun: dict[str, StartedRun] = {}
    half: dict[str, RunState] = {}

    def begin(name: str) -> None:
        begun[name] = launch(solution, vaults[name])
        until_sorted(solution, begun[name])

    def end(name: str) -> None:
        half[name] = when_ended(solution, begun[name].run, begun[name].execution_arn)

    vaults = {name: solution.fill(CONTENTS) for name in (*TROUBLED, "failing")}
    with faults(solution, *(never_staged(vaults[name]) for name in TROUBLED)):
        for name in TROUBLED:
            begin(name)
        for name in TROUBLED:
            until_half_way(solution, begun[name])
        stop(solution, begun["stopped"])
        end_from_outside(solution, begun["ended from outside"])
        restart(solution)
    with faults(solution, *(never_staged(vaults[name]) for name in TROUBLED), torn(vaults["failing"])):
        begin("failing")
        for name in begun:
            end(name)
    assert_true(solution, begun["failing"].run, CONTENTS, failed=LATER)
    for name in TROUBLED:
        assert_true(solution, begun[name].run, CONTENTS, stopped=LATER, outcome=half[name].outcome)

    before = {name: jobs(solution, one.run) for name, one in begun.items()}
    resumed = {name: resume(solution, one.run) for name, one in begun.items()}
    whole = {name: when_ended(solution, one.run, one.execution_arn) for name, one in resumed.items()}
    told = {}
    for name, one in begun.items():
        after = jobs(solution, one.run)
        asked = {archive: after[archive] - before[name][archive] for archive in after}
        assert_true(solution, one.run, CONTENTS)
        told[name] = Story(run=one.run, half=half[name], whole=whole[name], asked=asked)
    return told


def never_staged(vault: str) -> Fault:
    return Fault(kind=FaultKind.JOB_NEVER_COMPLETES, vault_name=vault, description_contains="later")


def torn(vault: str) -> Fault:
    return Fault(kind=FaultKind.JOB_FAILS, vault_name=vault, description_contains="later", message="the tape is torn")


def until_sorted(solution: Solution, started: StartedRun) -> None:
    """Wait until the inventory job is free: it takes one run at a time, and another would come back much later."""

    def is_sorted() -> bool:
        phase = read_run(solution.target, started.run, execution_arn=started.execution_arn).inventory
        return phase is InventoryPhase.SORTED

    until(is_sorted, timeout=180, every=0.5, seen=lambda: under_way(solution))


def until_half_way(solution: Solution, started: StartedRun) -> None:
    """Wait until what can be copied is copied, and Glacier has decided about the rest."""

    def half_way() -> bool:
        known = states(solution, started.run)
        asked = [str(record[ArchiveItem.REQUESTED_AT]) for record in archives(solution, started.run).values()]
        return (
            len(known) == len(CONTENTS)
            and all(known[name] == ArchiveStatus.DOWNLOADED for name in FIRST)
            and max(asked) < format_time(datetime.now(UTC) - LONGEST_STAGING)
        )

    until(half_way, timeout=120, every=0.5, seen=lambda: (states(solution, started.run), under_way(solution)))


def stop(solution: Solution, started: StartedRun) -> None:
    answer = CliRunner().invoke(
        app, ["stop", started.run, "--reason", "lunch", "--no-wait", "--state-dir", str(solution.state_dir)]
    )
    assert answer.exit_code == 0, answer.output


def end_from_outside(solution: Solution, started: StartedRun) -> None:
    """Somebody ends the orchestrator, and the event that tells of it is lost."""
    events = solution.client("events")
    [rule] = [one["Name"] for one in events.list_rules()["Rules"] if one["Name"].startswith("OrchestratorEndedRule")]
    events.disable_rule(Name=rule)
    solution.client("stepfunctions").stop_execution(executionArn=started.execution_arn, cause="a mistake")
    events.enable_rule(Name=rule)


def restart(solution: Solution) -> None:
    """SIGTERM to the local AWS, and a new one on its state folder."""
    instance = Instance(solution.state_dir)
    before = instance.status()
    assert before.port is not None
    assert before.time_factor is not None
    assert instance.stop()
    after = instance.start(port=before.port, time_factor=before.time_factor)
    assert after.pid != before.pid


@pytest.mark.holds(2)
@pytest.mark.parametrize(
    ("name", "outcome", "reason"),
    [
        ("stopped", RunStatus.STOPPED, "lunch"),
        ("ended from outside", RunStatus.STOPPED, "a mistake"),
        ("lost", RunStatus.FAILED, ""),
        ("failing", RunStatus.COMPLETED_WITH_FAILURES, ""),
    ],
)
def test_a_run_that_ends_half_way_says_so_and_why(
    stories: dict[str, Story], name: str, outcome: RunStatus, reason: str
) -> None:
    half = stories[name].half
    assert half.outcome is outcome
    assert reason in half.failure


@pytest.mark.holds(2)
@pytest.mark.parametrize("name", ["stopped", "ended from outside", "lost", "failing"])
def test_a_resume_asks_for_what_is_missing_and_for_nothing_else(stories: dict[str, Story], name: str) -> None:
    story = stories[name]
    assert story.whole.failure == ""
    assert story.whole.complete
    assert {archive for archive, jobs in story.asked.items() if jobs} == LATER.keys()
