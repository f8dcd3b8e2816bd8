"""``stop``: end a run in order."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final

import typer

from solution.cli import options
from solution.cli.console import err, print_json
from solution.cli.failures import EnvironmentProblem, ExitCode
from solution.cli.runs import RunState, read_run
from solution.cli.status import print_state
from solution.cli.target import Target, choose_target
from solution.cli.watch import await_end
from solution.contract.tables import RunStatus
from solution.domain.archive import check_run_id
from solution.domain.errors import InvalidInput, NotPossible

_REFUSALS: Final = {"InvalidInput": InvalidInput, "NotPossible": NotPossible}
_SENTENCES: Final = {
    "stopping": "is being stopped: its executions are ended, what is being copied may finish",
    "already stopping": "is being stopped already",
    "already ending": "has come to its end by itself, and is being cleaned up",
}
"""By what RunStopper answers."""


def ask_to_stop(target: Target, run: str, *, reason: str) -> str:
    """Have a run stopped; returns what was found, a key of the sentences.

    Raises:
        InvalidInput: the stack knows no such run.
        NotPossible: the run has ended, or has just begun.
        EnvironmentProblem: the function that stops runs has failed.
    """
    name = target.output("RunStopperFunctionName")
    answer = target.functions.invoke(
        FunctionName=name, Payload=json.dumps({"workflow_run": run, "reason": reason}).encode()
    )
    told: dict[str, Any] = json.loads(answer["Payload"].read())
    if "FunctionError" not in answer:
        return str(told["found"])
    kind, message = str(told.get("errorType")), str(told.get("errorMessage"))
    if kind in _REFUSALS:
        raise _REFUSALS[kind](message)
    raise EnvironmentProblem(f"function {name} failed: {kind}: {message}. See its log, then stop the run again")


def stop(
    *,
    run: options.RunId,
    reason: Annotated[
        str, typer.Option(help="Why; it stands in the report and in the notice.")
    ] = "an operator stopped it (glacier-transfer stop)",
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Stay until the run has been cleaned up.")] = True,
    as_json: options.Json = False,
    local: options.Local = False,
    state_dir: options.StateDir = None,
    profile: options.Profile = None,
    region: options.Region = None,
    stack: options.Stack = options.DEFAULT_STACK,
) -> None:
    """End a run in order. What is copied stays; resume transfers what is missing. Exit code 1: it ended otherwise."""
    check_run_id(run)
    target = choose_target(local=local, state_dir=state_dir, profile=profile, region=region, stack=stack)
    found = ask_to_stop(target, run, reason=reason)
    if not as_json:
        err.print(f"Run {run} {_SENTENCES[found]}.", markup=False, soft_wrap=True)
    if not wait:
        if as_json:
            print_json({"run": run, "found": found})
        return
    state = await_end(lambda: read_run(target, run), interval=2.0, bars=not as_json)
    if as_json:
        print_json({"found": found, **state.as_json()})
    else:
        print_state(state)
    raise typer.Exit(_exit_code(state))


def _exit_code(state: RunState) -> ExitCode:
    """A run that is stopped is what was asked for; one that came to its end before that speaks for itself."""
    return ExitCode.OK if state.outcome is RunStatus.STOPPED else state.exit_code
